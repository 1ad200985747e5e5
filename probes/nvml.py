"""A program of its own: what NVML knows of the NVIDIA driver and its GPUs, as one line of JSON on standard output.

It runs in a child with a time limit, because a sick driver makes NVML hang or crash. Arguments are the folders (or
archives) to import pynvml from. Nothing of ours is imported here, so the text of this file is all that the child needs.

    {"error": str}  or
    {"driver": str | null, "cuda": [major, minor] | null, "problems": [str],
     "gpus": [{"name", "uuid", "memory", "compute_capability": [major, minor],
               "mig": bool | null, "slices": [{"name", "uuid", "memory"}]}]}      each null where NVML did not say
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

__all__ = ["facts"]


def facts() -> dict[str, Any]:
    """Everything that NVML says. Each question that fails becomes null and a line in `problems`."""
    try:
        import pynvml as nvml  # noqa: PLC0415 - loads only here, in the child
    except ImportError as problem:
        return {"error": f"pynvml cannot be imported ({problem})"}
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as problem:
        updated = "mismatch" in str(problem)
        return {"error": f"{problem}{' (the driver was updated: restart the machine)' if updated else ''}"}
    try:
        return _answers(nvml)
    finally:
        nvml.nvmlShutdown()


def _answers(nvml: Any) -> dict[str, Any]:
    problems: list[str] = []

    def attempt(question: Callable[..., Any], *arguments: Any) -> tuple[Any, str]:
        try:
            answer = question(*arguments)
        except (nvml.NVMLError, OSError, ValueError) as problem:
            return None, f"{question.__name__}: {problem}"
        return answer.decode(errors="replace") if isinstance(answer, bytes) else answer, ""

    def ask(question: Callable[..., Any], *arguments: Any) -> Any:
        answer, problem = attempt(question, *arguments)
        if problem:
            problems.append(problem)
        return answer

    def described(handle: Any) -> dict[str, Any]:
        memory = ask(nvml.nvmlDeviceGetMemoryInfo, handle)
        return {
            "name": ask(nvml.nvmlDeviceGetName, handle),
            "uuid": ask(nvml.nvmlDeviceGetUUID, handle),
            "memory": None if memory is None else int(memory.total),
        }

    def slices(handle: Any) -> list[dict[str, Any]]:
        most = attempt(nvml.nvmlDeviceGetMaxMigDeviceCount, handle)[0] or 0
        parts = (attempt(nvml.nvmlDeviceGetMigDeviceHandleByIndex, handle, number)[0] for number in range(most))
        return [described(part) for part in parts if part is not None]  # places for slices may be empty

    gpus = []
    for number in range(ask(nvml.nvmlDeviceGetCount) or 0):
        handle = ask(nvml.nvmlDeviceGetHandleByIndex, number)
        if handle is None:  # fallen off the bus, or not ours
            continue
        mode = attempt(nvml.nvmlDeviceGetMigMode, handle)[0]  # GPUs that cannot be cut say "not supported"
        gpus.append(
            {
                **described(handle),
                "compute_capability": ask(nvml.nvmlDeviceGetCudaComputeCapability, handle),
                "mig": None if mode is None else mode[0] == 1,
                "slices": slices(handle) if mode is not None and mode[0] == 1 else [],
            }
        )
    version = ask(nvml.nvmlSystemGetCudaDriverVersion_v2)  # 1000 * major + 10 * minor
    return {
        "driver": ask(nvml.nvmlSystemGetDriverVersion),
        "cuda": None if version is None else [version // 1000, version % 1000 // 10],
        "gpus": gpus,
        "problems": problems,
    }


if __name__ == "__main__":
    sys.path[:0] = sys.argv[1:]
    sys.stdout.write(json.dumps(facts()) + "\n")
    sys.stdout.flush()
