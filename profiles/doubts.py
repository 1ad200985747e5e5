"""What the tables rest on: every row that has a single source, or says itself that something in it is assumed."""

from __future__ import annotations

from profiles.loading import Row, parse
from profiles.tables import sheet

__all__ = ["FILES", "doubts"]

FILES = (
    "releases.toml",
    "cuda.toml",
    "rocm.toml",
    "companions.toml",
    "family.toml",
    "gpus.toml",
    "toolkits.toml",
    "splits.toml",
)


def doubts() -> tuple[str, ...]:
    """One sentence for each such row of our own files: where it is, what it is about, and what is weak in it."""
    return tuple(
        f"{name}, line {row.line}: {_about(row)}: {weakness}"
        for name in FILES
        for text in (sheet(name),)
        for kind, blocks in parse(text).items()
        for row in (Row(kind, text, place, block) for place, block in enumerate(blocks))
        if (weakness := _weakness(row))
    )


def _about(row: Row) -> str:
    """The kind, and what the first keys say, which name the row."""
    named = [key for key in row.values if key not in {"source", "assumed"}][:3]
    return f"{row.kind} " + ", ".join(f"{key} {_words(row[key])}" for key in named)


def _words(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _weakness(row: Row) -> str | None:
    sources = [part for part in str(row.get("source") or "").split(";") if part.strip()]
    said = [f"rests on {sources[0].strip()} alone" if sources else "has no source"] if len(sources) < 2 else []  # noqa: PLR2004 - one is single
    assumed = row.get("assumed")
    return "; ".join((*said, *([f"assumed: {assumed}"] if assumed else ()))) or None
