"""Which families of Fontsource's list are taken: the same choice every time, with their licenses."""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice, zip_longest

from indexer.catalog.family import CATEGORIES, Family
from indexer.catalog.fontsource import CatalogEntry, Listing, Source, read_listing
from indexer.catalog.licenses import spdx
from indexer.errors import FontError, UserError
from indexer.fetch.files import FontFiles


@dataclass(frozen=True, kw_only=True)
class Chosen:
    families: Sequence[Family]
    unknown: Mapping[str, str]  # what was asked for and is nowhere, and why: a sentence each


def chosen_families(
    files: FontFiles,
    *,
    limit: int | None,
    wanted: Sequence[str] = (),
    categories: Sequence[str] = (),
    source: Source = "auto",
    say: Callable[[str], None],
) -> Chosen:
    """Families with their licenses; `say` is told where the list comes from.

    wanted: ids or names; of none, all. Raises UserError where none of them is known, and as `choose`
    does.
    """
    listing = read_listing(files, source=source)
    if listing.note:
        say(listing.note)
    entries = listing.families
    unknown: Mapping[str, str] = {}
    if wanted:
        entries, unknown = asked_for(wanted, listing, files)
        if not entries:
            first = " ".join(f"{word}: {why}" for word, why in islice(unknown.items(), 5))
            raise UserError(f"None of the families is known. {first}")
    chosen = choose(entries, limit=limit, categories=categories)
    say(f"{len(chosen)} of {len(listing.families)} families, list: {listing.origin}.")
    families = [entry.to_family() for entry in with_licenses(files, chosen)]
    return Chosen(families=families, unknown=unknown)


def asked_for(
    wanted: Iterable[str], listing: Listing, files: FontFiles
) -> tuple[tuple[CatalogEntry, ...], dict[str, str]]:
    """The families of these ids or names, in any case, and why others are unknown.

    One that a list of some day lacks may be newer: its own npm package describes it.
    """
    known = {entry.family.casefold(): entry for entry in listing.families}
    known |= {entry.id: entry for entry in listing.families}
    found: dict[str, CatalogEntry] = {}
    unknown: dict[str, str] = {}
    unusable: UserError | None = None  # npm, once it is known
    for word in dict.fromkeys(" ".join(word.split()) for word in wanted):
        entry = known.get(word.casefold())
        if entry is None and listing.dated and unusable is None:
            try:
                entry = _by_package(files, _as_id(word))
            except UserError as error:
                unusable = error
            except (FontError, ValueError):
                pass  # it is not there either, and is reported
        if entry is not None:
            found[entry.id] = entry
        else:
            unknown[word[:100]] = _unknown(word, known, listing, unusable)
    return tuple(found.values()), unknown


def choose(
    entries: Iterable[CatalogEntry],
    *,
    limit: int | None = None,
    categories: Sequence[str] = (),
) -> list[CatalogEntry]:
    """The same choice every time, with an equal share of each category.

    The categories take turns, each in an order that is random to the eye but fixed (by hash of the
    id), until the limit is reached; one that runs out leaves its turns to the rest. So a choice of
    20 is the beginning of a choice of 200. Raises UserError for categories that do not exist, and
    when nothing is left.
    """
    if limit is not None and limit < 1:
        raise UserError(f"The limit is {limit}; it must be 1 or more.")
    known = {entry.id: entry for entry in entries}
    present = {entry.category for entry in known.values()}
    ordered = [*CATEGORIES, *sorted(present.difference(CATEGORIES))]
    wanted = _known_categories(categories, ordered)
    queues = [
        sorted(
            (entry for entry in known.values() if entry.category == category),
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


def _by_package(files: FontFiles, family_id: str) -> CatalogEntry:
    """Raises FontError or ValueError where no package describes a Google family of this id."""
    about = json.loads(files.package_metadata(family_id))
    if not isinstance(about, dict) or about.get("type") != "google":
        raise ValueError("the package is of another publisher")
    return CatalogEntry.from_api(about)


def _as_id(name: str) -> str:
    """As Fontsource makes ids of names: "EB Garamond" is eb-garamond."""
    return "-".join(re.findall("[a-z0-9]+", name.lower()))


def _unknown(
    word: str, known: Mapping[str, CatalogEntry], listing: Listing, unusable: UserError | None
) -> str:
    close = difflib.get_close_matches(word.casefold(), known, n=3)
    hint = (
        f"; did you mean {', '.join(dict.fromkeys(known[c].id for c in close))}?" if close else ""
    )
    nor = " nor as an npm package of Fontsource's" if listing.dated and unusable is None else ""
    asked = f" Newer families were not looked for: {unusable}" if unusable else ""
    return f"no family of this id or name in {listing.origin}{nor}{hint or '.'}{asked}"


def _known_categories(given: Sequence[str], known: Sequence[str]) -> frozenset[str]:
    wanted = {word.strip().lower() for word in given if word.strip()}
    for word in wanted.difference(known):
        close = difflib.get_close_matches(word, known, n=1)
        hint = f" (did you mean {close[0]}?)" if close else ""
        raise UserError(
            f"Unknown category: {word[:100]}{hint}. The categories are {', '.join(known)}."
        )
    return frozenset(wanted)
