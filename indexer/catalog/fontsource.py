"""Google's families as Fontsource lists them: by its API, or by npm's google-font-metadata."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, Literal

from indexer.catalog.facts import (
    MAX_WEIGHT,
    MAX_WIDTH,
    SLANTED_AXES,
    Facts,
    Span,
    Styles,
    merged,
    parse_unicode_range,
    span_of,
)
from indexer.catalog.family import Family
from indexer.catalog.licenses import spdx
from indexer.errors import FontError, UserError
from indexer.fetch.archive import ArchiveLimits
from indexer.fetch.files import CDN, FontFiles
from indexer.fetch.packages import PackageFiles

API = "https://api.fontsource.org/v1/fonts"
METADATA = ("google-font-metadata", "6.0.8")
METADATA_LIMITS = ArchiveLimits(member_bytes=128 * 1024 * 1024)  # its largest file has 41 MB
FAMILIES_FILE, LICENSES_FILE = "data/google-fonts-v2.json", "data/licenses.json"
AXES_FILE = "data/variable.json"
# google-font-metadata has no type; these are the icon families among its ids.
ICONS = re.compile(r"material-(?:icons|symbols)(?:-.+)?")
ID = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
SUBSET = re.compile(r"[a-z][a-z0-9-]*")
AXIS = re.compile(r"[A-Za-z][A-Za-z0-9]{3}")
IN_ADDRESS = re.compile(rf"{re.escape(CDN)}({ID.pattern})(?::vf)?@")

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
    unicode_ranges: tuple[str, ...] | None = None  # as CSS has them; None where the list has none
    axes: Mapping[str, Span] | None = None  # empty if not variable; None: not in the list

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
                unicode_ranges=_unicode_ranges(item.get("unicodeRange")),
                axes=_axes(item),
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
        # the default is Latin even of some families that have none
        lacking = self.def_subset == "latin" and self.subsets and "latin" not in self.subsets
        address = f"{CDN}{self.id}@latest/{self.subsets[0] if lacking else self.def_subset}"
        return Family(
            name=self.family,
            category=self.category,
            tags=self.subsets,
            source="Google Fonts",
            license=self.license,
            files={str(weight): f"{address}-{weight}-{style}.ttf" for weight in self.weights},
            facts=self.facts(),
        )

    def facts(self) -> Facts:
        """What the list tells of the whole family: all its subsets, weights, styles and axes.

        Its unicode ranges say where a browser looks, in whole blocks. Of 34 families drawn at random,
        files had every letter of Polish, Turkish and Vietnamese that was promised and nearly all
        quotes and dashes, but 36 % of all code points: IPA, ‰ and arrows are mostly missing.
        """
        coverage = None
        if self.unicode_ranges is not None:
            parts = map(parse_unicode_range, self.unicode_ranges)
            coverage = merged(chain.from_iterable(parts))
        axes = self.axes or {}
        slanted = "italic" in self.styles or not SLANTED_AXES.isdisjoint(axes)
        styles = Styles(
            weights=self.weights,
            italic=slanted if slanted or self.axes is not None else None,
            # Google's "ital" is a second file alongside the upright one, not an axis of either
            axes=None if self.axes is None else tuple(sorted(axes.keys() - {"ital"})),
            weight=span_of((*self.weights, *axes.get("wght", ())), MAX_WEIGHT),
            width=span_of(axes.get("wdth", ()), MAX_WIDTH),
        )
        return Facts.of_name(self.family, coverage=coverage, styles=styles)


@dataclass(frozen=True, kw_only=True)
class Listing:
    families: tuple[CatalogEntry, ...]  # ordered by id
    origin: str  # "Fontsource API" or "google-font-metadata 6.0.8 (npm)"
    note: str | None = None  # for the person at the terminal: why another source, what was left out
    dated: bool = False  # it is of some day, and lacks what is newer


def family_id(url: str) -> str | None:
    """The family that a Fontsource CDN address is of; None for any other address."""
    match = IN_ADDRESS.match(url)
    return match[1] if match else None


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
    key = f"listing-2:{name}@{version}"  # our extract: 1 MB instead of 42
    cached = files.cache.lookup(key)
    if cached is None:
        try:
            extract = _read_package(files)
        except FontError as error:
            why = f"{reason} " if reason else ""
            raise UserError(
                f"The list of fonts cannot be had: {why}{error.message} Check the network, or the "
                "registry in npm's configuration (npm ping), then run again."
            ) from error
        cached = files.cache.store(
            key, json.dumps(extract).encode(), origin=f"npm {name}@{version}"
        )
    origin = f"{name} {version} (npm)"
    note = None
    if reason:
        note = f"The Fontsource API gives no list: {reason} The list comes from {origin} instead."
    extract = json.loads(cached.path.read_bytes())
    ranges = extract["ranges"]
    items = [
        item | {"unicodeRange": {subset: ranges[n] for subset, n in item["unicodeRange"].items()}}
        for item in extract["items"]
    ]
    return replace(_listing(items, origin, note), dated=True)


def _read_package(files: FontFiles) -> dict[str, list[Any]]:
    """The package's families in the form of the API's items, but for unicodeRange.

    Its values are numbers of `ranges`: 8 MB of them are 0.4 MB when each stands there once.
    """
    package = PackageFiles(files.cache, files.npm, limits=METADATA_LIMITS)
    members = package.read(*METADATA, (FAMILIES_FILE, LICENSES_FILE, AXES_FILE))
    try:
        families = json.loads(members[FAMILIES_FILE])
        licenses = json.loads(members[LICENSES_FILE])
        variable = json.loads(members[AXES_FILE])
        fields = ("id", "family", "category", "subsets", "weights", "styles", "defSubset")
        ranges: dict[str, int] = {}
        items = [
            {field: item.get(field) for field in fields}
            | {
                "license": licenses.get(id_, {}).get("license", {}).get("type"),
                "axes": variable.get(id_, {}).get("axes", {}),
                "unicodeRange": {
                    subset: ranges.setdefault(text, len(ranges))
                    for subset, text in item.get("unicodeRange", {}).items()
                },
            }
            for id_, item in families.items()
            if not ICONS.fullmatch(id_)
        ]
        return {"items": items, "ranges": list(ranges)}
    except (ValueError, AttributeError, TypeError) as error:
        raise FontError("fetch", "The npm package's list has not the expected form.") from error


def _unicode_ranges(given: Mapping[str, str] | None) -> tuple[str, ...] | None:
    """Of all subsets. Raises ValueError, or what a value of another kind raises."""
    if not given:
        return None
    ranges = tuple(given.values())
    for text in ranges:
        parse_unicode_range(text)
    return ranges


def _axes(item: Mapping[str, Any]) -> dict[str, Span] | None:
    axes = item.get("axes")
    if axes is None:  # the API's list says only whether there are any
        return {} if item.get("variable") is False else None
    found = {tag: (float(axis["min"]), float(axis["max"])) for tag, axis in axes.items()}
    if not all(map(AXIS.fullmatch, found)):
        raise ValueError("an axis has no tag")
    return found


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
        sentence = f"{left_out} of {len(items)} items were skipped: not in the expected form."
        note = f"{note} {sentence}" if note else sentence
    return Listing(
        families=tuple(families[id_] for id_ in sorted(families)), origin=origin, note=note
    )
