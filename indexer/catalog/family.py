"""One family as a row of public.fonts."""

from collections.abc import Mapping
from dataclasses import dataclass

CATEGORIES = ("sans-serif", "serif", "display", "handwriting", "monospace")


@dataclass(frozen=True, kw_only=True)
class Family:
    name: str
    category: str | None
    tags: tuple[str, ...]  # the subsets it covers: "latin", "cyrillic", …
    source: str  # "Google Fonts", "Directory"
    license: str | None
    files: Mapping[str, str]  # weight ("400") to URL, as the product stores it
    description: str | None = None
