"""Where the pieces of a sheet go: rows by real ink, at whatever factor of the size drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

from indexer.sheet.glyphs import Ink
from indexer.sheet.samples import Segment

OUTLIER = 12  # a glyph so many times the usual height, or width, would make all others specks

# In units of the body: the median height of the single characters' ink. The em would not do,
# because a hostile font, or an icon font, has glyphs of any size in it.
LETTER_GAP = 0.22  # least distance between two characters' ink, and what their advances get
ROW_GAP = 0.3
WORD_GAP = (0.3, 1.5)  # the space's advance is kept between these
MAX_BEARING = 1.5  # empty advance beyond the ink
MAX_BODY_PIXELS = 128  # a font of one glyph need not fill the sheet
MIN_GAP_PIXELS = 4.0


@dataclass(frozen=True, kw_only=True)
class Line:
    """A segment's pieces, drawn at one size."""

    segment: Segment
    inks: tuple[Ink, ...]


@dataclass(frozen=True, kw_only=True)
class Draft:
    """All pieces of a sheet at one size, with the measures that the layout needs."""

    lines: tuple[Line, ...]
    body: float  # px: median height of the characters' ink
    space: float  # px between two words


@dataclass(frozen=True, kw_only=True)
class Row:
    """Pieces side by side: their origins from the row's left, and the ink's extent."""

    places: tuple[tuple[float, Ink], ...]
    top: float
    bottom: float


def measured(lines: Sequence[Line], space: float | None) -> Draft:
    characters = [i for line in lines if line.segment.kind == "characters" for i in line.inks]
    everything = characters or [ink for line in lines for ink in line.inks]
    body = float(median(ink.bottom - ink.top for ink in everything)) if everything else 0.0
    low, high = (bound * body for bound in WORD_GAP)
    return Draft(lines=tuple(lines), body=body, space=min(max(space or 0.0, low), high))


def without_outliers(draft: Draft) -> Draft:
    """Leave out pieces that would shrink all others to specks."""
    inks = [ink for line in draft.lines for ink in line.inks]
    if not inks:
        return draft
    tall = OUTLIER * draft.body
    wide = OUTLIER * max(draft.body, median((i.right - i.left) / len(i.text) for i in inks))

    def fits(ink: Ink) -> bool:
        return ink.bottom - ink.top <= tall and ink.right - ink.left <= wide * len(ink.text)

    lines = []
    for line in draft.lines:
        kept = tuple(ink for ink in line.inks if fits(ink))
        if kept:
            segment = replace(line.segment, pieces=tuple(ink.text for ink in kept))
            lines.append(Line(segment=segment, inks=kept))
    return measured(lines, draft.space)


def largest_factor(draft: Draft, box: tuple[int, int]) -> float:
    """By how much the draft can grow, or must shrink (below 1), to fill the box."""
    low, high = 0.0, MAX_BODY_PIXELS / draft.body
    if _fits(draft, 1.0, box) and high >= 1:
        low = 1.0
    elif high > 1:
        high = 1.0
    if _fits(draft, high, box):
        return high
    while high - low > 0.005 * high and high > 1e-4:
        middle = (low + high) / 2
        if _fits(draft, middle, box):
            low = middle
        else:
            high = middle
    return low


def _fits(draft: Draft, factor: float, box: tuple[int, int]) -> bool:
    rows = _rows(draft, factor, box[0])
    return rows is not None and _height(rows, _row_gap(draft, factor)) <= box[1]


def _row_gap(draft: Draft, factor: float) -> float:
    return max(ROW_GAP * draft.body * factor, MIN_GAP_PIXELS)


def _height(rows: Sequence[Row], gap: float) -> float:
    return sum(row.bottom - row.top for row in rows) + gap * (len(rows) - 1)


def _rows(draft: Draft, factor: float, width: int) -> list[Row] | None:
    """Break every line into rows; None if a piece alone is wider than the box."""
    rows: list[Row] = []
    for line in draft.lines:
        broken = _broken(draft, line, factor, width)
        if broken is None:
            return None
        rows += broken
    return rows


def _balanced_rows(draft: Draft, box: tuple[int, int]) -> list[Row]:
    """Rows at the size drawn, of like lengths in a line, so that no letter stands alone on the last.

    Other letters then share a row, and it may be taller: a line for which the box has no room
    stays as full as it gets.
    """
    full = [_broken(draft, line, 1.0, box[0]) or [] for line in draft.lines]
    chosen = list(full)
    for index, line in enumerate(draft.lines):
        chosen[index] = _balanced(draft, line, full[index], box[0])
        rows = [row for line_rows in chosen for row in line_rows]
        if _height(rows, _row_gap(draft, 1.0)) > box[1]:
            chosen[index] = full[index]
    return [row for line_rows in chosen for row in line_rows]


def _balanced(draft: Draft, line: Line, full: list[Row], width: int) -> list[Row]:
    """The line broken at the least width that takes no more rows."""
    best, low, high = full, width // max(len(full), 1), width
    while low < high:
        middle = (low + high) // 2
        narrower = _broken(draft, line, 1.0, middle)
        if narrower is not None and len(narrower) == len(full):
            best, high = narrower, middle
        else:
            low = middle + 1
    return best


def _broken(draft: Draft, line: Line, factor: float, width: int) -> list[Row] | None:
    """A line in rows, each as full as it gets; None if a piece alone is wider."""
    rows = []
    grown = 0.0 if factor == 1.0 else 1.0  # px that rounding may add at another size
    body = draft.body * factor
    kind = line.segment.kind
    gap = {"characters": LETTER_GAP * body, "words": draft.space * factor, "unspaced": 0.0}[kind]
    clear = max(gap, MIN_GAP_PIXELS) if kind != "unspaced" else 0.0
    places: list[tuple[float, Ink]] = []
    top = bottom = origin = edge = pen = 0.0
    for ink in line.inks:
        left, right = ink.left * factor, ink.right * factor + grown
        advance = min(ink.advance * factor, right + MAX_BEARING * body)
        if line.segment.direction == "rtl":  # laid out mirrored, turned when placed
            left, right = ink.advance * factor - right, ink.advance * factor - left
            advance = min(ink.advance * factor, right + MAX_BEARING * body)
        if right - left > width:
            return None
        origin = max(pen + gap, edge + clear - left) if places else -left
        if places and origin + right > width:
            rows.append(Row(places=tuple(places), top=top, bottom=bottom))
            places, origin = [], -left
        ink_top, ink_bottom = ink.top * factor, ink.bottom * factor + grown
        top = min(top, ink_top) if places else ink_top
        bottom = max(bottom, ink_bottom) if places else ink_bottom
        edge = max(edge, origin + right) if places else origin + right
        pen = origin + max(advance, 0.0)
        places.append((origin, ink))
    rows.append(Row(places=tuple(places), top=top, bottom=bottom))
    return rows


def placed_in(draft: Draft, box: tuple[int, int]) -> list[tuple[int, int, Ink]]:
    gap = _row_gap(draft, 1.0)
    rows = _balanced_rows(draft, box)
    spare = box[1] - _height(rows, gap)
    if len(rows) > 1:
        more = min(spare / (len(rows) - 1), draft.body / 2)
        gap, spare = gap + more, spare - more * (len(rows) - 1)
    y = spare / 2
    turned = {
        id(ink) for line in draft.lines if line.segment.direction == "rtl" for ink in line.inks
    }
    placed = []
    for row in rows:
        baseline = int(y - row.top)
        for origin, ink in row.places:
            x = box[0] - origin - ink.advance if id(ink) in turned else origin
            placed.append((int(x + 0.5), baseline, ink))
        y += row.bottom - row.top + gap
    return placed
