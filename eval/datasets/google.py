"""Real families with proxy labels: queries for a category, for a script, and for both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

from eval.datasets.building import Built, as_fonts, assemble
from eval.datasets.dataset import AboutDataset, Query
from indexer.catalog.family import Family

MIN_RELEVANT = 3  # relevant fonts of a query

CATEGORIES: Mapping[str, str] = {
    "sans-serif": "sans serif font",
    "serif": "serif font",
    "display": "display font for headlines",
    "handwriting": "handwritten font",
    "monospace": "monospaced font",
}
# Subsets that people have a name for. Nobody asks for the others (latin-ext, math).
SCRIPTS: Mapping[str, str] = {
    "arabic": "Arabic",
    "bengali": "Bengali",
    "chinese-simplified": "Simplified Chinese",
    "chinese-traditional": "Traditional Chinese",
    "cyrillic": "Cyrillic",
    "devanagari": "Devanagari",
    "greek": "Greek",
    "gujarati": "Gujarati",
    "gurmukhi": "Gurmukhi",
    "hebrew": "Hebrew",
    "japanese": "Japanese",
    "kannada": "Kannada",
    "khmer": "Khmer",
    "korean": "Korean",
    "malayalam": "Malayalam",
    "tamil": "Tamil",
    "telugu": "Telugu",
    "thai": "Thai",
    "vietnamese": "Vietnamese",
}

DESCRIPTION = """\
Real families of Google Fonts, an equal share of each category, with proxy labels: a family answers a query
when Google files it under the category, the script (a subset), or both, that the query names. Every pair
is judged, by that rule.

The labels measure how well a ranking goes along with Google's categories and subsets, not visual style:
Google's "display" holds letters of every shape. Both stand in the text that fonts are found by, so
the text leg can read the answers off; the sheet has to show them."""


def build_google(families: Sequence[Family], origin: str, *, collapsed: bool = False) -> Built:
    """The dataset of these families. origin: where their list is from."""
    queries, judgments = [], {}
    for query, category, script in _asked():
        queries.append(query)
        judgments[query.id] = {
            family.name: int(
                category in (None, family.category) and (script is None or script in family.tags)
            )
            for family in families
        }
    about = AboutDataset(
        name="google",
        version="1",
        description=DESCRIPTION,
        license="Apache-2.0",
        made_by=f"python -m eval build google --families {len(families)}, from {origin}",
    )
    return assemble(
        about, as_fonts(families), queries, judgments, least=MIN_RELEVANT, collapsed=collapsed
    )


def _asked() -> list[tuple[Query, str | None, str | None]]:
    """Every query that can be asked, with the category and the script that it names."""
    categories = [
        (Query(id=name, text=text, query_class="category"), name, None)
        for name, text in CATEGORIES.items()
    ]
    scripts = [
        (Query(id=name, text=f"font for {text}", query_class="script"), None, name)
        for name, text in SCRIPTS.items()
    ]
    both = [
        (
            Query(
                id=f"{category} {script}",
                text=f"{text} for {name}",
                query_class="category and script",
            ),
            category,
            script,
        )
        for (category, text), (script, name) in product(CATEGORIES.items(), SCRIPTS.items())
    ]
    return [*categories, *scripts, *both]
