# ruff: noqa: INP001 - Ansible makes packages of a collection's folders itself
# SPDX-License-Identifier: Apache-2.0
"""What the documentation of all modules says of the program."""

from __future__ import annotations


class ModuleDocFragment:
    """The name that Ansible looks for."""

    DOCUMENTATION = r"""
options:
  program:
    description: The program, as a name on the PATH or as the path of C(torchstrap.pyz).
    type: str
    default: torchstrap
  interpreter:
    description: The Python to run O(program) with, where the C(python3) of the host is older than 3.10.
    type: path
  cache_dir:
    description: The store. Left out, it is the user's, or what the policy of the host says.
    type: path
"""
