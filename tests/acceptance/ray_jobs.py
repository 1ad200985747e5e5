"""Jobs on a cluster of two nodes in this machine: run by test_ray.py with a Python that has Ray; says what came of it.

usage: python ray_jobs.py PROJECT BARE_PROJECT REPORT
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray  # type: ignore[import-not-found, unused-ignore]
from ray._private.runtime_env.context import RuntimeEnvContext  # type: ignore[import-not-found, unused-ignore]
from ray._private.runtime_env.plugin import (  # type: ignore[import-not-found, unused-ignore]
    RuntimeEnvPluginManager,
    create_for_plugin_if_needed,
)
from ray.cluster_utils import Cluster  # type: ignore[import-not-found, unused-ignore]
from ray.exceptions import RuntimeEnvSetupError  # type: ignore[import-not-found, unused-ignore]

from bootstrap.adapters.ray import NAME, torchstrap_env

OBJECT_STORE = 100 * 1024 * 1024  # bytes


def where() -> dict[str, str]:
    """Runs in a worker: who it is."""
    import torch  # type: ignore[import-not-found, unused-ignore] # noqa: PLC0415

    found = subprocess.run(
        ["python", "-c", "import sys; print(sys.prefix)"], capture_output=True, check=True, text=True
    )
    node = ray.get_runtime_context().get_node_id()
    return {"node": node, "prefix": sys.prefix, "torch": str(torch.__version__), "path": found.stdout.strip()}


def plain() -> str:
    """Runs in a worker whose environment is none of ours."""
    return f"{sys.prefix} {os.environ.get('PLAIN', '')}"


@contextmanager
def job(cluster: Cluster, runtime_env: Mapping[str, Any] | None = None) -> Iterator[None]:
    ray.init(address=cluster.address, runtime_env=runtime_env, log_to_driver=False, logging_level=logging.ERROR)
    try:
        yield
    finally:
        ray.shutdown()


def error_of(task: Any, runtime_env: Mapping[str, Any]) -> str:
    """What Ray tells whoever waits for a task whose environment cannot be made."""
    try:
        ray.get(task.options(runtime_env=runtime_env).remote(), timeout=60)
    except RuntimeEnvSetupError as error:
        return str(error)
    return ""


def twenty(task: Any) -> list[dict[str, str]]:
    spread = task.options(scheduling_strategy="SPREAD")
    found: list[dict[str, str]] = ray.get([spread.remote() for _ in range(20)], timeout=120)
    return found


def collected(environment: Mapping[str, Any]) -> dict[str, Any]:
    """An environment made and given up by the classes that a node has for it, where there is room for none."""
    os.environ["RAY_RUNTIME_ENV_TORCHSTRAP_CACHE_SIZE_GB"] = "0"
    mine = RuntimeEnvPluginManager().plugins[NAME]
    context, runtime_env = RuntimeEnvContext(), dict(environment)
    hooks = (runtime_env, mine.class_instance, mine.uri_cache, context, logging.getLogger())
    asyncio.run(create_for_plugin_if_needed(*hooks))
    python = Path(context.py_executable)
    there = python.exists()
    size = mine.uri_cache.get_total_size_bytes()
    mine.uri_cache.mark_unused(mine.class_instance.get_uris(runtime_env)[0])
    left = mine.uri_cache.get_total_size_bytes()
    return {"there": there, "size": size, "left": left, "gone": not python.parent.parent.parent.exists()}


def main(project: Path, bare: Path, report: Path) -> None:
    said: dict[str, Any] = {"seconds": {}}

    def timed(name: str, work: Callable[[], object]) -> None:
        start = time.monotonic()
        said[name] = work()
        said["seconds"][name] = round(time.monotonic() - start, 1)

    environment = torchstrap_env(project)
    cluster = Cluster()
    for _ in range(2):
        cluster.add_node(num_cpus=2, object_store_memory=OBJECT_STORE, include_dashboard=False)
    cluster.wait_for_nodes()
    try:
        task = ray.remote(num_cpus=1)(where)
        with job(cluster, environment):
            timed("cold", lambda: twenty(task))
        with job(cluster):
            other = ray.remote(num_cpus=1)(plain).options(runtime_env={"env_vars": {"PLAIN": "yes"}})
            timed("plain", lambda: ray.get(other.remote(), timeout=60))
            timed("no gpu", lambda: error_of(task, torchstrap_env(project, require="gpu")))
            timed("nonsense", lambda: error_of(task, {NAME: 5}))
            timed("without ray", lambda: error_of(task, torchstrap_env(bare)))
            timed("again", lambda: ray.get(task.options(runtime_env=environment).remote(), timeout=60))
    finally:
        cluster.shutdown()
    timed("collected", lambda: collected(environment))
    report.write_text(json.dumps(said, indent=1))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
