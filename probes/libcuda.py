"""The second half of the child's program: what CUDA's own library says, as another line of JSON on standard output.

Its text follows that of nvml.py, whose answer is out before libcuda gets to hang or crash. NVML sees every GPU of
the machine; libcuda sees what a program would: CUDA_VISIBLE_DEVICES and cuda-compat count, slices are devices.

    {"libcuda": {"absent": str}}  or
    {"libcuda": {"files": [str], "version": int | null, "error": str | null,
                 "devices": [{"name", "uuid": 32 hexadecimal digits, "compute_capability": [major, minor]}]}}
"""

import ctypes
import json
import re
import sys
from pathlib import Path
from typing import Any

_NO_DEVICE = 100  # CUDA_ERROR_NO_DEVICE: an answer, not a failure
_MAJOR, _MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR


def cuda_facts() -> dict[str, Any]:
    """Everything that libcuda says. https://docs.nvidia.com/cuda/cuda-driver-api/"""
    try:
        library = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError as problem:
        return {"absent": str(problem)}
    number = ctypes.c_int(0)
    version = number.value if _call(library, "cuDriverGetVersion", ctypes.byref(number)) == 0 else None
    code = _call(library, "cuInit", ctypes.c_uint(0))
    count = ctypes.c_int(0)
    if code == 0:
        code = _call(library, "cuDeviceGetCount", ctypes.byref(count))
    return {
        "files": _loaded(),
        "version": version,
        "error": None if code in (0, _NO_DEVICE) else _name(library, code),
        "devices": [_device(library, number) for number in range(count.value if code == 0 else 0)],
    }


def _call(library: Any, name: str, *arguments: Any) -> int:
    """The result of a function, -1 if the library lacks it."""
    function = getattr(library, name, None)
    return -1 if function is None else int(function(*arguments))


def _name(library: Any, code: int) -> str:
    text = ctypes.c_char_p()
    if code != -1 and _call(library, "cuGetErrorName", ctypes.c_int(code), ctypes.byref(text)) == 0 and text.value:
        return f"{text.value.decode(errors='replace')} ({code})"
    return "a function is missing" if code == -1 else f"error {code}"


def _device(library: Any, number: int) -> dict[str, Any]:
    device, uuid, name = ctypes.c_int(0), (ctypes.c_ubyte * 16)(), ctypes.create_string_buffer(256)
    _call(library, "cuDeviceGet", ctypes.byref(device), ctypes.c_int(number))
    # The first form gives a slice the UUID of the GPU that it is cut from.
    known = [_call(library, each, uuid, device) for each in ("cuDeviceGetUuid", "cuDeviceGetUuid_v2")]
    named = _call(library, "cuDeviceGetName", name, ctypes.c_int(len(name)), device)
    capability = []
    for attribute in (_MAJOR, _MINOR):
        value = ctypes.c_int(0)
        if _call(library, "cuDeviceGetAttribute", ctypes.byref(value), ctypes.c_int(attribute), device) == 0:
            capability.append(value.value)
    return {
        "name": name.value.decode(errors="replace") if named == 0 else None,
        "uuid": bytes(uuid).hex() if 0 in known else None,
        "compute_capability": capability if len(capability) == 2 else None,  # noqa: PLR2004 - a pair
    }


def _loaded() -> list[str]:
    """The driver libraries that this process has loaded, where Linux tells."""
    try:
        table = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return sorted(set(re.findall(r"/\S*/lib(?:cuda|nvidia-ml)\.so\S*", table)))


if __name__ == "__main__":
    sys.stdout.write(json.dumps({"libcuda": cuda_facts()}) + "\n")
    sys.stdout.flush()
