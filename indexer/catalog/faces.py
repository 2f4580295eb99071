"""What a font file says about the faces in it: of which families, and what a family's row needs."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fontTools.ttLib import TTFont

from indexer.catalog.facts import Facts, is_slanted, weight_class
from indexer.catalog.licenses import spdx
from indexer.catalog.scripts import covered_scripts
from indexer.errors import FontError
from indexer.fontfile import MAGIC, MAX_BYTES, check_whole, describe, regular_value

# In order of preference where one face comes in several containers.
SUFFIXES = (".ttf", ".otf", ".ttc", ".woff2", ".woff")
MAX_FACES = 64  # of one collection; the largest real ones have about 40
MAX_NAME = 120

TYPOGRAPHIC_FAMILY, FAMILY = 16, 1
LICENSE_TEXT, LICENSE_URL = 13, 14

# OS/2 sFamilyClass, high byte; 12 (symbols) and the reserved ones say nothing here.
BY_CLASS = {
    **dict.fromkeys((1, 2, 3, 4, 5, 7), "serif"), 8: "sans-serif", 9: "display", 10: "handwriting",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Face:
    url: str
    path: str  # relative to the folder
    index: int
    family: str
    weight: int
    upright: bool
    width: int  # usWidthClass: 5 is normal
    category: str | None
    tags: tuple[str, ...]
    license: str | None
    facts: Facts

    @property
    def rank(self) -> tuple[object, ...]:
        """The least is the one to show where a family has several faces of a weight."""
        suffix = SUFFIXES.index(Path(self.path).suffix.lower())
        return not self.upright, abs(self.width - 5), suffix, self.path, self.index


@contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise describe(error, "open") from error


def _face(font: TTFont, url: str, relative: str, index: int) -> Face:
    name = _name(font)
    cmap = font.getBestCmap() or {}
    if not cmap and not any(table.cmap for table in font["cmap"].tables):
        raise FontError("open", "The font maps no character to a glyph.")
    os2: Any = font.get("OS/2")  # fontTools' tables get their fields when they are read
    return Face(
        url=url, path=relative, index=index, family=name, weight=_weight(font, os2),
        upright=not is_slanted(font), width=os2.usWidthClass if os2 else 5,
        category="monospace" if _is_monospaced(font, cmap) else _category(os2),
        tags=covered_scripts(cmap),
        license=spdx(_text(font, LICENSE_TEXT), _text(font, LICENSE_URL)),
        facts=Facts.from_font(font, name),
    )  # fmt: skip


@_in_words()
def read_names(file: Path) -> tuple[str, ...]:
    """The families that a file has faces of. Raises FontError (stage "open")."""
    return tuple(dict.fromkeys(_name(font) for font, _ in _fonts(file)))


@_in_words()
def read_faces(file: Path, relative: str, family: str) -> list[Face]:
    """The faces of a family in a file. Raises FontError (stage "open")."""
    return [
        _face(font, file.as_uri() + fragment, relative, index)
        for index, (font, fragment) in enumerate(_fonts(file))
        if _name(font) == family
    ]


def printable(text: str) -> str:
    """Text that Postgres and a terminal take: no control characters, no lone surrogates."""
    return " ".join(
        "".join(" " if unicodedata.category(c) in ("Cc", "Cs") else c for c in text).split()
    )


def _fonts(file: Path) -> Iterator[tuple[TTFont, str]]:
    """Each face, opened while it is looked at, with the fragment of its address."""
    if not file.is_file():
        raise FontError("open", "It is not a plain file, or a link to nowhere.")
    size = file.stat().st_size
    if size > MAX_BYTES:
        raise FontError("open", f"The file is larger than {MAX_BYTES:,} bytes.")
    with file.open("rb") as stream:
        head = stream.read(12)
    if head[:4] not in MAGIC:
        raise FontError(
            "open", "The file is not a font: it starts with none of the known signatures."
        )
    collection = head[:4] == b"ttcf"
    count = int.from_bytes(head[8:12], "big") if collection else 1
    if not 1 <= count <= MAX_FACES:
        raise FontError("open", f"The collection has {count} faces; 1 to {MAX_FACES} are accepted.")
    for index in range(count):
        number, fragment = (index, f"#face={index}") if collection else (-1, "")
        # A TTFont that cannot be made does not close a file that it opened itself.
        with file.open("rb") as stream, TTFont(stream, fontNumber=number, lazy=True) as font:
            check_whole(font, head, size)
            yield font, fragment


def _name(font: TTFont) -> str:
    for number in (TYPOGRAPHIC_FAMILY, FAMILY):
        if name := _text(font, number)[:MAX_NAME].strip():
            return name
    raise FontError("open", "The font has no family name.")


def _text(font: TTFont, number: int) -> str:
    return printable(font["name"].getDebugName(number) or "") if "name" in font else ""


def _weight(font: TTFont, os2: Any) -> int:
    if "fvar" in font:
        for axis in font["fvar"].axes:
            if axis.axisTag == "wght":
                return round(regular_value("wght", axis.minValue, axis.defaultValue, axis.maxValue))
    return weight_class(os2.usWeightClass if os2 else 400) or 400


def _is_monospaced(font: TTFont, cmap: dict[int, str]) -> bool:
    """Whether i is as wide as W: the flag alone is also set in emoji and symbol fonts, or wrong."""
    post: Any = font.get("post")
    if not post or not post.isFixedPitch or not {ord("i"), ord("W")} <= cmap.keys():
        return False
    advances = font["hmtx"].metrics
    return bool(advances[cmap[ord("i")]][0] == advances[cmap[ord("W")]][0])


def _category(os2: Any) -> str | None:
    """Only what the font states and does not contradict; most leave the fields empty."""
    if os2 is None:
        return None
    panose = os2.panose
    by_class = BY_CLASS.get(os2.sFamilyClass >> 8)
    by_panose = None
    if panose.bFamilyType == 2 and 2 <= panose.bSerifStyle <= 15:
        by_panose = "serif" if panose.bSerifStyle <= 10 else "sans-serif"
    elif panose.bFamilyType in (3, 4):
        by_panose = "handwriting" if panose.bFamilyType == 3 else "display"
    if by_class and by_panose and by_class != by_panose:
        return None
    return by_class or by_panose
