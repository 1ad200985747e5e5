"""The pages: what pip and uv will find, read as they read it."""

from __future__ import annotations

import posixpath
from urllib.parse import unquote

import pytest

from bootstrap.bundle.pages import Listed, pages
from bootstrap.index.simple import read_page

BOTH = frozenset({"cpu", "cu130"})
WHEELS = (
    Listed("numpy", "wheels/numpy-2-cp312-cp312-linux_x86_64.whl", "1" * 64, BOTH, metadata="a" * 64),
    Listed("torch", "wheels/torch-2+cpu-cp312-cp312-linux_x86_64.whl", "2" * 64, frozenset({"cpu"}), is_family=True),
    Listed(
        "torch", "wheels/torch-2+cu130-cp312-cp312-linux_x86_64.whl", "3" * 64, frozenset({"cu130"}), is_family=True
    ),
    Listed(
        "nvidia-x", "wheels/nvidia_x-1-py3-none-any.whl", "4" * 64, frozenset({"cu130"}), requires_python=">=3.9,<4"
    ),
    Listed("ext", "wheels/55/ext-1-cp312-cp312-linux_x86_64.whl", "5" * 64, frozenset({"cpu"})),
    Listed("ext", "wheels/66/ext-1-cp312-cp312-linux_x86_64.whl", "6" * 64, frozenset({"cu130"})),
)


def listed(found: dict[str, str], root: str) -> set[str]:
    start, end = f"{root}/", "/index.html"
    return {
        path[len(start) : -len(end)]
        for path in found
        if path.startswith(start) and path.count("/") > root.count("/") + 1
    }


def links(found: dict[str, str], page: str) -> dict[str, str]:
    """The paths in the bundle that a page's links mean, with their hashes."""
    read = read_page(found[page].encode(), "text/html", f"https://lab.example/{page}", "https://lab.example")
    files = [read.make(*entry) for entry in read.entries]
    return {unquote(each.url.removeprefix("https://lab.example/")): each.hashes["sha256"] for each in files}


def test_each_offer_has_an_index_with_its_own_torch() -> None:
    found = dict(pages(WHEELS, ("cpu", "cu130")))
    assert listed(found, "variants/cpu/simple") == {"numpy", "torch", "ext"}
    assert listed(found, "variants/cu130/simple") == {"numpy", "torch", "ext", "nvidia-x"}
    for offer, path, digest in (("cpu", WHEELS[1].path, "2" * 64), ("cu130", WHEELS[2].path, "3" * 64)):
        assert links(found, f"variants/{offer}/simple/torch/index.html") == {path: digest}


def test_the_common_index_has_only_what_is_the_same_for_all() -> None:
    found = dict(pages(WHEELS, ("cpu", "cu130")))
    assert listed(found, "simple") == {"numpy", "nvidia-x"}
    assert links(found, "simple/numpy/index.html") == {WHEELS[0].path: "1" * 64}


@pytest.mark.parametrize("offers", [(), ("cpu",)], ids=["no offers", "one offer"])
def test_with_one_offer_the_common_index_has_everything(offers: tuple[str, ...]) -> None:
    found = dict(pages([each for each in WHEELS if "cpu" in each.offers], offers))
    assert listed(found, "simple") == {"numpy", "torch", "ext"}


def test_every_root_links_to_its_projects() -> None:
    found = dict(pages(WHEELS, ("cpu", "cu130")))
    for root in ("simple", "variants/cpu/simple", "variants/cu130/simple"):
        for name in listed(found, root):
            assert f'<a href="{name}/">{name}</a>' in found[f"{root}/index.html"]


def test_links_say_what_python_is_needed_and_where_the_metadata_is() -> None:
    found = dict(pages(WHEELS, ("cpu", "cu130")))
    page = "simple/nvidia-x/index.html"
    assert 'data-requires-python="&gt;=3.9,&lt;4"' in found[page]
    assert "metadata" not in found[page]
    assert f'data-core-metadata="sha256={"a" * 64}"' in found["simple/numpy/index.html"]


def test_all_links_are_relative() -> None:
    for path, text in pages(WHEELS, ("cpu", "cu130")).items():
        for part in text.split('href="')[1:]:
            link = part.partition('"')[0]
            assert not link.startswith(("/", "http")), path
            assert not posixpath.normpath(posixpath.join(posixpath.dirname(path), link)).startswith("..")
