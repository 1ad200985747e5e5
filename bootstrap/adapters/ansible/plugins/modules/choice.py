#!/usr/bin/python
# ruff: noqa: EXE001, E402 - Ansible makes the packages, starts modules its own way, wants words first
# SPDX-License-Identifier: Apache-2.0
"""An Ansible module: what a host is and which build it can run, by `torchstrap probe` and `torchstrap choose`."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: choice
short_description: What a host is, and which build of PyTorch it can run
version_added: 0.1.0
author:
  - The authors of torchstrap (@torchstrap)
description:
  - Says what C(torchstrap probe) found, and which offer of a project C(torchstrap choose) takes there, and why.
  - Changes nothing.
  - With O(machines) it judges recorded machines instead, and says the fewest offers that serve them all.
options:
  project:
    description: The folder with the C(pyproject.toml). Left out, only the machine is looked at.
    type: path
  machines:
    description: Files that hold the RV(machine) that another run of this module found, or folders of such.
    type: list
    elements: path
    default: []
  allowed:
    description: The only variants that the policy of those machines allows; for O(machines).
    type: list
    elements: str
    default: []
  variant:
    description: A variant that is wanted whatever the machine is.
    type: str
  gpus:
    description: Which GPUs must work, V(all), V(any) or their numbers.
    type: str
  python_version:
    description: The Python to choose for, such as V(3.12).
    type: str
extends_documentation_fragment:
  - torchstrap.lab.program
  - ansible.builtin.action_common_attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  platform:
    support: full
    platforms: posix
"""

EXAMPLES = r"""
- name: What is this machine
  torchstrap.lab.choice:
  register: seen

- name: What would a lab need
  torchstrap.lab.choice:
    project: /srv/course
    machines:
      - /srv/lab/machines
  delegate_to: localhost
  run_once: true
  register: survey
"""

RETURN = r"""
machine:
  description: The document of C(torchstrap probe --json).
  type: dict
  returned: without O(machines)
platform:
  description: The platform as in C(torchstrap lock --platform); null for a machine that does not know what it is.
  type: str
  returned: without O(machines)
  sample: linux_x86_64
choice:
  description: The offer that is taken, with the reason, and a reason for each that is not; null where none runs.
  type: dict
  returned: with O(project)
obstacle:
  description: Why there is no choice.
  type: str
  returned: with O(project)
machines:
  description: For each machine its choice, or the obstacle.
  type: list
  elements: dict
  returned: with O(machines)
offers:
  description: The fewest offers that serve all machines, each with the machines that take it.
  type: list
  elements: dict
  returned: with O(machines)
ansible_facts:
  description: The machine, the platform, the choice and the obstacle, for later tasks.
  type: dict
  returned: without O(machines)
  contains:
    torchstrap:
      description: All of them.
      type: dict
      returned: always
platforms:
  description: The platforms of all of them, as in C(torchstrap lock --platform).
  type: list
  elements: str
  returned: with O(machines)
rc:
  description: The exit code of torchstrap.
  type: int
  returned: when the program ran
"""

from collections.abc import Sequence
from typing import Any

from ansible.module_utils.basic import AnsibleModule  # type: ignore[import-not-found, unused-ignore]
from ansible_collections.torchstrap.lab.plugins.module_utils.program import (  # type: ignore[import-not-found, unused-ignore]
    ARGUMENTS,
    FAILED,
    Program,
    Trouble,
    machines_in,
    name_of,
    platform_of,
    survey_of,
    words,
)

MACHINE = "torchstrap.machine/1"
SURVEY = "torchstrap.choices/1"


def here(module: Any, program: Program) -> dict[str, Any]:
    """This machine, and its choice if there is a project."""
    machine = program.answer(["probe", "--json"], MACHINE)
    found: dict[str, Any] = {"machine": machine, "platform": platform_of(machine)}
    if module.params["project"]:
        found["choice"], found["obstacle"] = chosen(program, options(module))
    return {**found, "ansible_facts": {"torchstrap": dict(found)}}


def elsewhere(module: Any, program: Program) -> dict[str, Any]:
    """What machines that files describe should take."""
    files = module.params["machines"]
    code, output, errors = program.run(
        ["choose", "--json", *options(module), *words(machine=files, variants=module.params["allowed"])]
    )
    if code == 0:
        found = program.read(output, errors)
        if found.get("schema") == SURVEY:
            for each in found["machines"]:
                for warning in each["warnings"]:
                    module.warn(f"{each['machine']}: {warning}")
            return {"machines": found["machines"], "offers": found["offers"], "platforms": platforms(files)}
        return {**survey_of(name_of(files[0]), found, None), "platforms": platforms(files)}
    if code == FAILED:
        return {**survey_of(name_of(files[0]), None, str(program.failed(code, errors))), "platforms": []}
    raise program.failed(code, errors)


def platforms(files: Sequence[str]) -> list[str]:
    """Those of the machines, without those that do not know theirs."""
    found = {platform_of(each) for each in machines_in(files)}
    return sorted(each for each in found if each is not None)


def chosen(program: Program, arguments: list[str]) -> tuple[dict[str, Any] | None, str | None]:
    """The choice, or why there is none."""
    try:
        return program.answer(["choose", "--json", *arguments]), None
    except Trouble as trouble:
        if trouble.code != FAILED:
            raise
        return None, str(trouble)


def options(module: Any) -> list[str]:
    """The options of `choose`."""
    asked = module.params
    found: list[str] = words(
        project=asked["project"], variant=asked["variant"], gpus=asked["gpus"], python_version=asked["python_version"]
    )
    return found


def main() -> None:
    """What Ansible runs."""
    module = AnsibleModule(
        argument_spec={
            "project": {"type": "path"},
            "machines": {"type": "list", "elements": "path", "default": []},
            "allowed": {"type": "list", "elements": "str", "default": []},
            "variant": {"type": "str"},
            "gpus": {"type": "str"},
            "python_version": {"type": "str"},
            **ARGUMENTS,
        },
        supports_check_mode=True,
    )
    if module.params["machines"] and not module.params["project"]:
        module.fail_json(msg="machines are judged by what a project offers: say with `project` which one")
    look = elsewhere if module.params["machines"] else here
    try:
        found = look(module, Program(module))
    except Trouble as trouble:
        module.fail_json(msg=str(trouble), **trouble.details())
    module.exit_json(changed=False, rc=0, **found)


if __name__ == "__main__":
    main()
