"""Which build of torch `uv` takes on the machines of tests/profiles/verdicts/, which one we take, and who is right.

    python -m tests.benchmarks.verdicts_beside_uv [--uv COMMAND] [--workers 2] [--all]

Each machine of the tables in automatic mode, with what the row asks of torch and Python:

    uv      `uv pip compile --torch-backend auto`, told of the machine by UV_CUDA_DRIVER_VERSION (also where a container
            shows only the host's driver, as /sys does) or UV_AMD_GPU_ARCHITECTURE (the lowest that it knows, as its
            own probe would take). It has no variable for Intel, whose display adapters all mean `--torch-backend xpu`
            to it, nor for a machine without any of these, which means `cpu`.
    ours    `profiles.choose` with every published variant as an offer

The judge is tests/benchmarks/oracle.py. Right is: as many GPUs work as can work, with the newest torch with which they
do; the CPU build where none can work; a refusal where nothing can be installed.

Nothing leaves this machine: a proxy on 127.0.0.1 answers for download.pytorch.org, with a page for each variant that
lists the builds that the oracle knows. Needs `openssl`. `uv` comes from the default index (`pip install uv`).
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import ssl
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from packaging.specifiers import SpecifierSet

from probes import Libc, Machine, NvidiaDriver
from profiles import NoOfferError, automatic_offers, choose
from tests.benchmarks.oracle import FREE_THREADED, RELEASES, Build, builds, deciding, merit
from tests.profiles.verdict_machines import machine, rows

HOST = "download.pytorch.org"
PATCHES = (0, 1, 2)
KNOWN_TO_UV = (
    "gfx900 gfx906 gfx908 gfx90a gfx942 gfx950 gfx1030 gfx1100 gfx1101 gfx1102 gfx1150 gfx1151 gfx1200 gfx1201"
)
GLIBCS = (17, 28, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40)
"""The second numbers of the manylinux platforms that uv can be told."""


@dataclass(frozen=True, slots=True)
class Case:
    """A machine, a Python and what a project asks of torch; `-` for nothing."""

    words: str
    python: str
    torch: str

    @property
    def machine(self) -> Machine:
        return machine(self.words)

    @property
    def admitted(self) -> list[Build]:
        """The builds for the platform that the project allows."""
        asked = SpecifierSet("" if self.torch == "-" else self.torch)
        system = self.machine.system
        return [
            build
            for build in builds(f"{system.os}_{system.architecture}")
            if any(asked.contains(f"{build.torch}.{patch}") for patch in PATCHES)
        ]


def cases() -> list[Case]:
    """Those of the tables that both can be asked: no Python without the GIL, no torch and platform without builds."""
    found = dict.fromkeys(
        Case(row.machine, row.python, row.torch)
        for row in rows()
        if row.gpus == "all" and ":" not in row.torch and "+" not in row.torch and not row.python.endswith("t")
    )
    return [case for case in found if case.admitted]


# --- the indexes ---------------------------------------------------------------------------------------------------


def pages() -> dict[str, str]:
    """Path to text: a page for each variant, and the metadata of each file."""
    listed: dict[str, list[str]] = {}
    found = {}
    for platform in ("linux_x86_64", "linux_aarch64", "windows_x86_64", "macos_arm64", "macos_x86_64"):
        for build in builds(platform):
            for name, version in _files(build, platform):
                path = f"/whl/{build.variant}/{name}"
                listed.setdefault(build.variant, []).append(
                    f'<a href="{path.replace("+", "%2B")}" data-dist-info-metadata="true">{name}</a><br/>'
                )
                found[f"{path}.metadata"] = f"Metadata-Version: 2.1\nName: torch\nVersion: {version}\n"
    for variant, links in listed.items():
        found[f"/whl/{variant}/torch/"] = "<!DOCTYPE html><html><body>\n" + "\n".join(links) + "\n</body></html>\n"
    return found


def _files(build: Build, platform: str) -> Iterator[tuple[str, str]]:
    torch = tuple(map(int, build.torch.split(".")))
    oldest, newest = RELEASES[build.torch].pythons
    pythons = [f"cp3{minor}-cp3{minor}" for minor in range(oldest[1], newest[1] + 1)]
    pythons += [f"cp3{at[1]}-cp3{at[1]}t" for at, (first, last) in FREE_THREADED.items() if first <= torch <= last]
    for patch in PATCHES:
        version = f"{build.torch}.{patch}" + ("" if platform.startswith("macos") else f"+{build.variant}")
        for python in pythons:
            yield f"torch-{version}-{python}-{_tag(torch, build.variant, platform)}.whl", version


def _tag(torch: tuple[int, ...], variant: str, platform: str) -> str:
    os_name, _, architecture = platform.partition("_")
    if os_name == "windows":
        return "win_amd64"
    if os_name == "macos":
        return f"macosx_{14 if torch >= (2, 12) and architecture == 'arm64' else 11}_0_{architecture}"
    if torch >= (2, 7) or (torch == (2, 6) and (architecture == "aarch64" or variant in {"cu126", "rocm6.2.4"})):
        return f"manylinux_2_28_{architecture}"
    if architecture == "aarch64" and variant == "cpu":
        return "manylinux_2_17_aarch64.manylinux2014_aarch64"
    return f"linux_{architecture}"


class _Proxy(BaseHTTPRequestHandler):
    """Answers CONNECT itself: what follows is TLS, with the pages behind it."""

    protocol_version = "HTTP/1.1"
    server: _Index

    def do_CONNECT(self) -> None:
        if not self.path.startswith(f"{HOST}:"):
            self.send_error(502)
            return
        self.send_response_only(200)
        self.end_headers()
        self.connection = self.request = self.server.context.wrap_socket(self.connection, server_side=True)
        self.setup()

    def do_GET(self) -> None:
        text = self.server.pages.get(self.path.replace("%2B", "+"))
        body = (text or "").encode()
        self.send_response_only(403 if text is None else 200)
        self.send_header("Content-Type", "text/html" if self.path.endswith("/") else "application/octet-stream")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_HEAD(self) -> None:
        self.send_error(405)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


class _Index(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, certificate: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Proxy)
        self.pages = pages()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate / "cert", certificate / "key")

    def handle_error(self, *_: object) -> None:
        """A client that goes away is no news."""


@contextmanager
def index(folder: Path) -> Iterator[str]:
    """The address of the proxy, while the block runs."""
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={HOST}"]
    command += ["-addext", f"subjectAltName=DNS:{HOST}", "-keyout", str(folder / "key"), "-out", str(folder / "cert")]
    subprocess.run(command, check=True, capture_output=True)
    with _Index(folder) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


# --- the contenders ------------------------------------------------------------------------------------------------


def ours(case: Case) -> Build | None:
    asked = None if case.torch == "-" else SpecifierSet(case.torch)
    try:
        choice = choose(automatic_offers(), case.machine, python=case.python, torch=asked)
    except NoOfferError:
        return None
    return Build(".".join((choice.torch or "0.0").split(".")[:2]), choice.offer.variant)


@dataclass(frozen=True, slots=True)
class Uv:
    """How uv is run: its command, the proxy, its cache, an empty folder."""

    command: tuple[str, ...]
    proxy: str
    folder: Path

    def __call__(self, case: Case) -> Build | None:
        backend, told = simulated(case.machine)
        platform, more = target(case.machine)
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("UV_", "PIP_"))}
        environ |= {
            **told,
            **more,
            "HTTPS_PROXY": self.proxy,
            "UV_CACHE_DIR": str(self.folder / "cache"),
            "UV_PYTHON": sys.executable,
        }
        options = ("--torch-backend", backend, "--python-platform", platform, "--python-version", case.python)
        quiet = (
            "--no-header",
            "--no-annotate",
            "--quiet",
            "--no-config",
            "--no-python-downloads",
            "--only-binary",
            "torch",
        )
        done = subprocess.run(
            (*self.command, "pip", "compile", *options, *quiet, "--allow-insecure-host", HOST, "-"),
            input=f"torch{'' if case.torch == '-' else case.torch}\n",
            cwd=self.folder,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )
        match = re.search(r"^torch==(\d+\.\d+)[\d.]*(?:\+(\S+))?", done.stdout, re.MULTILINE)
        if match is None and "No solution found" not in done.stderr:
            sys.exit(f"uv failed for {case}:\n{done.stderr}")
        return Build(match[1], match[2] or "cpu") if match else None


def simulated(found: Machine) -> tuple[str, Mapping[str, str]]:
    """`--torch-backend`, and the variables that tell uv of a machine."""
    if isinstance(found.driver, NvidiaDriver):
        return "auto", {"UV_CUDA_DRIVER_VERSION": found.driver.version}
    targets = {gpu.target for gpu in found.gpus if gpu.vendor == "amd" and not gpu.closed}
    known = [target for target in KNOWN_TO_UV.split() if target in targets]
    if known and found.system.os == "linux":
        return "auto", {"UV_AMD_GPU_ARCHITECTURE": known[0]}
    intel = any(gpu.vendor == "intel" for gpu in found.gpus) or any("Intel" in note for note in found.notes)
    return ("xpu" if intel else "cpu"), {}


def target(found: Machine) -> tuple[str, Mapping[str, str]]:
    """`--python-platform`, and a variable for macOS."""
    system, architecture = found.system, found.system.architecture
    if system.os == "windows":
        return "x86_64-pc-windows-msvc", {}
    if system.os == "macos":
        version = system.version if isinstance(system.version, str) else "14.0"
        name = "aarch64" if architecture == "arm64" else "x86_64"
        return f"{name}-apple-darwin", {"MACOSX_DEPLOYMENT_TARGET": version}
    libc = found.libc
    if not isinstance(libc, Libc) or not isinstance(libc.version, str) or libc.family == "musl":
        return f"{architecture}-unknown-linux-musl", {}
    has = int(libc.version.split(".")[1])
    return f"{architecture}-manylinux_2_{max(each for each in GLIBCS if each <= has)}", {}


# --- the judge -----------------------------------------------------------------------------------------------------


def judged(case: Case, answer: Build | None) -> str:
    """`right`, or what is wrong with an answer."""
    found = case.machine
    counted = deciding(found)
    values = {build: merit(build, found, case.python, counted) for build in case.admitted}
    possible = {build: value for build, value in values.items() if value is not None}
    if not possible:
        return "right" if answer is None else "cannot be installed"
    if answer is None:
        return "refused, though something can be installed"
    value = possible.get(answer)
    if value is None:
        return "cannot be installed"
    most = max(each[:2] for each in possible.values())
    newest = max(
        each[2] for build, each in possible.items() if each[:2] == most and (any(most) or build.variant == "cpu")
    )
    if value[:2] < most:
        return "the GPU lies idle" if value[1] == 0 else "a GPU is left out"
    if most == (0, 0) and answer.variant != "cpu":
        return "a build for a GPU that it cannot use"
    return "right" if value[2] == newest else f"older torch than {'.'.join(map(str, newest))}"


def words(build: Build | None) -> str:
    return f"{build.variant} {build.torch}" if build else "refused"


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--uv", default=shutil.which("uv") or "uv")
    options.add_argument("--workers", type=int, default=2)
    options.add_argument(
        "--all", action="store_true", help="print every machine, not only those where an answer is wrong"
    )
    asked = options.parse_args()
    compared = cases()
    with tempfile.TemporaryDirectory(prefix="verdicts-beside-uv-") as name, index(Path(name)) as proxy:
        uv = Uv(tuple(shlex.split(asked.uv)), proxy, Path(name))
        with ThreadPoolExecutor(asked.workers) as pool:
            theirs = list(pool.map(uv, compared))
    report(compared, theirs, [ours(case) for case in compared], everything=asked.all)
    return 0


def report(
    compared: Sequence[Case], theirs: Sequence[Build | None], own: Sequence[Build | None], *, everything: bool
) -> None:
    """Prints the table of wrong answers and both scores."""
    scores = {"torchstrap": Counter[str](), "uv": Counter[str]()}
    print("| machine | python | torch | torchstrap | | uv | |\n|---|---|---|---|---|---|---|")
    for case, their, our in zip(compared, theirs, own, strict=True):
        ruling, other = judged(case, our), judged(case, their)
        scores["torchstrap"][re.sub(r" than .*", "", ruling)] += 1
        scores["uv"][re.sub(r" than .*", "", other)] += 1
        if everything or (ruling, other) != ("right", "right"):
            cells = (case.words, case.python, case.torch, words(our), ruling, words(their), other)
            print(f"| {' | '.join(cells)} |")
    print()
    for name, score in scores.items():
        others = ", ".join(f"{count} {what}" for what, count in score.most_common() if what != "right")
        print(f"{name}: {score['right']} of {len(compared)} right" + (f"; {others}" if others else ""))


if __name__ == "__main__":
    sys.exit(main())
