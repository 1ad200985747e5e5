#!/usr/bin/python
# ruff: noqa: EXE001, E402 - Ansible makes the packages, starts modules its own way, wants words first
# SPDX-License-Identifier: Apache-2.0
"""An Ansible module: the environment of a project or a bundle, by `torchstrap sync` and `torchstrap env`."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: environment
short_description: A Python environment with the build of PyTorch that this host can run
version_added: 0.1.0
author:
  - The authors of torchstrap (@torchstrap)
description:
  - Has C(torchstrap sync) look at the host, choose the offer that it can run, and build and verify the environment.
  - The environment is the old one or the new one at every instant, whatever is killed, full or unplugged.
  - Long builds belong under C(async) and C(poll), so that they survive a connection that breaks off.
options:
  state:
    description:
      - V(present) builds what is locked, if it is not there.
      - V(absent) removes the environment with all that it was before. What torchstrap did not make is refused.
      - V(rolled_back) goes back to O(generation), or to the environment used before, which is a change each time.
    type: str
    choices: [present, absent, rolled_back]
    default: present
  project:
    description: The folder on the host with the C(pyproject.toml) and its lock.
    type: path
  bundle:
    description:
      - What C(torchstrap bundle) made, as a file or folder on the host or its address; nobody else is asked.
      - From an address (any web server with ranges) only what this host needs is fetched, and what broke off is
        gone on with.
    type: str
  extras:
    description: Extras of the project. An extra that stands for a variant says which is taken.
    type: list
    elements: str
    default: []
  groups:
    description: Dependency groups of the project.
    type: list
    elements: str
    default: []
  variant:
    description: A variant such as V(cpu) or V(cu126). Left out, the machine decides.
    type: str
  gpus:
    description: Which GPUs must work, V(all), V(any) or their numbers.
    type: str
  require:
    description: With V(gpu) the task fails rather than end on a build for the CPU.
    type: str
    choices: [gpu]
  venv:
    description: The environment. Left out, it is C(.venv) in O(project).
    type: path
  python:
    description: The interpreter of the environment, a path or a version such as V(3.12).
    type: str
  frozen:
    description: Whether the lock of O(project) is taken as it is.
    type: bool
    default: false
  lock_sha256:
    description:
      - What the RV(lock_sha256) of a rehearsal in check mode was, so that nothing else is done than was looked at.
      - Where the lock of O(project) is another one by now, the task fails and changes nothing.
    type: str
  offline:
    description: Whether only what is on the host is used.
    type: bool
    default: false
  generation:
    description: One of C(torchstrap env list), or how only one begins; for O(state=rolled_back).
    type: str
extends_documentation_fragment:
  - torchstrap.lab.program
  - ansible.builtin.action_common_attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  platform:
    support: full
    platforms: posix
"""

EXAMPLES = r"""
- name: Whatever this machine can run, but a GPU must compute
  torchstrap.lab.environment:
    project: /srv/course
    frozen: true
    require: gpu

- name: From the one bundle of the lab, without internet
  torchstrap.lab.environment:
    bundle: https://controller.lab/lab.bundle
    venv: /opt/torchstrap/environments/course
    cache_dir: /opt/torchstrap/store

- name: Back to what it was yesterday
  torchstrap.lab.environment:
    venv: /opt/torchstrap/environments/course
    state: rolled_back
"""

RETURN = r"""
choice:
  description: The offer that was taken, with the variant, torch, the reason, and the reason against every other one.
  type: dict
  returned: O(state=present)
  sample: {offer: cu126, variant: cu126, torch: 2.9.0, reason: torch 2.9.0 with cu126 runs on NVIDIA H100}
environment:
  description: The path of the environment.
  type: str
  returned: success
python:
  description: The version of its Python.
  type: str
  returned: O(state=present)
packages:
  description: What is installed, each with name, version, index, file and sha256.
  type: list
  elements: dict
  returned: O(state=present)
added:
  description: Packages that were not there before.
  type: list
  elements: str
  returned: O(state=present)
removed:
  description: Packages that are not there any more.
  type: list
  elements: str
  returned: O(state=present)
replaced:
  description: Packages that are there in another version, or from another file.
  type: list
  elements: str
  returned: O(state=present)
extras:
  description: What a hand has installed and was kept.
  type: list
  elements: dict
  returned: O(state=present)
phases:
  description: Seconds by phase of the sync that built the environment.
  type: dict
  returned: O(state=present)
lock_sha256:
  description: The hash of the lock of O(project).
  type: str
  returned: O(state=present), with a O(project) that is locked
generation:
  description: The key of the generation that the environment is now.
  type: str
  returned: O(state=rolled_back)
rc:
  description: >-
    The exit code of torchstrap. 0 done, 1 not as asked, 65 a bad input file, 69 unreachable, 73 cannot write,
    75 try again, 77 no permission, 78 configuration.
  type: int
  returned: when the program ran
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule  # type: ignore[import-not-found, unused-ignore]
from ansible_collections.torchstrap.lab.plugins.module_utils.program import (  # type: ignore[import-not-found, unused-ignore]
    ARGUMENTS,
    BAD_INPUT,
    Program,
    Trouble,
    before_and_after,
    lock_of,
    words,
)

SYNC = "torchstrap.sync/1"
LIST = "torchstrap.env-list/1"
ROLLBACK = "torchstrap.env-rollback/1"


def present(module: Any, program: Program) -> dict[str, Any]:
    """The environment as it is locked, or in check mode what that would change."""
    asked = module.params
    lock_of(asked["project"], asked["lock_sha256"])
    arguments = words(
        project=asked["project"],
        bundle=asked["bundle"],
        extra=asked["extras"],
        group=asked["groups"],
        variant=asked["variant"],
        gpus=asked["gpus"],
        require=asked["require"],
        venv=asked["venv"],
        python=asked["python"],
        frozen=asked["frozen"],
        offline=asked["offline"],
        dry_run=module.check_mode,
    )
    outcome = program.answer(["sync", "--json", *arguments], SYNC)
    warn(module, outcome.pop("warnings", ()))
    outcome.pop("schema")
    return {**outcome, **lock_of(asked["project"]), "rc": 0, "diff": before_and_after(outcome)}


def absent(module: Any, program: Program) -> dict[str, Any]:
    """Nothing, where an environment was."""
    place = environment_of(module.params)
    try:
        several = generations(module, program)
    except Trouble as trouble:
        if trouble.code == BAD_INPUT and not os.path.lexists(place):
            return {"changed": False, "environment": place, "rc": 0}
        raise
    if not module.check_mode:
        code, _output, errors = program.run(["env", "remove", "--all", *where(module.params)])
        if code != 0:
            raise program.failed(code, errors)
    before = "".join(f"{each['key']} torch {each['torch']}\n" for each in several)
    return {"changed": True, "environment": place, "rc": 0, "diff": {"before": before, "after": ""}}


def rolled_back(module: Any, program: Program) -> dict[str, Any]:
    """The environment that was there before."""
    several = generations(module, program)
    current = next((each["key"] for each in several if each["current"]), "")
    wanted = module.params["generation"]
    named = [each["key"] for each in several if wanted and each["key"].startswith(wanted)]
    place, target = environment_of(module.params), current
    is_there = wanted == current or named == [current]
    if not is_there and not module.check_mode:
        done = program.answer(
            ["env", "rollback", "--json", *where(module.params), *([wanted] if wanted else [])], ROLLBACK
        )
        warn(module, done["warnings"])
        target = done["current"]
    elif not is_there:
        target = foreseen(named if wanted else [each["key"] for each in several if each["key"] != current], wanted)
    diff = {"before": f"{current}\n", "after": f"{target}\n"}
    return {"changed": target != current, "environment": place, "generation": target, "rc": 0, "diff": diff}


def foreseen(keys: Sequence[str], wanted: str | None) -> str:
    """The generation that `env rollback` would take, the one used last standing first. Raises Trouble for none."""
    if not keys:
        raise Trouble(
            f"there is no generation {wanted!r}" if wanted else "there is no environment to go back to", BAD_INPUT
        )
    if wanted and len(keys) > 1:
        raise Trouble(f"{wanted!r} is how several generations begin: {', '.join(keys)}", BAD_INPUT)
    return keys[0]


def generations(module: Any, program: Program) -> list[dict[str, Any]]:
    """What the environment is and was. Raises Trouble where there is none of torchstrap's."""
    listed = program.answer(["env", "list", "--json", *where(module.params)], LIST)
    return list(listed["generations"])


def where(asked: Mapping[str, Any]) -> list[str]:
    """The options that name the environment."""
    found: list[str] = words(project=asked["project"], venv=asked["venv"])
    return found


def environment_of(asked: Mapping[str, Any]) -> str:
    """Its path."""
    return str(asked["venv"] or Path(asked["project"], ".venv"))


def warn(module: Any, warnings: Sequence[str]) -> None:
    """Show them as Ansible shows its own."""
    for each in warnings:
        module.warn(each)


def main() -> None:
    """What Ansible runs."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent", "rolled_back"], "default": "present"},
            "project": {"type": "path"},
            "bundle": {"type": "str"},
            "extras": {"type": "list", "elements": "str", "default": []},
            "groups": {"type": "list", "elements": "str", "default": []},
            "variant": {"type": "str"},
            "gpus": {"type": "str"},
            "require": {"type": "str", "choices": ["gpu"]},
            "venv": {"type": "path"},
            "python": {"type": "str"},
            "frozen": {"type": "bool", "default": False},
            "offline": {"type": "bool", "default": False},
            "generation": {"type": "str"},
            "lock_sha256": {"type": "str"},
            **ARGUMENTS,
        },
        required_if=[("state", "present", ("project", "bundle"), True)],
        required_by={"lock_sha256": "project"},
        required_one_of=[("project", "venv")],
        supports_check_mode=True,
    )
    states = {"present": present, "absent": absent, "rolled_back": rolled_back}
    try:
        found = states[module.params["state"]](module, Program(module))
    except Trouble as trouble:
        module.fail_json(msg=str(trouble), **trouble.details())
    module.exit_json(**found)


if __name__ == "__main__":
    main()
