"""The files that say what is wanted of a project, as they look at one moment: what a stamp watches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from bootstrap import stamp
from bootstrap.commands.builds.workshop import DESCRIPTIONS
from bootstrap.commands.session import Session
from bootstrap.project.policy import watched as policies
from bootstrap.project.workspace import deciding_places
from profiles.site import watched as site_tables

__all__ = ["observed"]


def observed(session: Session) -> Mapping[str, str]:
    """What the files that say what is wanted look like: if one changes while we work, the work is out of date."""
    files = session.project.files
    places = deciding_places(files[0].parent) if files and files[0].name == "pyproject.toml" else ()
    watched = (*files, *places, *session.configuration.places, *site_tables(), *policies(), *_descriptions(session))
    return {str(path): stamp.observe(f"file {path}") for path in watched}


def _descriptions(session: Session) -> Iterator[Path]:
    """The files by which the project and local sources describe themselves, whether they are there or not."""
    sources = (source.path for several in session.project.sources.values() for source in several)
    members = (each.root for each in session.project.members)
    for folder in (session.project.root, *members, *(path for path in sources if path is not None)):
        yield from (folder / name for name in DESCRIPTIONS) if folder.is_dir() else (folder,)
