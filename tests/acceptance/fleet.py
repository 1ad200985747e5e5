"""A lab in one machine: hosts that are namespaces, each with its own network, processes, users, files and sshd.

    this machine's network ── bridge 198.18.N.1 ──┬── veth ── one    198.18.N.11
      the controller, a server of bundles         ├── veth ── two    198.18.N.12
                                                  └── veth ── …      no way out but to the bridge

A host has this machine's /usr. Its /etc is made for it; where else hosts write or people live is its own, and empty.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests import containers

__all__ = ["Host", "Shop", "are_possible", "fleet", "shop"]

SSHD = Path("/usr/sbin/sshd")
_TOOLS = ("ip", "unshare", "nsenter", "ssh", "ssh-keygen", "setpriv")
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
_PEOPLE = (
    "root:x:0:0::/home/keeper:/bin/sh\n"
    "sshd:x:101:65534::/run/sshd:/usr/sbin/nologin\n"
    "ann:x:1001:1001::/home/ann:/bin/sh\n"
)
_GROUPS = "root:x:0:\nnogroup:x:65534:\nann:x:1001:\nlab:x:2000:ann\n"
_SHADOW = "".join(f"{each}:*:20000:0:99999:7:::\n" for each in ("root", "sshd", "ann"))
_SETTINGS = """\
Port 22
HostKey /etc/fleet/host_key
AuthorizedKeysFile /etc/fleet/authorized_keys
StrictModes no
UsePAM no
PidFile none
PermitRootLogin yes
MaxStartups 100
Subsystem sftp internal-sftp
SetEnv TORCHSTRAP_MACHINE=/etc/fleet/machine.json LANG=C.UTF-8
"""
# In a network namespace already: the folders of the host, and then sshd as its first process.
_CREATED = """
set -e
mount --make-rprivate /
mount -t tmpfs none /mnt
cp -a "$1" /mnt/etc
for each in ld.so.cache os-release alternatives pam.d security login.defs ssl; do
  [ ! -e "/etc/$each" ] || cp -aL "/etc/$each" /mnt/etc/ 2>/dev/null || true
done
mkdir /mnt/empty
mount --bind /mnt/etc /etc
for each in /var /home /run /srv /tmp /usr/local /opt; do mount -t tmpfs none "$each"; done
mount -t tmpfs -o "size=$2" none /opt
mount -t proc proc /proc
chmod 1777 /tmp
mkdir -p /run/sshd /home/ann /home/keeper /usr/local/bin /var/tmp
chown 1001:1001 /home/ann
umount -l /mnt
cd /
exec env -i PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin /usr/sbin/sshd -D -f /etc/fleet/sshd_config
"""


def are_possible() -> str | None:
    """Why this machine cannot make such hosts, None if it can."""
    if not containers.are_possible():
        return "no namespaces, or no Python in /usr"
    missing = [each for each in _TOOLS if shutil.which(each) is None] + ([] if SSHD.exists() else ["sshd"])
    if missing:
        return f"{', '.join(missing)} not installed"
    name = f"ts{os.getpid()}"
    made = _tried("ip", "link", "add", name, "type", "bridge") and _tried("ip", "netns", "add", name)
    linked = made and _tried("ip", "link", "add", f"{name}v", "type", "veth", "peer", "name", "eth0", "netns", name)
    _tried("ip", "netns", "del", name)
    _tried("ip", "link", "del", name)
    return None if linked else "no bridge, or no veth"


def _tried(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr}"


@dataclass
class Host:
    """One of them. `link` is this machine's end of its cable, `process` the one that its sshd hangs on."""

    name: str
    address: str
    link: str
    space: str
    folder: Path
    key: Path
    size: str
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Switch it on; all that it had in memory is gone."""
        etc = self.folder / "etc"
        command = ["ip", "netns", "exec", self.space, "unshare", "--mount", "--pid", "--fork", "--kill-child"]
        log = (self.folder / "log").open("ab")
        with log:
            self.process = subprocess.Popen(
                [*command, "sh", "-c", _CREATED, "sh", str(etc), self.size], stdin=subprocess.DEVNULL, stderr=log
            )

    def stop(self) -> None:
        """Pull the plug."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def plug(self, state: str) -> None:
        """The cable `up` or `down`."""
        _run("ip", "link", "set", self.link, state)

    def ssh(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """A command on the host, as its root."""
        options = ["-F", "none", "-i", str(self.key), "-o", "StrictHostKeyChecking=no", "-o", "LogLevel=ERROR"]
        options += ["-o", "UserKnownHostsFile=/dev/null", "-o", "ConnectTimeout=5"]
        done = subprocess.run(
            ["ssh", *options, f"root@{self.address}", *words], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0 or not check, done.stderr
        return done

    def until_up(self) -> None:
        """Wait for its sshd."""
        assert self.process is not None
        for _ in range(100):
            if self.ssh("true", check=False).returncode == 0:
                return
            assert self.process.poll() is None, (self.folder / "log").read_text()
            threading.Event().wait(0.1)
        raise AssertionError((self.folder / "log").read_text())

    def processes(self, *words: str) -> list[int]:
        """Ids, out here, of processes in it with all these words in their command lines."""
        assert self.process is not None
        return [pid for pid in _below(self.process.pid) if all(word in _command(pid) for word in words)]

    def kill(self, *words: str) -> int:
        """SIGKILL for those processes; how many there were."""
        found = self.processes(*words)
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return len(found)


def _below(parent: int) -> Iterator[int]:
    """All that a process has started, with all that those have."""
    parents: dict[int, list[int]] = {}
    for each in Path("/proc").iterdir():
        if each.name.isdecimal():
            with suppress(OSError):
                above = int((each / "stat").read_text().rpartition(")")[2].split()[1])
                parents.setdefault(above, []).append(int(each.name))
    waiting = [parent]
    while waiting:
        found = parents.get(waiting.pop(), [])
        yield from found
        waiting += found


def _command(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except OSError:
        return []


@contextmanager
def fleet(folder: Path, machines: Mapping[str, Path], sizes: Mapping[str, str]) -> Iterator[dict[str, Host]]:
    """Hosts by name, each with the `probe --json` that it is to be, and with so much room in its /opt."""
    number, net = os.getpid() % 250, f"tsb{os.getpid() % 100_000}"
    with ExitStack() as stack:
        key, host_key = folder / "key", folder / "host_key"
        for file in (key, host_key):
            _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(file))
        _run("ip", "link", "add", net, "type", "bridge")
        stack.callback(_tried, "ip", "link", "del", net)
        _run("ip", "addr", "add", f"198.18.{number}.1/24", "dev", net)
        _run("ip", "link", "set", net, "up")
        hosts = {}
        for position, (name, machine) in enumerate(machines.items(), start=11):
            link = f"{net}{position}"
            host = Host(name, f"198.18.{number}.{position}", link, link, folder / name, key, sizes.get(name, "400m"))
            _fill(host, machine, host_key)
            _run("ip", "netns", "add", host.space)
            stack.callback(_tried, "ip", "netns", "del", host.space)
            _run("ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", host.space)
            stack.callback(_tried, "ip", "link", "del", link)
            _run("ip", "link", "set", link, "master", net, "up")
            _run("ip", "-n", host.space, "addr", "add", f"{host.address}/24", "dev", "eth0")
            for each in ("lo", "eth0"):
                _run("ip", "-n", host.space, "link", "set", each, "up")
            stack.callback(host.stop)
            host.start()
            hosts[name] = host
        for host in hosts.values():
            host.until_up()
        yield hosts


def _fill(host: Host, machine: Path, host_key: Path) -> None:
    own = host.folder / "etc" / "fleet"
    own.mkdir(parents=True)
    shutil.copy(machine, own / "machine.json")
    shutil.copy(host.key.with_suffix(".pub"), own / "authorized_keys")
    shutil.copy(host_key, own / "host_key")
    (own / "sshd_config").write_text(_SETTINGS)
    (own.parent / "passwd").write_text(_PEOPLE)
    (own.parent / "group").write_text(_GROUPS)
    (own.parent / "shadow").write_text(_SHADOW)
    (own.parent / "hosts").write_text(f"127.0.0.1 localhost\n{host.address} {host.name}\n")
    (own.parent / "nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files\n")


@dataclass
class Shop:
    """A server of one folder, with ranges. `events` are called, once, when a host has been sent so many bytes."""

    folder: Path
    url: str = ""
    sent: dict[str, int] = field(default_factory=dict)
    events: dict[str, tuple[int, Callable[[], object]]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, client: str, size: int) -> None:
        """So many more bytes for a host."""
        with self.lock:
            self.sent[client] = self.sent.get(client, 0) + size
            limit, event = self.events.get(client, (sys.maxsize, lambda: None))
            if self.sent[client] < limit:
                return
            del self.events[client]
        event()


@contextmanager
def shop(folder: Path, address: str) -> Iterator[Shop]:
    """The folder, served to whoever reaches an address, for the time of the block."""
    state = Shop(folder)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            _answer(self, state)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Clients that were killed are what the tests are about."""

    server = Server((address, 0), Handler)
    # What was sent is what has arrived, but for this.
    server.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
    state.url = f"http://{address}:{server.server_address[1]}/"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _answer(handler: BaseHTTPRequestHandler, state: Shop) -> None:
    path = state.folder / handler.path.lstrip("/")
    wanted = _RANGE.fullmatch(handler.headers.get("Range", ""))
    if not path.is_file() or wanted is None:
        handler.send_error(404)
        return
    size = path.stat().st_size
    start, end = int(wanted[1]), min(size, int(wanted[2]) + 1 if wanted[2] else size)
    handler.send_response(206)
    handler.send_header("Content-Length", str(end - start))
    handler.send_header("Content-Range", f"bytes {start}-{end - 1}/{size}")
    handler.end_headers()
    with path.open("rb") as file:
        file.seek(start)
        while start < end:
            piece = file.read(min(1 << 16, end - start))
            state.count(handler.client_address[0], len(piece))
            handler.wfile.write(piece)
            start += len(piece)
