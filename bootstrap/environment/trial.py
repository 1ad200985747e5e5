"""What an environment's own Python is made to try, told line by line. The text of this file is run by it (`-c`).

    MARK {"begin": "torch"}                      about to try: if nothing follows, this is what hangs or kills
    MARK {"done": "torch", "version": "2.9.0+cu128", …}
    MARK {"failed": "cuda:1", "name": "NVIDIA GeForce GTX 1080 Ti", "why": "RuntimeError: …"}

Packages print what they like; our lines begin with a mark that no text has. Each device has a thread of its own, so
that one that hangs does not keep the others from answering. It imports nothing of ours.

What is computed on a device is a product of small whole numbers, which is exact in every precision that a device may
use for it by default, and which the CPU computes as well.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["MARK", "main"]

MARK = "\x1etorchstrap "
SIDE = 16  # rows and columns of what is multiplied
_WRITING = threading.Lock()


def say(**what: object) -> None:
    """One line for who started us, whatever was printed before it."""
    with _WRITING:
        sys.stdout.write(f"\n{MARK}{json.dumps(what)}\n")
        sys.stdout.flush()


def attempt(step: str, work: Callable[[], dict[str, Any]], **known: object) -> bool:
    """Try one thing, and tell how it went."""
    say(begin=step, **known)
    try:
        found = work()
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is the answer
        said = str(error).strip().splitlines()
        say(failed=step, why=f"{type(error).__name__}: {said[0] if said else 'it gives no reason'}", **known)
        return False
    say(done=step, **known, **found)
    return True


def try_torch() -> dict[str, Any]:
    """Import it, and compute on the CPU."""
    torch = importlib.import_module("torch")
    build = getattr(torch, "version", None)
    found = {name: getattr(build, name, None) for name in ("cuda", "hip", "xpu")}
    if hasattr(torch, "ones"):
        found["computed"] = float(torch.ones(2) @ torch.ones(2))
    return {"version": str(torch.__version__), **found}


def try_torchvision() -> dict[str, Any]:
    """Its operators are a library of their own, which is only loaded by the torch that it was built for."""
    torch, torchvision = map(importlib.import_module, ("torch", "torchvision"))
    if hasattr(torch, "tensor"):
        operators = importlib.import_module("torchvision.ops")
        boxes = torch.tensor([[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 2.0, 2.0], [4.0, 4.0, 6.0, 6.0]])
        kept = operators.nms(boxes, torch.tensor([0.9, 0.8, 0.7]), 0.5).tolist()
        if kept != [0, 2]:
            raise ValueError(f"its nms keeps {kept} where [0, 2] is right")
    return {"version": _version(torchvision)}


def try_torchaudio() -> dict[str, Any]:
    """Import it."""
    return {"version": _version(importlib.import_module("torchaudio"))}


def _version(module: Any) -> str | None:
    said = getattr(module, "__version__", None)
    return None if said is None else str(said)


def devices(torch: Any) -> Iterator[tuple[str, str]]:
    """The accelerators that torch sees, with their names; AMD's are called cuda there too."""
    for kind in ("cuda", "xpu"):
        module = getattr(torch, kind, None)
        if module is not None and hasattr(module, "is_available") and module.is_available():
            for number in range(module.device_count()):
                yield f"{kind}:{number}", _name(module, number)
    mps = getattr(getattr(torch, "backends", None), "mps", None)
    if mps is not None and mps.is_available():
        yield "mps", ""


def _name(module: Any, number: int) -> str:
    try:
        return str(module.get_device_name(number))
    except Exception:  # noqa: BLE001 - the device is tried anyway, and says more then
        return ""


def try_device(device: str) -> dict[str, Any]:
    """The product of two matrices there has to be the one that the CPU finds."""
    torch = importlib.import_module("torch")
    first, second = (
        torch.tensor([[float((row * step + column) % 7) for column in range(SIDE)] for row in range(SIDE)])
        for step in (3, 5)
    )
    right = (first @ second).tolist()
    found = (first.to(device) @ second.to(device)).to("cpu").tolist()
    if found != right:
        different = sum(a != b for mine, true in zip(found, right) for a, b in zip(mine, true))  # noqa: B905 - equal
        raise ArithmeticError(f"{different} of {SIDE * SIDE} numbers of a product are wrong")
    return {}


def main(names: list[str], limit: float) -> None:
    """Try the packages named, and, with torch, every device that it sees, each for `limit` seconds at most."""
    say(done="python", version=sys.version.split()[0])
    tries = {"torch": try_torch, "torchvision": try_torchvision, "torchaudio": try_torchaudio}
    for name, work in tries.items():
        if name in names and not attempt(name, work) and name == "torch":
            return
    torch = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "tensor"):
        return
    say(begin="the list of devices")
    found = list(devices(torch))
    say(done="the list of devices", devices=[device for device, _ in found])
    threads = [
        threading.Thread(target=attempt, args=(device, lambda at=device: try_device(at)), kwargs={"name": name})
        for device, name in found
    ]
    for thread in threads:
        thread.daemon = True
        thread.start()
    for thread in threads:
        thread.join(limit)


if __name__ == "__main__":
    main(sys.argv[2:], float(sys.argv[1]))
    say(done="everything")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # a device that hangs would keep us
