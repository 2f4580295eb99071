"""One family as a row of public.fonts."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from indexer.catalog.facts import Facts

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
    facts: Facts | None = None  # None: left to the next run of the job

    @property
    def regular_file(self) -> str:
        """The address of the file that is indexed, by the rule of job/pending.py's INPUTS.

        Upright before italic, then the weight nearest to 400; keys are "400", "700italic", "regular".
        """
        return self.files[min(self.files, key=_rank)]


def _rank(key: str) -> tuple[bool, int, str]:
    weight = re.search("[0-9]{1,4}", key)
    return "italic" in key.lower(), abs(int(weight[0]) - 400) if weight else 0, key
