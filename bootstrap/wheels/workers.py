"""How many threads may be busy at once: no more than there are processors, by affinity and by the control group.

In a container with a share of two processors, threads for all sixty-four of the machine use up each period's share in
its first moment, and then all of them stand still.
"""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from probes.host import Host

__all__ = ["thread_count"]

_MOST = 4


@cache
def thread_count(host: Host | None = None) -> int:
    """Threads for work that keeps a processor busy, at least 1. `host` is the machine, by default this one."""
    from probes.container import read_limits  # noqa: PLC0415 - a run that writes nothing need not know
    from probes.cpu import usable_cores  # noqa: PLC0415
    from probes.host import LocalHost  # noqa: PLC0415
    from probes.system import read_system  # noqa: PLC0415

    here = host or LocalHost()
    cores = usable_cores(here, None, read_limits(here, read_system(here)))
    return min(_MOST, cores if isinstance(cores, int) and cores > 0 else os.cpu_count() or 1)
