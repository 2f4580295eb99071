"""A page that shows what search finds: each query with the glyph sheets of its hits."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from jinja2 import Environment, PackageLoader, StrictUndefined

from indexer.search import Hit

QUERIES = (
    "elegant high-contrast serif",
    "geometric sans with a large x-height",
    "condensed bold headline",
    "typewriter",
    "connected handwriting for a wedding invitation",
    "slab serif",
    "small capitals",
    "very light and thin",
    "wide rounded letters, friendly",
    "old-style book serif with small x-height",
    "calligraphy with flourished capitals",
    "monospaced font for code",
)


@dataclass(frozen=True, kw_only=True)
class Answer:
    query: str
    hits: Sequence[Hit]
    notes: Sequence[str]  # what was left out, and why


def page(answers: Sequence[Answer], sheets: Mapping[UUID, bytes], facts: Mapping[str, str]) -> str:
    """One self-contained HTML document. Each sheet (PNG) stands in it once, whoever shows it."""
    environment = Environment(
        loader=PackageLoader("indexer"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    encoded = {font: base64.b64encode(png).decode() for font, png in sheets.items()}
    return environment.get_template("demo.html.j2").render(
        answers=answers, sheets=encoded, facts=facts
    )
