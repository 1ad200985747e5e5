"""Reading what the child printed, without trusting it: NVML's line, then libcuda's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from probes.documents import parse_document
from probes.host import Interrupted
from probes.machine import CudaLibrary, Gpu, MigSlice, Unknown

__all__ = ["CudaAnswer", "DriverAnswer", "NvmlAnswer", "parse_answer", "parse_cuda", "parse_output"]


class NvmlAnswer(NamedTuple):
    """NVML could be asked. `driver` is None and `cuda` Unknown where it did not say."""

    driver: str | None
    cuda: str | Unknown
    gpus: tuple[Gpu, ...]
    notes: tuple[str, ...] = ()


class CudaAnswer(NamedTuple):
    """libcuda could be asked. `gpus` are what a program would see, `uuid` being the bare hexadecimal digits."""

    library: CudaLibrary
    gpus: tuple[Gpu, ...] = ()
    files: tuple[str, ...] = ()


class DriverAnswer(NamedTuple):
    """Both libraries. `cuda` is None where programs find no libcuda."""

    nvml: NvmlAnswer | Unknown
    cuda: CudaAnswer | Unknown | None


def parse_output(output: str | Unknown) -> DriverAnswer:
    """Both answers in what the child printed, even if it hung or crashed after the first."""
    if isinstance(output, Unknown) and not (isinstance(output, Interrupted) and "\n" in output.output):
        reason = Unknown(output.reason)
        return DriverAnswer(reason, reason)
    text = output if isinstance(output, str) else output.output
    first, _, rest = text.partition("\n")
    if isinstance(output, Unknown):
        return DriverAnswer(parse_answer(first), Unknown(f"libcuda: {output.reason}"))
    return DriverAnswer(parse_answer(first), parse_cuda(rest))


def parse_answer(text: str) -> NvmlAnswer | Unknown:
    """The answer in the JSON of probes/nvml.py, or why there is none."""
    document = parse_document(text)
    if document is None:
        return Unknown("NVML's answer is no JSON")
    if not isinstance(document, Mapping) or not isinstance(document.get("gpus", ()), (list, tuple)):
        return Unknown("NVML's answer is not of the agreed form")
    if "error" in document:
        return Unknown(_text(document["error"]) or "NVML's answer is an error without words")
    driver = document.get("driver")
    cuda = _pair(document.get("cuda"))
    problems = document.get("problems")
    return NvmlAnswer(
        driver if isinstance(driver, str) and driver else None,
        f"{cuda[0]}.{cuda[1]}" if cuda else Unknown("NVML does not tell the CUDA version"),
        tuple(_gpu(each, "NVML") for each in document.get("gpus", ()) if isinstance(each, Mapping)),
        tuple(f"NVML: {each}" for each in problems if isinstance(each, str)) if isinstance(problems, list) else (),
    )


def parse_cuda(text: str) -> CudaAnswer | Unknown | None:
    """The answer in the JSON of probes/libcuda.py, why there is none, or None where there is no libcuda."""
    document = parse_document(text)
    answer = document.get("libcuda") if isinstance(document, Mapping) else None
    if not isinstance(answer, Mapping):
        return Unknown("libcuda was not asked")
    if "absent" in answer:
        return None
    version, error, devices, files = (answer.get(key) for key in ("version", "error", "devices", "files"))
    listed = [each for each in devices if isinstance(each, Mapping)] if isinstance(devices, list) else []
    loaded = tuple(each for each in files if isinstance(each, str)) if isinstance(files, list) else ()
    library = CudaLibrary(
        next((file for file in loaded if "libcuda" in file), "libcuda"),
        _cuda_version(version) or Unknown("cuDriverGetVersion does not tell it"),
        len(listed) if error is None else Unknown(f"CUDA cannot start: {_text(error) or 'it does not tell why'}"),
    )
    return CudaAnswer(library, tuple(_gpu(each, "libcuda") for each in listed), loaded)


def _cuda_version(number: Any) -> str | None:
    """`13.0` from 13000."""
    return f"{number // 1000}.{number % 1000 // 10}" if isinstance(number, int) and number > 1 else None


def _gpu(answer: Mapping[str, Any], source: str) -> Gpu:
    uuid, memory, mig, slices = (answer.get(key) for key in ("uuid", "memory", "mig", "slices"))
    unknown = Unknown(f"{source} does not tell it")
    return Gpu(
        "nvidia",
        _text(answer.get("name")) or unknown,
        source,
        uuid=_text(uuid),
        memory=memory if type(memory) is int and memory >= 0 else unknown,
        compute_capability=_pair(answer.get("compute_capability")) or unknown,
        mig=mig if isinstance(mig, bool) else None,
        slices=tuple(_slice(each) for each in slices if isinstance(each, Mapping)) if isinstance(slices, list) else (),
    )


def _slice(answer: Mapping[str, Any]) -> MigSlice:
    name, memory = _text(answer.get("name")), answer.get("memory")
    unknown = Unknown("NVML does not tell it")
    profile = re.search(r"\bMIG (\S+)$", name or "")  # NVIDIA A100-SXM4-40GB MIG 1g.5gb
    return MigSlice(
        profile[1] if profile else (name or unknown),
        _text(answer.get("uuid")),
        memory if type(memory) is int and memory >= 0 else unknown,
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _pair(value: Any) -> tuple[int, int] | None:
    if isinstance(value, list) and len(value) == 2 and all(type(each) is int and each >= 0 for each in value):  # noqa: PLR2004
        return value[0], value[1]
    return None
