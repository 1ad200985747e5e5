"""Which build of torch can a machine run? Tables, and one pure function over them that explains itself."""

from __future__ import annotations

from profiles.choose import NoOfferError, Torch, accelerates, automatic_offers, choose, why_not
from profiles.family import family, is_family
from profiles.offer import Choice, Offer, Rejection
from profiles.variants import BASE, index_of, is_variant, variant_of_index
from profiles.words import platform_of

__all__ = [
    "BASE",
    "Choice",
    "NoOfferError",
    "Offer",
    "Rejection",
    "Torch",
    "accelerates",
    "automatic_offers",
    "choose",
    "family",
    "index_of",
    "is_family",
    "is_variant",
    "platform_of",
    "variant_of_index",
    "why_not",
]
