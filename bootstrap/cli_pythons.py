"""Parse, call, render, for `python list` and `python install`."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bootstrap.commands.activity import Activity
from bootstrap.commands.asked import Asked
from bootstrap.console import Console

if TYPE_CHECKING:
    from bootstrap.commands.pythons.wanted import Shop

__all__ = ["COMMANDS"]


def _list(parsed: argparse.Namespace, asked: Asked, _: Sequence[str], console: Console) -> int:
    from bootstrap.commands.pythons.listing import listed  # noqa: PLC0415 - each command loads what it needs, no more

    with _shop(asked, Activity()) as shop:
        found = listed(shop.table.of(shop.platform), shop.platform, shop.settings.cache_dir, os.environ)
    if parsed.json:
        console.json(found.to_json())
    else:
        console.result("\n".join(found.lines()))
    return 0


def _install(parsed: argparse.Namespace, asked: Asked, _: Sequence[str], console: Console) -> int:
    from bootstrap.commands.pythons.listing import installed_json  # noqa: PLC0415

    with console.activity() as activity, _shop(asked, activity) as shop:
        builds = [shop.named(word) for word in parsed.versions]
        done = [shop.buy(build) for build in builds]
    if parsed.json:
        console.json(installed_json(done))
    for each in done:
        console.say(f"{each.path}: Python {each.build.version} is {'installed' if each.is_new else 'there already'}")
    return 0


@contextmanager
def _shop(asked: Asked, activity: Activity) -> Iterator[Shop]:
    from bootstrap.commands.pythons.wanted import Shop  # noqa: PLC0415
    from bootstrap.commands.session import network_of, settings_of  # noqa: PLC0415
    from bootstrap.index.client import Client  # noqa: PLC0415
    from bootstrap.project.policy import read_policy  # noqa: PLC0415

    settings = settings_of(asked)
    client = Client(network_of(settings, offline=settings.offline))
    try:
        yield Shop.of(settings, read_policy(), client, activity)
    finally:
        client.close()


COMMANDS: Mapping[str, Callable[[argparse.Namespace, Asked, Sequence[str], Console], int]] = {
    "python list": _list,
    "python install": _install,
}
