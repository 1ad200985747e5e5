"""Source distributions for tests: archives of given files, built by setuptools unless they say otherwise."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Mapping

__all__ = ["BUILD", "archive", "build_table", "plain"]

BUILD = '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'


def build_table(*requires: str) -> str:
    """A [build-system] with setuptools that requires more."""
    return BUILD.replace('["setuptools"]', str(["setuptools", *requires]))


def archive(name: str, files: Mapping[str, str], version: str = "1", metadata: str = "2.1", more: str = "") -> bytes:
    """NAME-VERSION.tar.gz; its PKG-INFO states no requirements unless `more` does."""
    described = f"Metadata-Version: {metadata}\nName: {name}\nVersion: {version}\n{more}"
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as made:
        for path, text in {**files, "PKG-INFO": described}.items():
            member = tarfile.TarInfo(f"{name}-{version}/{path}")
            member.size = len(text.encode())
            made.addfile(member, io.BytesIO(text.encode()))
    return gzip.compress(buffer.getvalue(), mtime=0)


def plain(name: str, version: str = "1", table: str = BUILD, *, code: str = "") -> bytes:
    """One with a module that says its version; `code` runs in its setup.py first."""
    text = f"{code}\nfrom setuptools import setup\nsetup(name={name!r}, version={version!r}, py_modules=[{name!r}])\n"
    files = {"pyproject.toml": table, "setup.py": text, f"{name}.py": f"VERSION = {version!r}\n"}
    return archive(name, files, version)
