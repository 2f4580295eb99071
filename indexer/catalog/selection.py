"""Which families of Fontsource's list are taken: the same choice every time, with their licenses."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import chain, zip_longest

from indexer.catalog.family import CATEGORIES, Family
from indexer.catalog.fontsource import CatalogEntry, Source, read_listing
from indexer.catalog.licenses import spdx
from indexer.errors import FontError, UserError
from indexer.fetch.files import FontFiles


def chosen_families(
    files: FontFiles,
    *,
    limit: int | None,
    ids: Sequence[str] = (),
    categories: Sequence[str] = (),
    source: Source = "auto",
    say: Callable[[str], None],
) -> list[Family]:
    """Families with their licenses; `say` is told where the list comes from. Raises as `choose` does."""
    listing = read_listing(files, source=source)
    if listing.note:
        say(listing.note)
    chosen = choose(listing.families, limit=limit, ids=ids, categories=categories)
    say(f"{len(chosen)} of {len(listing.families)} families, list: {listing.origin}.")
    return [entry.to_family() for entry in with_licenses(files, chosen)]


def choose(
    entries: Iterable[CatalogEntry],
    *,
    limit: int | None = None,
    ids: Sequence[str] = (),
    categories: Sequence[str] = (),
) -> list[CatalogEntry]:
    """The same choice every time, with an equal share of each category.

    The categories take turns, each in an order that is random to the eye but fixed (by hash of the
    id), until the limit is reached; one that runs out leaves its turns to the rest. So a choice of
    20 is the beginning of a choice of 200. Raises UserError for ids and categories that do not
    exist, and when nothing is left.
    """
    if limit is not None and limit < 1:
        raise UserError(f"The limit is {limit}; it must be 1 or more.")
    known = {entry.id: entry for entry in entries}
    wanted_ids = _known("id", ids, list(known))
    present = {entry.category for entry in known.values()}
    ordered = [name for name in CATEGORIES if name in present]
    ordered += sorted(present.difference(CATEGORIES))
    wanted = _known("category", categories, ordered)
    queues = [
        sorted(
            (
                entry
                for entry in known.values()
                if entry.category == category and (not wanted_ids or entry.id in wanted_ids)
            ),
            key=lambda entry: hashlib.sha256(entry.id.encode()).digest(),
        )
        for category in ordered
        if not wanted or category in wanted
    ]
    turns = chain.from_iterable(zip_longest(*queues))
    chosen = [entry for entry in turns if entry is not None][:limit]
    if not chosen:
        raise UserError("No family fits: choose other ids or categories, or leave one of them out.")
    return chosen


def with_licenses(files: FontFiles, entries: Iterable[CatalogEntry]) -> list[CatalogEntry]:
    """The entries, with licenses that the list lacks read from their npm packages.

    google-font-metadata has none for 8 % of the families. The packages are those that hold the font
    files, so nothing is fetched that would not be fetched anyway. A family whose package cannot be
    had keeps None. Raises UserError when npm cannot be used.
    """
    return [entry if entry.license else _with_license(files, entry) for entry in entries]


def _with_license(files: FontFiles, entry: CatalogEntry) -> CatalogEntry:
    try:
        metadata = json.loads(files.package_metadata(entry.id))
    except (FontError, ValueError):
        return entry
    written = metadata.get("license") if isinstance(metadata, dict) else None
    return replace(entry, license=spdx(written.get("type") if isinstance(written, dict) else None))


def _known(what: str, given: Sequence[str], known: Sequence[str]) -> frozenset[str]:
    wanted = Counter(word.strip().lower() for word in given if word.strip())
    unknown = [word for word in wanted if word not in known]
    if unknown:
        sentences = []
        for word in unknown[:5]:
            close = difflib.get_close_matches(word.replace(" ", "-"), known, n=3)
            hint = f" (did you mean {', '.join(close)}?)" if close else ""
            sentences.append(f"{word}{hint}")
        more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
        all_known = f" The categories are {', '.join(known)}." if what == "category" else ""
        raise UserError(f"Unknown {what}: {', '.join(sentences)}{more}.{all_known}")
    return frozenset(wanted)
