"""PyTorch's indexes and a default index on 127.0.0.1, small and valid, for tests and for trying things by hand.

In a test:

    with Replica() as replica:
        torchstrap("--mirror", f"https://download.pytorch.org/whl={replica.pytorch}",
                   "--index-url", replica.default_index, …)
        assert not replica.fetched(r"nvidia")
"""

from __future__ import annotations

from tests.replica import faults
from tests.replica.server import Replica

__all__ = ["Replica", "faults"]
