"""Font files of a folder, grouped into families by what the files say about themselves."""

from __future__ import annotations

import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fontTools.ttLib import TTFont

from indexer.catalog.facts import Facts, is_slanted, union, weight_class
from indexer.catalog.family import Family
from indexer.catalog.licenses import spdx
from indexer.catalog.scripts import covered_scripts
from indexer.errors import UserError
from indexer.fontfile import MAGIC, MAX_BYTES, check_whole, regular_value

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
class Problem:
    """A file that was passed over."""

    path: str  # relative to the folder
    reason: str


@dataclass(frozen=True, kw_only=True)
class Found:
    families: tuple[Family, ...]  # ordered by name
    problems: tuple[Problem, ...]  # ordered by path
    files: int  # font files looked at


@dataclass(frozen=True, kw_only=True)
class _Face:
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


def read_directory(path: Path) -> Found:
    """The families in a folder and everything below it, or in a single file.

    Links are followed, every real file once. A file that is no usable font is a Problem. Raises
    UserError when the path does not exist or holds no font file at all.
    """
    if not path.exists():
        raise UserError(f"{path} does not exist: give a folder with fonts, or a font file.")
    root = path.absolute() if path.is_dir() else path.absolute().parent
    families: dict[str, list[_Face]] = defaultdict(list)
    problems, files = [], 0
    for file in _font_files(path.absolute()):
        files += 1
        relative = file.relative_to(root).as_posix()
        try:
            for face in _read_faces(file, relative):
                families[face.family].append(face)
        except _UnreadableError as error:
            problems.append(Problem(path=_printable(relative), reason=str(error)))
    if not files:
        raise UserError(f"{path} holds no font file ({', '.join(SUFFIXES)}).")
    return Found(
        families=tuple(_family(name, families[name]) for name in sorted(families)),
        problems=tuple(sorted(problems, key=lambda problem: problem.path)),
        files=files,
    )


class _UnreadableError(Exception):
    pass


def _font_files(path: Path) -> Iterator[Path]:
    if path.is_file():
        if path.suffix.lower() in SUFFIXES:
            yield path
        return
    seen: set[tuple[int, int]] = set()  # real folders and files, so that no link leads in circles
    for folder, folders, names in os.walk(path, followlinks=True):
        folders[:] = sorted(name for name in folders if _is_new(Path(folder, name), seen))
        for name in sorted(names):
            file = Path(folder, name)
            if file.suffix.lower() in SUFFIXES and _is_new(file, seen):
                yield file


def _is_new(path: Path, seen: set[tuple[int, int]]) -> bool:
    try:
        status = path.stat()
    except OSError:  # a dangling link: a file among them is reported when it is opened
        return True
    identity = status.st_dev, status.st_ino
    if identity in seen:
        return False
    seen.add(identity)
    return True


def _read_faces(file: Path, relative: str) -> list[_Face]:
    try:
        if not file.is_file():
            raise _UnreadableError("not a plain file, or a link to nowhere")
        size = file.stat().st_size
        if size > MAX_BYTES:
            raise _UnreadableError(f"larger than {MAX_BYTES:,} bytes")
        with file.open("rb") as stream:
            head = stream.read(12)
    except OSError as error:
        raise _UnreadableError(f"cannot be read: {error.strerror}") from error
    if head[:4] not in MAGIC:
        raise _UnreadableError("not a font: it starts with none of the known signatures")
    collection = head[:4] == b"ttcf"
    count = int.from_bytes(head[8:12], "big") if collection else 1
    if not 1 <= count <= MAX_FACES:
        raise _UnreadableError(f"a collection of {count} faces; 1 to {MAX_FACES} are accepted")
    faces = []
    for index in range(count):
        try:
            number = index if collection else -1
            # A TTFont that cannot be made does not close a file that it opened itself.
            with file.open("rb") as stream, TTFont(stream, fontNumber=number, lazy=True) as font:
                check_whole(font, head, size)
                url = file.as_uri() + (f"#face={index}" if collection else "")
                faces.append(_face(font, url, relative, index))
        except _UnreadableError:
            raise
        except Exception as error:  # fontTools raises whatever its parsers meet
            reason = " ".join(str(error).split())[:120] or type(error).__name__
            raise _UnreadableError(f"cannot be read: {reason}") from error
    return faces


def _face(font: TTFont, url: str, relative: str, index: int) -> _Face:
    name = _name(font)
    if not name:
        raise _UnreadableError("has no family name")
    cmap = font.getBestCmap() or {}
    if not cmap and not any(table.cmap for table in font["cmap"].tables):
        raise _UnreadableError("maps no character to a glyph")
    os2: Any = font.get("OS/2")  # fontTools' tables get their fields when they are read
    return _Face(
        url=url, path=relative, index=index, family=name, weight=_weight(font, os2),
        upright=not is_slanted(font), width=os2.usWidthClass if os2 else 5,
        category="monospace" if _is_monospaced(font, cmap) else _category(os2),
        tags=covered_scripts(cmap),
        license=spdx(_text(font, LICENSE_TEXT), _text(font, LICENSE_URL)),
        facts=Facts.from_font(font, name),
    )  # fmt: skip


def _name(font: TTFont) -> str:
    for number in (TYPOGRAPHIC_FAMILY, FAMILY):
        if name := _text(font, number)[:MAX_NAME].strip():
            return name
    return ""


def _text(font: TTFont, number: int) -> str:
    return _printable(font["name"].getDebugName(number) or "") if "name" in font else ""


def _printable(text: str) -> str:
    """Text that Postgres and a terminal take: no control characters, no lone surrogates."""
    return " ".join(
        "".join(" " if unicodedata.category(c) in ("Cc", "Cs") else c for c in text).split()
    )


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


def _family(name: str, faces: list[_Face]) -> Family:
    ranked = sorted(faces, key=lambda face: face.rank)
    upright = [face for face in ranked if face.upright] or ranked
    by_weight: dict[int, _Face] = {}
    for face in upright:
        by_weight.setdefault(face.weight, face)
    shown = min(by_weight.values(), key=lambda face: (abs(face.weight - 400), face.weight))
    return Family(
        name=name, category=shown.category, tags=shown.tags, source="Directory",
        license=shown.license,
        files={str(weight): by_weight[weight].url for weight in sorted(by_weight)},
        facts=union(name, (face.facts for face in faces)),
    )  # fmt: skip
