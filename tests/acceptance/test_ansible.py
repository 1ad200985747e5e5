"""The Ansible collection with the real ansible-core, against hosts with an sshd, a network and files of their own."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance import fleet
from tests.acceptance.controller import BOOK, Controller, hosts_of, install_collection
from tests.acceptance.engines import Site, needs_published
from tests.acceptance.running import Workplace, pyproject
from tests.replica import Replica

MACHINES = {
    "steady": "linux-x86_64-rtx5090-driver580-cu130",
    "killed": "linux-x86_64-2xh100-driver535-cu126",
    "unplugged": "linux-x86_64-laptop-intel-graphics-cpu",
    "full": "linux-x86_64-gtx1080ti-driver580-cu126",
}
VARIANTS = {"steady": "cu128", "killed": "cu128", "unplugged": "cpu", "full": "cu126"}
FAMILY = ("torch", "triton", "nvidia-")
_OBSTACLE = fleet.are_possible()

pytestmark = pytest.mark.skipif(_OBSTACLE is not None, reason=f"hosts cannot be made here: {_OBSTACLE}")


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory, engines_cache: Path, replica: Replica) -> Path:
    """The folder with the commands of ansible-core, in an environment that our program built."""
    needs_published("ansible-core", "-py3-none-any.whl")
    folder = tmp_path_factory.mktemp("ansible")
    (folder / "pyproject.toml").write_text(pyproject("ansible-core>=2.17"))
    Site(folder, engines_cache, replica.pytorch).run("sync", "--no-verify")
    return folder / ".venv" / "bin"


@pytest.fixture
def controller(tmp_path: Path, pyz: Path, tools: Path) -> Iterator[Controller]:
    """A project that says `torch`, and something large enough to be in the middle of."""
    (tmp_path / "project").mkdir()
    install_collection(tools, tmp_path)
    with Replica() as replica:
        replica.add_wheel("default", "hefty", "1", files={"hefty.bin": os.urandom(12_000_000)})
        place = Workplace(tmp_path / "project", tmp_path / "cache", replica)
        place.write(pyproject("torch==2.9.0", "hefty"))
        yield Controller(tmp_path, place, tools, pyz)


def outcome_of(host: fleet.Host) -> dict[str, Any]:
    """What the environment of a host says of itself."""
    found: dict[str, Any] = json.loads(host.ssh("cat /opt/torchstrap/environments/lab/torchstrap.json").stdout)
    return found


def made_of(controller: Controller) -> tuple[Path, ...]:
    """The lock and the bundle."""
    return controller.place.folder / "pylock.toml", controller.work / "lab.bundle"


def beside_torch(outcome: Mapping[str, Any]) -> frozenset[tuple[str, str]]:
    """What is installed beside the builds for an accelerator, by hash."""
    return frozenset(
        (each["name"], each["sha256"]) for each in outcome["packages"] if not each["name"].startswith(FAMILY)
    )


def test_a_lab_with_every_misfortune_is_done_after_the_second_run(controller: Controller) -> None:
    with hosts_of(controller.folder, MACHINES, full="30m") as hosts:
        controller.work.mkdir()
        gateway = hosts["steady"].address.rpartition(".")[0] + ".1"
        with fleet.shop(controller.work, gateway) as shop:
            shop.events = {
                hosts["killed"].address: (8_000_000, lambda: hosts["killed"].kill("sync", "--bundle")),
                hosts["unplugged"].address: (5_000_000, lambda: hosts["unplugged"].plug("down")),
            }
            inventory = controller.inventory(
                hosts,
                torchstrap_bundle_url=f"{shop.url}lab.bundle",
                torchstrap_policy={"defaults": {"trusted-hosts": [gateway]}},
            )

            first = controller.play(BOOK, inventory)
            assert shop.events == {}, first.said
            assert first.troubles() == {"steady": (0, 0), "killed": (0, 1), "unplugged": (1, 0), "full": (0, 1)}, (
                first.said
            )
            assert "was stopped by signal 9 before it was done; the environment is what it was" in first.said
            assert "MB free, and at least" in first.said
            assert outcome_of(hosts["steady"])["choice"]["variant"] == "cu128", "the others go on"
            hosts["unplugged"].plug("up")
            for name in ("killed", "unplugged", "full"):
                found = hosts[name].ssh("ls -A /opt/torchstrap/environments", check=False).stdout.split()
                assert "lab" not in found, "half an environment is none"

            hosts["full"].ssh("mount -o remount,size=400m /opt")
            made = [each.stat().st_mtime_ns for each in made_of(controller)]
            before = dict(shop.sent)
            second = controller.play(BOOK, inventory, "--limit", "all:!steady")
            assert second.troubles() == dict.fromkeys(("killed", "unplugged", "full"), (0, 0)), second.said
            assert [each.stat().st_mtime_ns for each in made_of(controller)] == made, "neither locked nor bundled again"
            sent = {name: shop.sent[hosts[name].address] - before[hosts[name].address] for name in second.recap}
            assert max(sent["killed"], sent["unplugged"]) < sent["full"] - 500_000, "what had arrived is not sent again"
            outcomes = {name: outcome_of(host) for name, host in hosts.items()}
            assert {name: each["choice"]["variant"] for name, each in outcomes.items()} == VARIANTS
            assert len({beside_torch(each) for each in outcomes.values()}) == 1, "one lock, only the variant differs"

            third = controller.play(BOOK, inventory)
            assert third.is_idle(), third.said
            assert [each.stat().st_mtime_ns for each in made_of(controller)] == made


# --- the modules, one by one

HERE = {
    "bundle": "/opt/torchstrap/lab.bundle",
    "venv": "/opt/torchstrap/environments/lab",
    "cache_dir": "/opt/torchstrap/store",
    "python": "{{ torchstrap_python }}",
}
BACK = {"state": "rolled_back", "bundle": None, "python": None}
AWAY = {"state": "absent", "bundle": None, "python": None}
CHECK = {"check_mode": True, "diff": True}
NO_GPU = {"environment": {"TORCHSTRAP_MACHINE": "/etc/fleet/no-gpu.json"}}
UNKNOWN = {"environment": {"TORCHSTRAP_MACHINE": "/etc/fleet/unknown.json"}}
ANN = {"become": True, "become_method": "su", "become_user": "ann"}
FAKES = {
    "old": "echo 'torchstrap: unrecognized arguments: --bundle; see `torchstrap sync --help`' >&2; exit 2",
    "mute": "echo Hello",
    "newer": """echo '{"schema": "torchstrap.sync/9"}'""",
    "slow": "sleep 5",
}
# name, keywords of the task, options of the module
STEPS: tuple[tuple[str, dict[str, Any], dict[str, Any]], ...] = (
    ("foreseen", CHECK, {"variant": "cpu"}),
    ("done", {}, {"variant": "cpu"}),
    ("again", {}, {"variant": "cpu"}),
    ("back_foreseen", CHECK, BACK),
    ("back", {}, BACK),
    ("there", {}, {**BACK, "generation": "{{ step_back.generation }}"}),
    ("nowhere", {}, {**BACK, "generation": "nonsense"}),
    ("not_in_it", {}, {"variant": "cu126"}),
    ("no_gpu", NO_GPU, {"require": "gpu"}),
    ("unknown", UNKNOWN, {}),
    ("no_bundle", {}, {"bundle": "/nowhere/lab.bundle"}),
    ("planned", {}, {"bundle": None, "project": "/opt/foreign", "lock_sha256": "0123"}),
    ("no_program", {}, {"program": "/nowhere/torchstrap.pyz"}),
    ("old", {}, {"program": "/opt/old"}),
    ("mute", {}, {"program": "/opt/mute"}),
    ("newer", {}, {"program": "/opt/newer"}),
    ("slow", {"timeout": 1}, {"program": "/opt/slow"}),
    ("ann", ANN, {"venv": "/opt/ann/venv"}),
    ("away_foreseen", CHECK, AWAY),
    ("away", {}, AWAY),
    ("gone", {}, AWAY),
    ("foreign", {}, {**AWAY, "venv": "/opt/foreign"}),
)
CHANGES = {
    **dict.fromkeys(("foreseen", "done", "back_foreseen", "back", "ann", "away_foreseen", "away"), True),
    **dict.fromkeys(("again", "there", "gone"), False),
}
PROBLEMS = {
    "nowhere": (65, "there is no generation 'nonsense'"),
    "not_in_it": (1, "has no cu126; it has cpu, cu128"),
    "no_gpu": (1, "a gpu is required, but cpu would compute on the CPU here"),
    "unknown": (1, "the architecture is not known: nobody knows"),
    "no_bundle": (65, "/nowhere/lab.bundle: cannot be read"),
    "planned": (None, "/opt/foreign/pylock.toml is not there, where 0123 was expected"),
    "no_program": (None, "there is no torchstrap at /nowhere/torchstrap.pyz; install it with the role"),
    "old": (2, "(/opt/old is torchstrap 0.0.1; these modules need torchstrap 0.1.0 or newer)"),
    "mute": (0, "it did not answer in JSON, but with: Hello (/opt/mute is"),
    "newer": (0, "it speaks 'torchstrap.sync/9', where 'torchstrap.sync/1' is understood"),
    "slow": (None, "Timed out after 1 second"),
    "foreign": (65, "/opt/foreign: is no environment of torchstrap's"),
}


def steps(told: Path) -> list[dict[str, Any]]:
    """A playbook of STEPS, each kept whatever becomes of it; written down on the controller at the end."""
    tasks: list[dict[str, Any]] = [
        {
            "name": name,
            "torchstrap.lab.environment": {
                key: value for key, value in {**HERE, **options}.items() if value is not None
            },
            "register": f"step_{name}",
            "ignore_errors": True,
            **keywords,
        }
        for name, keywords, options in STEPS
    ]
    tasks.append({"name": "choice", "torchstrap.lab.choice": {}, "register": "step_choice"})
    local = {"gather_subset": ["!all", "!min", "local"]}
    tasks.append({"name": "local", "ansible.builtin.setup": local, "register": "step_local"})
    words = ", ".join(f"'{each['name']}': step_{each['name']}" for each in tasks)
    content = {"content": "{{ {" + words + "} | to_json }}", "dest": str(told)}
    tasks.append({"name": "Write it down", "ansible.builtin.copy": content, "delegate_to": "localhost"})
    return [{"hosts": "steady", "gather_facts": False, "tasks": tasks}]


def furnish(host: fleet.Host, other: fleet.Host) -> None:
    """What the steps need on a host; `other` is one without a GPU."""
    for name, text in FAKES.items():
        said = f'#!/bin/sh\n[ "$1" != --version ] || {{ echo torchstrap 0.0.1; exit; }}\n{text}\n'
        host.ssh(f"cat > /opt/{name} <<'END'\n{said}END\nchmod 755 /opt/{name}")
    host.ssh("mkdir /opt/foreign /opt/ann; touch /opt/foreign/pyvenv.cfg; chown ann /opt/ann")
    machine = json.loads(other.ssh("cat /etc/fleet/machine.json").stdout)
    unknown = {**machine, "system": {**machine["system"], "architecture": {"unknown": "nobody knows"}}}
    for name, document in (("no-gpu", machine), ("unknown", unknown)):
        host.ssh(f"cat > /etc/fleet/{name}.json <<'END'\n{json.dumps(document)}\nEND")


def test_modules_say_what_changes_and_what_is_wrong(controller: Controller) -> None:
    policy = {"enforced": {"variants": ["cpu", "cu126", "cu128"]}}
    with hosts_of(controller.folder, {name: MACHINES[name] for name in ("steady", "unplugged")}) as hosts:
        host = hosts["steady"]
        inventory = controller.inventory(hosts, torchstrap_group="lab", torchstrap_policy=policy)

        rehearsal = controller.play(BOOK, inventory, "--check", "--diff")
        assert set(rehearsal.troubles().values()) == {(0, 0)}, rehearsal.said
        assert host.ssh("ls /opt").stdout == ""

        done = controller.play(BOOK, inventory)
        assert set(done.troubles().values()) == {(0, 0)}, done.said
        assert outcome_of(host)["choice"]["variant"] == "cu128", "the best of those that the policy allows"

        furnish(host, hosts["unplugged"])
        told = controller.folder / "told.json"
        (controller.folder / "steps.json").write_text(json.dumps(steps(told)))
        ran = controller.play("steps.json", inventory)
        assert told.exists(), ran.said
        found = json.loads(told.read_text())
        left = host.ssh(
            "ls -A /opt/torchstrap/environments; find /opt/ann/venv/ -name hefty.bin -exec stat -c %h:%G {} +"
        )

    assert {name: found[name]["changed"] for name in CHANGES if not found[name].get("failed")} == CHANGES, ran.said
    for name, (code, words) in PROBLEMS.items():
        assert (found[name]["failed"], found[name].get("rc")) == (True, code), name
        assert words in found[name]["msg"], name
    assert "torch 2.9.0+cu128\n" in found["foreseen"]["diff"]["before"]
    assert "torch 2.9.0+cpu\n" in found["foreseen"]["diff"]["after"]
    assert found["foreseen"]["replaced"] == found["done"]["replaced"]
    assert found["done"]["choice"]["variant"] == "cpu"
    assert any("will have nothing to do" in each for each in found["done"]["warnings"])
    assert found["back"]["generation"] == found["back_foreseen"]["generation"]
    assert found["choice"]["ansible_facts"]["torchstrap"]["platform"] == "linux_x86_64"
    facts = found["local"]["ansible_facts"]["ansible_local"]["torchstrap"]
    assert (facts["schema"], facts["state"]) == ("torchstrap.facts/1", "none")
    assert left.stdout.split() == ["lab.generations", "2:lab"], "linked out of the group's store, by one of the group"
