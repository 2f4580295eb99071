"""Fonts damaged at random, given to the processes that open fonts: each is drawn, or refused in a sentence."""

# mypy: allow-untyped-calls
# (fontTools has no types)

from __future__ import annotations

import io
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from uuid import UUID

import psutil
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.t2CharStringPen import T2CharStringPen
from fontTools.ttLib import TTFont, newTable
from fontTools.ttLib.tables._f_v_a_r import Axis
from fontTools.ttLib.ttCollection import TTCollection

from eval.fonts.parametric import ParametricFont
from indexer.errors import FontError
from indexer.fetch.cache import FileCache
from indexer.fetch.files import FontFiles
from indexer.fetch.folders import FontFolders
from indexer.job.ahead import Preparer
from indexer.job.pending import Claim
from indexer.job.prepare import PreparedCache
from indexer.sheet.render import SheetSpec
from tests.fix_bounded import MIB, bomb

BATCH = 100
BOMBS = 0.005  # of all
SPEC = SheetSpec(width=256, height=128, margin=8)
LETTERS = ("nog", "HO", "aeo1")
EXTREME = (b"\0\0", b"\0\1", b"\x7f\xff", b"\x80\0", b"\xff\xff")
NO_SENTENCE = re.compile(
    r"\w*(?:Error|Exception)\b|: '[^']*'\.$|/|\[Errno|object|attribute|Traceback|decompressing"
)

Say = Callable[[str], None]
Damage = Callable[[bytearray, random.Random], None]


def flip(data: bytearray, lot: random.Random) -> None:
    for _ in range(lot.randint(1, 8)):
        data[lot.randrange(4, len(data))] = lot.randrange(256)


def mislead(data: bytearray, lot: random.Random) -> None:
    """In the list of tables: their names, places and lengths."""
    for _ in range(lot.randint(1, 4)):
        data[lot.randrange(4, min(300, len(data)))] = lot.randrange(256)


def cut(data: bytearray, lot: random.Random) -> None:
    del data[lot.randrange(len(data)) :]


def shift(data: bytearray, lot: random.Random) -> None:
    place = lot.randrange(len(data))
    if lot.random() < 0.5:
        data[place:place] = lot.randbytes(lot.randint(1, 64))
    else:
        del data[place : place + lot.randint(1, 64)]


def overwrite(data: bytearray, lot: random.Random) -> None:
    size = lot.randint(2, 200)
    place = lot.randrange(4, len(data))
    data[place : place + size] = lot.choice([bytes(size), b"\xff" * size, lot.randbytes(size)])


def exaggerate(data: bytearray, lot: random.Random) -> None:
    """Numbers that are counts, offsets or glyphs, as far out as they go."""
    for _ in range(lot.randint(1, 6)):
        place = lot.randrange(4, len(data) - 1) & ~1
        data[place : place + 2] = lot.choice(EXTREME)


DAMAGES: Sequence[Damage] = (flip, mislead, cut, shift, overwrite, exaggerate)


def whole_fonts() -> list[bytes]:
    """Small ones of every kind: packed and not, with cubic curves, an axis, colours, several faces."""
    plain = [ParametricFont(serifs=0.3).build(characters=letters) for letters in LETTERS]
    made = [
        *plain,
        *(ParametricFont().build(characters="nog", flavor=f) for f in ("woff", "woff2")),
    ]
    faces, out = TTCollection(), io.BytesIO()
    faces.fonts = [TTFont(io.BytesIO(data)) for data in plain[:2]]
    faces.save(out)
    return [*made, out.getvalue(), *(_changed(change) for change in (_cubic, _variable, _coloured))]


def _changed(change: Callable[[TTFont], TTFont]) -> bytes:
    out = io.BytesIO()
    change(TTFont(io.BytesIO(ParametricFont().build(characters="nog")))).save(out)
    return out.getvalue()


def _cubic(font: TTFont) -> TTFont:
    glyphs, order = font.getGlyphSet(), font.getGlyphOrder()
    strings = {}
    for name in order:
        pen = T2CharStringPen(glyphs[name].width, None)
        glyphs[name].draw(pen)
        strings[name] = pen.getCharString()
    builder = FontBuilder(font=font)
    builder.isTTF = False
    del font["glyf"], font["loca"]
    builder.setupCFF("Damaged", {}, strings, {})
    font.sfntVersion = "OTTO"
    return font


def _variable(font: TTFont) -> TTFont:
    axis = Axis()
    axis.axisTag, axis.minValue, axis.defaultValue, axis.maxValue = "wght", 100, 400, 900
    axis.axisNameID = 256
    font["fvar"] = newTable("fvar")
    font["fvar"].axes, font["fvar"].instances = [axis], []
    font["gvar"] = newTable("gvar")
    font["gvar"].version, font["gvar"].reserved, font["gvar"].variations = 1, 0, {}
    return font


def _coloured(font: TTFont) -> TTFont:
    first, *others = font.getGlyphOrder()[1:]
    builder = FontBuilder(font=font)
    builder.setupCOLR({first: [(name, 0) for name in others]}, version=0)
    builder.setupCPAL([[(1.0, 0.0, 0.0, 1.0)]])
    return font


def corrupt(folder: Path, count: int, seed: int, say: Say, fonts: Sequence[bytes] = ()) -> int:
    """Damage so many copies of `fonts`, by default made ones, and index each; how many were drawn.

    Raises AssertionError for a reason that is no sentence, and where the processes that open fonts
    do not work afterwards, or this one has grown.
    """
    lot, whole = random.Random(seed), fonts or whole_fonts()
    bombs = [bomb(folder / f"{size}.bomb", size).read_bytes() for size in (64, 1024)]
    files = FontFiles(FileCache(folder / "files"), mode="npm", folders=FontFolders([folder]))
    cache = PreparedCache(folder / "prepared", SPEC)
    drawn, reasons, slowest, before = 0, Counter[str](), 0.0, psutil.Process().memory_info().rss
    with Preparer(files, SPEC, cache, processes=2) as preparer:
        for start in range(0, count, BATCH):
            paths = []
            for number in range(start, min(start + BATCH, count)):
                data = bytearray(lot.choice(bombs if lot.random() < BOMBS else whole))
                lot.choice(DAMAGES)(data, lot)
                paths.append(folder / f"{number}.font")
                paths[-1].write_bytes(data)
            begin = time.monotonic()
            for outcome in preparer.outcomes(map(_claim, paths), ahead=20):
                took, begin = time.monotonic() - begin, time.monotonic()
                slowest = max(slowest, took)
                drawn += outcome.prepared is not None
                if outcome.error is not None:
                    reasons[_reason(outcome.error)] += 1
            for facts in preparer.facts((path.stem, [path.as_uri()]) for path in paths):
                assert not isinstance(facts, FontError), facts
            for path in paths:
                path.unlink()
            say(
                f"{start + len(paths)} fonts, {drawn} drawn, {len(reasons)} reasons, {slowest:.1f} s at most"
            )
        good = folder / "good.ttf"
        good.write_bytes(whole[0])
        assert preparer.sheet(good.as_uri()), "the processes are there for the next font"
    grown = psutil.Process().memory_info().rss - before
    assert grown < 100 * MIB, f"this process has grown by {grown // MIB} MiB"
    return drawn


def _claim(path: Path) -> Claim:
    return Claim(
        font_id=UUID(int=0), name=path.stem, category=None, tags=[], description=None,
        url=path.as_uri(), file_sha256=None, input_hash=b"", reason="new",
    )  # fmt: skip


def _reason(error: FontError) -> str:
    text = error.message
    assert not NO_SENTENCE.search(text), text
    assert text.endswith(".") and len(text) < 300, text
    return text
