"""Reading what probes/nvml.py printed, without trusting it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from probes.machine import Gpu, Unknown

__all__ = ["NvmlAnswer", "parse_answer"]


@dataclass(frozen=True, slots=True)
class NvmlAnswer:
    """NVML could be asked. `driver` is None and `cuda` Unknown where it did not say."""

    driver: str | None
    cuda: str | Unknown
    gpus: tuple[Gpu, ...]
    notes: tuple[str, ...] = ()


def parse_answer(text: str) -> NvmlAnswer | Unknown:
    """The answer in the JSON of probes/nvml.py, or why there is none."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return Unknown("NVML's answer is no JSON")
    if not isinstance(document, Mapping) or not isinstance(document.get("gpus", ()), (list, tuple)):
        return Unknown("NVML's answer is not of the agreed form")
    if "error" in document:
        return Unknown(str(document["error"]))
    driver = document.get("driver")
    cuda = _pair(document.get("cuda"))
    problems = document.get("problems")
    return NvmlAnswer(
        driver if isinstance(driver, str) and driver else None,
        f"{cuda[0]}.{cuda[1]}" if cuda else Unknown("NVML does not tell the CUDA version"),
        tuple(_gpu(each) for each in document.get("gpus", ()) if isinstance(each, Mapping)),
        tuple(f"NVML: {each}" for each in problems) if isinstance(problems, list) else (),
    )


def _gpu(answer: Mapping[str, Any]) -> Gpu:
    name, uuid, memory = answer.get("name"), answer.get("uuid"), answer.get("memory")
    return Gpu(
        "nvidia",
        name if isinstance(name, str) else Unknown("NVML does not tell it"),
        "NVML",
        uuid=uuid if isinstance(uuid, str) else None,
        memory=memory if isinstance(memory, int) else Unknown("NVML does not tell it"),
        compute_capability=_pair(answer.get("compute_capability")) or Unknown("NVML does not tell it"),
    )


def _pair(value: Any) -> tuple[int, int] | None:
    if isinstance(value, list) and len(value) == 2 and all(type(each) is int and each >= 0 for each in value):  # noqa: PLR2004
        return value[0], value[1]
    return None
