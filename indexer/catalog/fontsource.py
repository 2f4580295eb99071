"""Google's families as Fontsource lists them: by its API, or by npm's google-font-metadata."""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, zip_longest
from typing import Any, Literal

from indexer.catalog.family import CATEGORIES, Family
from indexer.catalog.licenses import spdx
from indexer.errors import FontError, UserError
from indexer.fetch.archive import ArchiveLimits
from indexer.fetch.files import CDN, FontFiles
from indexer.fetch.packages import PackageFiles

API = "https://api.fontsource.org/v1/fonts"
METADATA = ("google-font-metadata", "6.0.8")
METADATA_LIMITS = ArchiveLimits(member_bytes=128 * 1024 * 1024)  # its largest file has 41 MB
FAMILIES_FILE, LICENSES_FILE = "data/google-fonts-v2.json", "data/licenses.json"
# google-font-metadata has no type; these are the icon families among its ids.
ICONS = re.compile(r"material-(?:icons|symbols)(?:-.+)?")
ID = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
SUBSET = re.compile(r"[a-z][a-z0-9-]*")

Source = Literal["auto", "api", "npm"]


@dataclass(frozen=True, kw_only=True)
class CatalogEntry:
    """One family as Fontsource describes it."""

    id: str
    family: str
    category: str
    subsets: tuple[str, ...]
    weights: tuple[int, ...]
    styles: tuple[str, ...]
    def_subset: str
    license: str | None  # SPDX

    @classmethod
    def from_api(cls, item: Mapping[str, Any]) -> CatalogEntry:
        """An entry from an item of the API's list. Raises ValueError when the form is not that."""
        try:
            entry = cls(
                id=item["id"],
                family=" ".join(item["family"].split()),
                category=item["category"],
                subsets=tuple(sorted(item["subsets"])),
                weights=tuple(sorted(int(weight) for weight in item["weights"])),
                styles=tuple(sorted(item["styles"])),
                def_subset=item["defSubset"],
                license=spdx(item.get("license")),
            )
            # These become parts of URLs, file names and package names.
            valid = (
                ID.fullmatch(entry.id) and entry.family and entry.family.isprintable()
                and isinstance(entry.category, str)
                and all(map(SUBSET.fullmatch, (entry.def_subset, *entry.subsets)))
                and entry.weights and {"normal", "italic"}.intersection(entry.styles)
            )  # fmt: skip
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ValueError("an item of the list has not the expected form") from error
        if not valid:
            raise ValueError("an item of the list has not the expected form")
        return entry

    def to_family(self) -> Family:
        """The row of public.fonts, with file addresses in the product's form."""
        style = "normal" if "normal" in self.styles else "italic"
        address = f"{CDN}{self.id}@latest/{self.def_subset}"
        return Family(
            name=self.family,
            category=self.category,
            tags=self.subsets,
            source="Google Fonts",
            license=self.license,
            files={str(weight): f"{address}-{weight}-{style}.ttf" for weight in self.weights},
        )


@dataclass(frozen=True, kw_only=True)
class Listing:
    families: tuple[CatalogEntry, ...]  # ordered by id
    origin: str  # "Fontsource API" or "google-font-metadata 6.0.8 (npm)"
    note: str | None = None  # for the person at the terminal: why another source, what was left out


def read_listing(files: FontFiles, *, source: Source = "auto", api: str = API) -> Listing:
    """Every Google family that Fontsource knows; icon families and other publishers are left out.

    "auto" asks the API and, where that gives no list, npm: the note then says why. Raises UserError
    when no list can be had.
    """
    if source == "npm":
        return _from_npm(files, reason=None)
    try:
        return _from_api(files, api)
    except FontError as error:
        if source == "api":
            raise UserError(
                f"The Fontsource API gives no list: {error.message} Check the network and the "
                "API's address, or take the list from npm."
            ) from error
        return _from_npm(files, reason=error.message)


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


def _from_api(files: FontFiles, api: str) -> Listing:
    with files.cache.scratch() as scratch:
        got = files.downloader.download(api, scratch / "list.part", limits=files.downloader.quick)
        text = got.path.read_bytes() if got else b""
    try:
        items = json.loads(text)
    except ValueError as error:
        raise FontError("fetch", "Its answer is not JSON.") from error
    if not isinstance(items, list):
        raise FontError("fetch", "Its answer is not a list.")
    google = [item for item in items if isinstance(item, dict) and item.get("type") == "google"]
    return _listing(google, "Fontsource API", None)


def _from_npm(files: FontFiles, reason: str | None) -> Listing:
    name, version = METADATA
    key = f"listing-1:{name}@{version}"  # our extract: 0.5 MB instead of 42
    cached = files.cache.lookup(key)
    if cached is None:
        try:
            items = _read_package(files)
        except FontError as error:
            why = f"{reason} " if reason else ""
            raise UserError(
                f"The list of fonts cannot be had: {why}{error.message} Check the network, or the "
                "registry in npm's configuration (npm ping), then run again."
            ) from error
        cached = files.cache.store(key, json.dumps(items).encode(), origin=f"npm {name}@{version}")
    origin = f"{name} {version} (npm)"
    note = None
    if reason:
        note = f"The Fontsource API gives no list: {reason} The list comes from {origin} instead."
    return _listing(json.loads(cached.path.read_bytes()), origin, note)


def _read_package(files: FontFiles) -> list[dict[str, Any]]:
    """The package's families in the form of the API's items."""
    package = PackageFiles(files.cache, files.npm, limits=METADATA_LIMITS)
    members = package.read(*METADATA, (FAMILIES_FILE, LICENSES_FILE))
    try:
        families = json.loads(members[FAMILIES_FILE])
        licenses = json.loads(members[LICENSES_FILE])
        fields = ("id", "family", "category", "subsets", "weights", "styles", "defSubset")
        return [
            {field: item.get(field) for field in fields}
            | {"license": licenses.get(id_, {}).get("license", {}).get("type")}
            for id_, item in families.items()
            if not ICONS.fullmatch(id_)
        ]
    except (ValueError, AttributeError) as error:
        raise FontError("fetch", "The npm package's list has not the expected form.") from error


def _listing(items: list[dict[str, Any]], origin: str, note: str | None) -> Listing:
    families: dict[str, CatalogEntry] = {}
    for item in items:
        try:
            entry = CatalogEntry.from_api(item)
        except ValueError:
            continue
        families[entry.id] = entry
    if not families:
        raise FontError("fetch", "Its answer lists no Google family.")
    if left_out := len(items) - len(families):
        sentence = f"{left_out} of {len(items)} items were left out: not in the expected form."
        note = f"{note} {sentence}" if note else sentence
    return Listing(
        families=tuple(families[id_] for id_ in sorted(families)), origin=origin, note=note
    )


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
