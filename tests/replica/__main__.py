"""Serve the replica until interrupted: python -m tests.replica"""

from __future__ import annotations

import contextlib
import threading

from tests.replica.server import Replica


def main() -> None:
    with Replica() as replica, contextlib.suppress(KeyboardInterrupt):
        print("default index ", replica.default_index)
        print("PyTorch       ", replica.pytorch)
        print("files         ", replica.files_url)
        print()
        print(f"export TORCHSTRAP_INDEX_URL={replica.default_index}")
        print(f"export TORCHSTRAP_MIRRORS=https://download.pytorch.org/whl={replica.pytorch}", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
