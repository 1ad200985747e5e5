"""A Slurm of two nodes in this machine, as Debian's packages have it, each node with a disk of its own.

munged, slurmctld, slurmd -N old, slurmd -N new     in the foreground, ended by their process ids
partitions old, new, all                            all nodes
<folder>/disk                                       a tmpfs in each slurmd's own mount namespace
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["NODES", "Slurm", "running", "why_not"]

NODES = ("old", "new")
_PROGRAMS = ("munged", "slurmctld", "slurmd", "srun", "sbatch", "sbcast", "scancel", "sinfo", "unshare")
_PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
_PATIENCE = 60.0  # seconds
_CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SchedulerParameters=batch_sched_delay=0,sched_min_interval=100000
ReturnToService=2
Prolog={folder}/prolog
TaskProlog={folder}/task-prolog
NodeName=old NodeHostname={host} NodeAddr=127.0.0.1 Port={old} CPUs=1
NodeName=new NodeHostname={host} NodeAddr=127.0.0.1 Port={new} CPUs=1
PartitionName=old Nodes=old State=UP
PartitionName=new Nodes=new State=UP
PartitionName=all Nodes=old,new Default=YES State=UP
"""


def why_not() -> str:
    """Why there can be no such cluster here; "" if there can."""
    missing = [name for name in _PROGRAMS if shutil.which(name, path=_PATH) is None]
    if missing:
        return f"Slurm is not installed (apt-get install slurm-wlm munge): no {', '.join(missing)}"
    if os.geteuid() != 0:
        return "slurmd needs root"
    alone = subprocess.run([*_alone(Path("/mnt")), "true"], capture_output=True, check=False)
    return "" if alone.returncode == 0 else "a mount namespace cannot be made here"


@dataclass(frozen=True)
class Slurm:
    """A cluster that runs. `settings` is the file that the prologs read; `disk` is another folder on each node."""

    folder: Path

    @property
    def settings(self) -> Path:
        return self.folder / "settings.sh"

    @property
    def disk(self) -> Path:
        return self.folder / "disk"

    def run(self, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """A command of Slurm's."""
        return subprocess.run(
            command,
            cwd=self.folder,
            env={**_variables(self.folder), **variables},
            capture_output=True,
            text=True,
            timeout=2 * _PATIENCE,
            check=False,
        )

    def states(self) -> Mapping[str, str]:
        """The state of each node, such as idle or drain."""
        listed = self.run("sinfo", "-h", "-N", "-p", "all", "-o", "%N %T").stdout.split()
        return dict(zip(listed[::2], listed[1::2], strict=True))

    def wait_until_idle(self) -> None:
        """Raises AssertionError if a node is not idle after a while."""
        until = time.monotonic() + _PATIENCE
        while set(self.states().values()) != {"idle"} or len(self.states()) != len(NODES):
            assert time.monotonic() < until, f"{self.states()}: {_said(self.folder)}"
            time.sleep(0.2)


@contextmanager
def running(folder: Path, adapter: Path) -> Iterator[Slurm]:
    """A cluster whose files lie in a folder with a short path, as sockets are among them; `adapter` has the prologs."""
    slurm = Slurm(folder)
    for name in ("prolog", "task-prolog"):
        shutil.copy(adapter / name, folder)
    for each in ("state", "disk", *(f"spool-{node}" for node in NODES)):
        (folder / each).mkdir()
    (folder / "key").write_bytes(os.urandom(128))
    (folder / "key").chmod(0o400)
    configuration = _CONFIGURATION.format(folder=folder, host=socket.gethostname(), **_ports("controller", *NODES))
    (folder / "slurm.conf").write_text(configuration)
    munge = [f"--{name}={folder / place}" for name, place in _MUNGE.items()]
    with ExitStack() as stack:
        stack.enter_context(_daemon(folder, "munged", "--foreground", "--force", *munge))
        _wait_for(folder / "munge", folder)
        stack.enter_context(_daemon(folder, "slurmctld", "-D"))
        for node in NODES:
            stack.enter_context(_daemon(folder, *_alone(slurm.disk), "slurmd", "-D", "-N", node))
        slurm.wait_until_idle()
        try:
            yield slurm
        finally:
            slurm.run("scancel", "--user=root")


_MUNGE = {"key-file": "key", "socket": "munge", "pid-file": "munge.pid", "log-file": "munge.log", "seed-file": "seed"}


def _alone(disk: Path) -> tuple[str, ...]:
    """What makes a command run with an empty disk of its own there; its process id stays."""
    mount = 'mount -t tmpfs -o mode=1777 tmpfs "$0" && exec "$@"'
    return ("unshare", "--mount", "--propagation", "private", "sh", "-c", mount, str(disk))


def _variables(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM", "TORCHSTRAP_", "PIP_"))}
    return {**kept, "PATH": _PATH, "SLURM_CONF": str(folder / "slurm.conf")}


@contextmanager
def _daemon(folder: Path, *command: str) -> Iterator[None]:
    with (folder / "daemons.log").open("ab") as log:
        process = subprocess.Popen(command, env=_variables(folder), cwd=folder, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _ports(*names: str) -> Mapping[str, int]:
    """Ports of this machine that are free."""
    with ExitStack() as stack:
        sockets = {name: stack.enter_context(closing(socket.socket())) for name in names}
        for each in sockets.values():
            each.bind(("127.0.0.1", 0))
        return {name: each.getsockname()[1] for name, each in sockets.items()}


def _wait_for(place: Path, folder: Path) -> None:
    until = time.monotonic() + _PATIENCE
    while not place.exists():
        assert time.monotonic() < until, _said(folder)
        time.sleep(0.1)


def _said(folder: Path) -> str:
    return (folder / "daemons.log").read_text(errors="replace")[-4000:]
