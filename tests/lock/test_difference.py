from __future__ import annotations

from pathlib import Path

import pytest

from bootstrap.lock.difference import difference
from bootstrap.resolver.resolution import Direct, Pin
from tests.lock.workshop import DEFAULT, PYTORCH, file, pin

NAMES = {DEFAULT + "/": "default index"}


def test_says_what_came_and_what_went() -> None:
    old, new = [pin("alpha"), pin("beta", "2.0")], [pin("beta", "2.0"), pin("zeta", "3.1")]
    assert difference(old, new, NAMES) == (("zeta 3.1",), ("alpha 1.0",), ())


@pytest.mark.parametrize(
    ("old", "new", "phrase"),
    [
        pytest.param(pin("a", "1.0"), pin("a", "1.1"), "a 1.0 → 1.1", id="version"),
        pytest.param(
            pin("torch", "2.8.0+cpu", index=PYTORCH + "cpu"),
            pin("torch", "2.8.0"),
            "torch 2.8.0+cpu (pytorch cpu) → 2.8.0 (default index)",
            id="version and index",
        ),
        pytest.param(
            pin("torch", "2.8.0", index=PYTORCH + "cpu"),
            pin("torch", "2.8.0", index=PYTORCH + "nightly/cu126/"),
            "torch 2.8.0 (pytorch cpu) → 2.8.0 (pytorch nightly cu126)",
            id="index alone",
        ),
        pytest.param(
            pin("a", files=(file("a", "1.0", hashes={"sha256": "00"}),)),
            pin("a", files=(file("a", "1.0", hashes={"sha256": "11"}),)),
            "a 1.0: same version, other files",
            id="hash",
        ),
        pytest.param(
            pin("a", files=(file("a", "1.0", "cp311-none-any"),)),
            pin("a", files=(file("a", "1.0", "cp312-none-any"),)),
            "a 1.0: same version, other files",
            id="no file in common",
        ),
        pytest.param(
            pin("a"),
            pin("a", direct=Direct("", path=Path("/src/a"), editable=True)),
            f"a 1.0 (default index) → 1.0 ({Path('/src/a')}, editable)",
            id="folder",
        ),
        pytest.param(
            pin("a", direct=Direct("https://u:p@h.example/a.git", commit="a" * 40)),
            pin("a", direct=Direct("https://h.example/a.git", commit="b" * 40)),
            f"a 1.0 (https://h.example/a.git at {'a' * 12}) → 1.0 (https://h.example/a.git at {'b' * 12})",
            id="commit",
        ),
        pytest.param(
            pin("a", index="https://mirror.example/one"),
            pin("a", index="https://mirror.example/two"),
            "a 1.0 (https://mirror.example/one) → 1.0 (https://mirror.example/two)",
            id="two indexes of one name",
        ),
    ],
)
def test_says_what_changed(old: Pin, new: Pin, phrase: str) -> None:
    assert difference([old], [new], NAMES) == ((), (), (phrase,))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(pin("a"), pin("a"), id="equal"),
        pytest.param(
            pin("a", files=(file("a", "1.0"),)),
            pin("a", files=(file("a", "1.0", "cp312-none-any"), file("a", "1.0"))),
            id="one more file",
        ),
        pytest.param(pin("a", index=DEFAULT), pin("a", index=DEFAULT + "/", files=(file("a", "1.0"),)), id="slash"),
        pytest.param(pin("a"), pin("a", wanted_by=["extra:dev"]), id="who wants it"),
    ],
)
def test_says_nothing_of_what_stayed(old: Pin, new: Pin) -> None:
    assert difference([old], [new], NAMES) == ((), (), ())
