"""A machine that Ansible runs on: the real ansible-core, our collection as it is built, a project with its indexes."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import containers
from tests.acceptance import fleet
from tests.acceptance.running import ROOT, Workplace, recorded

__all__ = ["BOOK", "Controller", "Ran", "hosts_of", "install_collection"]

BOOK = "torchstrap.lab.lab"
COLLECTION = ROOT / "bootstrap" / "adapters" / "ansible"
_RECAP = re.compile(r"^(\w+) +: ok=\d+ +changed=(\d+) +unreachable=(\d+) +failed=(\d+)", re.MULTILINE)
_OPTIONS = (
    "-F none -o UserKnownHostsFile=/dev/null -o ServerAliveInterval=2 -o ServerAliveCountMax=2 -o ControlPersist=10"
)


def install_collection(tools: Path, folder: Path) -> None:
    """Build it in a folder, and install what was built there."""
    version = re.search(r"^version: (\S+)$", (COLLECTION / "galaxy.yml").read_text(), re.MULTILINE)
    assert version is not None
    built = f"torchstrap-lab-{version[1]}.tar.gz"
    for words in (("build", str(COLLECTION)), ("install", built, "-p", "collections")):
        command = [str(tools / "ansible-galaxy"), "collection", *words]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


@dataclass(frozen=True)
class Ran:
    """A playbook that ran: what it said, and for each host how many tasks changed, were unreachable, failed."""

    said: str
    recap: Mapping[str, tuple[int, int, int]]

    def troubles(self) -> Mapping[str, tuple[int, int]]:
        """For each host what was unreachable, and what failed."""
        return {name: (unreachable, failed) for name, (_, unreachable, failed) in self.recap.items()}

    def is_idle(self) -> bool:
        """Nothing changed and nothing went wrong."""
        return bool(self.recap) and set(self.recap.values()) == {(0, 0, 0)}


@dataclass(frozen=True)
class Controller:
    """`tools` has the commands of ansible-core, `folder` all else, `place` is the project."""

    folder: Path
    place: Workplace
    tools: Path
    pyz: Path

    @property
    def work(self) -> Path:
        """Where the playbook keeps what it knows of the machines, and the bundle."""
        return self.folder / "work"

    def play(self, book: str, inventory: Mapping[str, Any], *options: str) -> Ran:
        """Run a playbook."""
        (self.folder / "inventory.json").write_text(json.dumps({"all": inventory}))
        command = [str(self.tools / "ansible-playbook"), "-i", "inventory.json", *options, book]
        done = subprocess.run(
            command, cwd=self.folder, env=self._variables(), capture_output=True, text=True, timeout=300, check=False
        )
        said = done.stdout + done.stderr
        return Ran(said, {name: (int(one), int(two), int(three)) for name, one, two, three in _RECAP.findall(said)})

    def _variables(self) -> dict[str, str]:
        ours = {name: value for name, value in self.place.variables().items() if name != "PYTHONPATH"}
        return ours | {
            "ANSIBLE_HOME": str(self.folder / "ansible"),
            "ANSIBLE_COLLECTIONS_PATH": str(self.folder / "collections"),
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(self.folder / "c"),
            "ANSIBLE_SSH_PIPELINING": "1",
            "ANSIBLE_HOST_KEY_CHECKING": "0",
            "ANSIBLE_LOCALHOST_WARNING": "0",
            "ANSIBLE_TIMEOUT": "5",
            "ANSIBLE_NOCOLOR": "1",
            "LC_ALL": "C.UTF-8",
        }

    def inventory(self, hosts: Mapping[str, fleet.Host], **variables: Any) -> dict[str, Any]:
        """Who they are, and what all of them have in common."""
        (any_host, *_) = hosts.values()
        return {
            "hosts": {name: {"ansible_host": host.address} for name, host in hosts.items()},
            "vars": {
                "ansible_user": "root",
                "ansible_ssh_private_key_file": str(any_host.key),
                "ansible_ssh_common_args": _OPTIONS,
                "ansible_python_interpreter": str(containers.PYTHON),
                "torchstrap_file": str(self.pyz),
                "torchstrap_project": str(self.place.folder),
                "torchstrap_work": str(self.work),
                "torchstrap_python": containers.version(),
                **variables,
            },
        }


@contextmanager
def hosts_of(folder: Path, machines: Mapping[str, str], **sizes: str) -> Iterator[dict[str, fleet.Host]]:
    """Hosts that are these machines of tests/machines, with so much room."""
    places = [folder / each for each in ("recorded", "hosts")]
    for each in places:
        each.mkdir()
    found = {name: recorded(machine, places[0]) for name, machine in machines.items()}
    with fleet.fleet(places[1], found, sizes) as hosts:
        yield hosts
