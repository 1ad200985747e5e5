"""Which build of torch can a machine run? Tables, and one pure function over them that explains itself."""

from __future__ import annotations

from profiles.choose import NoOfferError, Torch, accelerates, automatic_offers, choose, why_not
from profiles.family import family, is_family
from profiles.flavour import flavour_of
from profiles.offer import Choice, Offer, Rejection
from profiles.serving import fitting, smallest_set
from profiles.variants import BASE, index_of, is_variant, variant_of_index
from profiles.wanted import ALL, Wanted, counted, read_wanted
from profiles.words import platform_of

__all__ = [
    "ALL",
    "BASE",
    "Choice",
    "NoOfferError",
    "Offer",
    "Rejection",
    "Torch",
    "Wanted",
    "accelerates",
    "automatic_offers",
    "choose",
    "counted",
    "family",
    "fitting",
    "flavour_of",
    "index_of",
    "is_family",
    "is_variant",
    "platform_of",
    "read_wanted",
    "smallest_set",
    "variant_of_index",
    "why_not",
]
