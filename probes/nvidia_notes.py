"""What the two halves of an NVIDIA driver, or NVML and libcuda, see differently, as sentences for people."""

from __future__ import annotations

from probes.host import Host
from probes.machine import Container, Gpu, NvidiaDriver, Unknown
from probes.nvml_answer import CudaAnswer, DriverAnswer, NvmlAnswer
from probes.visible import VARIABLE

__all__ = ["disagreements"]


def disagreements(
    host: Host,
    container: Container | None,
    driver: NvidiaDriver | Unknown | None,
    gpus: tuple[Gpu, ...],
    answer: DriverAnswer,
) -> tuple[str, ...]:
    """Sentences on what the two halves of the driver, or NVML and libcuda, see differently."""
    cuda = answer.cuda
    notes: list[str] = []
    # Halves that answer agree, whatever other files lie about.
    answered = isinstance(answer.nvml, NvmlAnswer) and bool(answer.nvml.gpus)
    if not answered and isinstance(driver, NvidiaDriver) and isinstance(driver.user_space, str):
        notes.extend(_halves(driver, driver.user_space, container))
    if cuda is None and gpus:
        notes.append("programs find no libcuda (libcuda.so.1), without which CUDA cannot use a GPU")
    if not isinstance(cuda, CudaAnswer):
        return (*notes, *((cuda.reason,) if isinstance(cuda, Unknown) and cuda.reason.startswith("libcuda: ") else ()))
    if "compat" in cuda.library.source:
        notes.append(f"programs load the libcuda of cuda-compat ({cuda.library.source}), not that of the driver")
    if isinstance(cuda.library.devices, Unknown):
        notes.append(f"libcuda: {cuda.library.devices.reason}")
    elif cuda.library.devices == 0 and gpus and VARIABLE not in host.environ:
        notes.append(f"libcuda finds no device, though NVML lists {len(gpus)}")
    return tuple(notes)


def _halves(driver: NvidiaDriver, user_space: str, container: Container | None) -> tuple[str, ...]:
    if user_space == driver.version:
        return ()
    seen = f"the kernel runs NVIDIA driver {driver.version} ({driver.source}), the libraries are of {user_space}"
    if container is not None:
        return (
            f"{seen}: this {container.kind} container's image brings its own, and should leave them to its runtime",
        )
    return (f"{seen}: they were updated, and no program can use a GPU until the machine is restarted",)
