"""Fixtures for all tests."""

from __future__ import annotations

from tests.one_file import pyz

__all__ = ["pyz"]
