"""Each check of `doctor` on facts that are wrong in one way, and on facts that are not wrong at all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.commands.condition import Certificate, Condition, Inhabited
from bootstrap.commands.doctor import CHECKS, findings, to_json
from bootstrap.environment.drift import Drift
from probes import Gpu, Machine, NvidiaDriver, System, Unknown
from probes.machine import Container, CudaLibrary
from probes.storage import Folder, Sharing, Storage

VENV = Path("/project/.venv")
GPU = Gpu("nvidia", "NVIDIA H100", "NVML", uuid="GPU-1", compute_capability=(9, 0))
LIBRARY = CudaLibrary("/usr/lib/libcuda.so.1", "13.0", 1)
DRIVER = NvidiaDriver("580.95.05", "/sys/module/nvidia/version", "13.0", "580.95.05", LIBRARY)
ROOMY = tuple(
    Folder(purpose, f"/{purpose}", f"/{purpose}", 10**12, "ext4", read_only=False)
    for purpose in ("cache", "environment", "temporary")
)
LINKS = Sharing("cache", "environment", hard_link=True, reflink=False)
MACHINE = Machine(
    System("linux", "debian 12", "6.1", "x86_64", "uname"),
    None,
    Unknown("not asked"),
    driver=DRIVER,
    gpus=(GPU,),
    storage=Storage(ROOMY, (LINKS,)),
)
WELL = Condition(MACHINE, VENV, environment=Inhabited(("2.6.0+cu126",)), active=str(VENV))
DOCKER = Container("docker", "/.dockerenv")
BROKEN = DRIVER._replace(
    user_space="595.10", library=CudaLibrary("libcuda.so.1", "13.1", Unknown("CUDA cannot start: 803"))
)


def machine(**changes: object) -> Condition:
    return replace(WELL, machine=MACHINE._replace(**changes))  # type: ignore[arg-type]


def storage(*folders: Folder, sharing: Sharing = LINKS) -> Condition:
    return machine(storage=Storage(folders, (sharing,)))


def test_there_is_nothing_to_say_when_all_is_well() -> None:
    assert findings(WELL) == ()
    assert findings(Condition(MACHINE._replace(driver=None, gpus=(), storage=None), VENV)) == ()
    assert findings(machine(driver=Unknown("hung"), storage=Unknown("no folder"))) == ()


@pytest.mark.parametrize(
    ("facts", "check", "says", "remedy"),
    [
        (machine(driver=None), "driver", "NVIDIA H100 is there, but no NVIDIA driver", "install"),
        (machine(driver=BROKEN), "driver-halves", "kernel runs NVIDIA driver 580.95.05, but its", "restart"),
        (machine(driver=BROKEN, container=DOCKER), "driver-halves", "libraries are of 595.10", "image"),
        (machine(driver=DRIVER._replace(library=None)), "libcuda", "programs find no libcuda", "install"),
        (machine(driver=DRIVER._replace(library=None), container=DOCKER), "libcuda", "no libcuda", "--gpus all"),
        (
            machine(driver=DRIVER._replace(library=LIBRARY._replace(devices=Unknown("CUDA cannot start: 999")))),
            "cuda-start",
            "CUDA cannot start: 999",
            "nvidia-smi",
        ),
        (
            machine(gpus=(GPU._replace(vendor="amd", visible=False, closed="/dev/kfd is closed to this user"),)),
            "gpu-closed",
            "/dev/kfd is closed",
            "render",
        ),
        (replace(WELL, settings="PIP_TIMEOUT is 'x'"), "settings", "PIP_TIMEOUT", "correct"),
        (
            replace(WELL, certificates=(Certificate("cert", "/ca.pem", "no such file or directory"),)),
            "certificates",
            "cert names /ca.pem for certificates: no such file",
            "PEM",
        ),
        (storage(ROOMY[0]._replace(free=10**8), *ROOMY[1:]), "room", "100 MB for the cache folder", "cache gc"),
        (
            replace(storage(ROOMY[0]._replace(free=5 * 10**9), *ROOMY[1:]), environment=None, active=None),
            "room",
            "5.0 GB for the cache folder",
            "cache gc",
        ),
        (
            storage(*ROOMY, sharing=LINKS._replace(hard_link=False)),
            "sharing",
            "/cache (cache) and /project/.venv cannot share files",
            "--cache-dir",
        ),
        (replace(WELL, unwritable=frozenset({"cache"})), "writable", "cannot write /cache (cache)", "--cache-dir"),
        (replace(WELL, foreign="/project/.venv is an environment of others"), "foreign", "of others", "mv"),
        (replace(WELL, lock="/project/pylock.toml was made for another"), "lock", "was made for", "`torchstrap lock`"),
        (replace(WELL, litter=(Path("/x.building-1"),)), "litter", "/x.building-1", "env remove"),
        (
            replace(WELL, environment=Inhabited(("2.6.0+cpu", "2.6.0+cu126"))),
            "two-torches",
            "torch is installed 2 times in /project/.venv (2.6.0+cpu, 2.6.0+cu126)",
            "sync",
        ),
        (
            replace(WELL, environment=Inhabited(drift=Drift(removed=("jinja2 3.1",)))),
            "drift",
            "changed by hand since it was built: removed jinja2 3.1",
            "sync",
        ),
        (replace(WELL, environment=Inhabited(is_distrusted=True)), "drift", "`verify` found files", "sync"),
        (
            replace(WELL, active="/other", other_python=("/other/bin/python", "2.5.0")),
            "active",
            "/other is active, with torch 2.5.0",
            "torchstrap run",
        ),
        (
            replace(WELL, active=None, other_python=("/usr/bin/python", "2.5.0")),
            "other-python",
            "`python` is /usr/bin/python, whose torch is 2.5.0; that of /project/.venv is 2.6.0+cu126",
            "torchstrap run",
        ),
        (replace(WELL, shadows=("/srv/torch",)), "shadows", "/srv/torch", "unset PYTHONPATH"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 20 and " " not in value else "",
)
def test_says_what_is_wrong_and_one_thing_to_do(facts: Condition, check: str, says: str, remedy: str) -> None:
    (found,) = findings(facts)
    assert found.check == check
    assert says in found.problem
    assert remedy in found.remedy
    assert to_json([found])["findings"] == [{"check": check, "problem": found.problem, "remedy": found.remedy}]


@pytest.mark.parametrize(
    "facts",
    [
        machine(driver=DRIVER._replace(user_space="595.10")),
        machine(gpus=(GPU._replace(vendor="intel", integrated=True, visible=False, closed="no driver serves it"), GPU)),
        storage(ROOMY[0]._replace(free=5 * 10**9), *ROOMY[1:]),
        storage(*ROOMY, sharing=LINKS._replace(hard_link=False, reflink=True)),
        storage(*ROOMY, sharing=LINKS._replace(hard_link=Unknown("/cache cannot be written"))),
        replace(WELL, certificates=(Certificate("SSL_CERT_FILE", "/ca.pem", ""),)),
        replace(WELL, active="/other"),
        replace(WELL, active=None, other_python=("/usr/bin/python", "2.6.0+cu126")),
        replace(WELL, environment=None, active="/other", other_python=("/other/bin/python", "2.5.0")),
    ],
    ids=[
        "halves that work together",
        "integrated graphics",
        "room enough once an environment is built",
        "clones",
        "sharing that could not be tried",
        "certificates that can be read",
        "another environment without torch",
        "another Python with the same torch",
        "no environment yet",
    ],
)
def test_says_nothing_of_what_is_nobodys_concern(facts: Condition) -> None:
    assert findings(facts) == ()


def test_every_check_has_a_name_of_its_own() -> None:
    names = [name for name, _ in CHECKS]
    assert len(set(names)) == len(names)
