"""Names and addresses of variants."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiles import automatic_offers, index_of, is_variant, variant_of_index
from profiles.variants import cuda_major, order


@pytest.mark.parametrize(
    ("url", "variant"),
    [
        ("https://download.pytorch.org/whl/cu126", "cu126"),
        ("https://download.pytorch.org/whl/cu126/", "cu126"),
        ("https://download.pytorch.org/whl/nightly/cu132", "cu132"),
        ("https://download.pytorch.org/whl/test/xpu", "xpu"),
        ("https://download.pytorch.org/whl/rocm6.2.4", "rocm6.2.4"),
        ("https://download.pytorch.org/whl/cpu?x=1#top", "cpu"),
        ("https://mirror.example/pytorch-wheels/cu118", "cu118"),
        ("https://user:secret@lab.example/api/cpu/simple/", "cpu"),
        ("file:///srv/wheels/CU121", "cu121"),
        ("https://download.pytorch.org/whl", None),
        ("https://download.pytorch.org/whl/nightly", None),
        ("https://cpu", None),
        ("https://lab.example/cpu/other", None),
        ("https://[broken", None),
        ("", None),
    ],
)
def test_reads_the_variant_of_an_address(url: str, variant: str | None) -> None:
    assert variant_of_index(url) == variant


@pytest.mark.parametrize("base", ["https://download.pytorch.org/whl", "http://127.0.0.1:8080/whl/"])
def test_addresses_and_variants_are_each_others_inverse(base: str) -> None:
    for offer in automatic_offers(base):
        assert offer.index == index_of(offer.variant, base)
        assert variant_of_index(offer.index) == offer.variant == offer.name
        assert offer.kind == "variant"


def test_automatic_offers_come_in_order_the_best_last() -> None:
    names = [offer.name for offer in automatic_offers()]
    assert names[:2] == ["cpu", "xpu"]
    assert names[-1] == "cu132"
    assert names.index("rocm6.2") < names.index("rocm6.2.4") < names.index("rocm7.2") < names.index("cu116")
    assert names == sorted(names, key=order)


@pytest.mark.parametrize(
    ("variant", "major"), [("cu92", 9), ("cu118", 11), ("cu132", 13), ("cpu", None), ("rocm6.4", None)]
)
def test_reads_the_major_version_of_cuda(variant: str, major: int | None) -> None:
    assert cuda_major(variant) == major


@given(st.text())
def test_no_address_makes_the_reader_fail(url: str) -> None:
    variant = variant_of_index(url)
    assert variant is None or is_variant(variant)
