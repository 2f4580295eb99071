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

    @property
    def regular_file(self) -> str:
        """The address of the weight nearest to 400: the file that is indexed (see store.INPUTS)."""
        return self.files[min(self.files, key=lambda weight: (abs(int(weight) - 400), int(weight)))]
