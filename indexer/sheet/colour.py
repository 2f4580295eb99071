"""Colour layers brought into the one form that Pillow draws whole: COLRv0 within the base outline.

COLRv1 paint graphs become flat layers: a gradient its mean colour, every shape a layer of its own,
blend modes plain painting over. Layers of either version get a base outline that spans them,
because FreeType measures the base alone, and would clip what reaches beyond or draw nothing.
"""

# mypy: allow-untyped-calls
# (fontTools has no types)

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from fontTools.fontBuilder import FontBuilder
from fontTools.misc.transform import Identity, Transform
from fontTools.pens.cu2quPen import Cu2QuPen
from fontTools.pens.recordingPen import DecomposingRecordingPen
from fontTools.pens.transformPen import TransformPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont
from fontTools.ttLib.tables.otTables import CompositeMode, PaintFormat

from indexer.errors import FontError
from indexer.fontfile import FontFile, describe, open_font

MAX_DEPTH = 24  # of a paint graph
MAX_LAYERS = 400  # of one glyph
MAX_COORDINATE = 30_000  # what a glyph's 16 bits hold, with room
FOREGROUND = 0xFFFF

Colour = tuple[float, float, float, float]
BLACK: Colour = (0.0, 0.0, 0.0, 1.0)
Layer = tuple[str, Transform, Colour]


def flatten_colour(font: FontFile, characters: Iterable[str]) -> FontFile:
    """A small font of these characters only, each drawn by COLRv0 layers.

    Raises FontError (stage "render") if the font has no colour layers for any of them.
    """
    try:
        with TTFont(io.BytesIO(font.data), fontNumber=font.face_index, lazy=True) as file:
            data = _flattened(file, font, sorted(set(characters)))
    except FontError:
        raise
    except Exception as error:  # fontTools raises whatever its parsers run into
        raise describe(error, "render") from error
    return open_font(data)


def _flattened(file: TTFont, font: FontFile, characters: list[str]) -> bytes:
    palette = [
        (c.red / 255, c.green / 255, c.blue / 255, c.alpha / 255) for c in file["CPAL"].palettes[0]
    ]
    outlines = file.getGlyphSet(location=dict(font.location))
    blank = TTGlyphPen(None).glyph()
    glyphs: dict[str, Any] = {".notdef": blank}
    widths = {".notdef": font.units_per_em}
    cmap: dict[int, str] = {}
    layers: dict[str, list[tuple[str, int]]] = {}
    colours: dict[Colour, int] = {BLACK: 0}
    shapes_of = _shapes(file, palette)
    for character in characters:
        name = font.cmap.get(ord(character), "")
        shapes = list(islice(shapes_of(name), MAX_LAYERS))
        if not shapes:
            continue
        base = f"base{len(cmap)}"
        cmap[ord(character)], layers[base] = base, []
        widths[base] = int(outlines[name].width)
        for shape, transform, colour in shapes:
            layer = f"layer{len(glyphs)}"
            glyphs[layer] = _glyph(outlines, shape, transform)
            widths[layer] = widths[base]
            layers[base].append((layer, colours.setdefault(colour, len(colours))))
        glyphs[base] = _frame([glyphs[layer] for layer, _ in layers[base]])
    if not cmap:
        raise FontError("render", "The font keeps its pictures in a form that cannot be drawn.")
    return _built(
        units_per_em=font.units_per_em,
        glyphs=glyphs,
        widths=widths,
        cmap=cmap,
        layers=layers,
        colours=list(colours),
    )


def _shapes(file: TTFont, palette: list[Colour]) -> Callable[[str], Iterator[Layer]]:
    """The layers of a glyph by its name, of either version of the table."""
    colr = file["COLR"]
    if colr.version == 0:

        def flat(name: str) -> Iterator[Layer]:
            for record in colr.ColorLayers.get(name, ()):
                yield record.name, Identity, _entry(record.colorID, 1.0, palette)

        return flat
    table = colr.table
    graphs = table.BaseGlyphList.BaseGlyphPaintRecord if table.BaseGlyphList else ()
    paints = {record.BaseGlyph: record.Paint for record in graphs}

    def graph(name: str) -> Iterator[Layer]:
        if name in paints:
            yield from _layers(paints[name], table, palette, Identity, 0)

    return graph


def _layers(
    paint: Any, table: Any, palette: list[Colour], transform: Transform, depth: int
) -> Iterator[Layer]:
    """Shapes of a paint graph, bottom first."""
    if depth > MAX_DEPTH:
        return
    if paint.Format == PaintFormat.PaintGlyph:
        yield paint.Glyph, transform, _colour(paint.Paint, table, palette, depth)
        return
    children = paint.getChildren(table)
    if paint.Format == PaintFormat.PaintComposite:
        children = _composed(paint)
    inner = transform.transform(paint.getTransform())
    for child in children:
        yield from _layers(child, table, palette, inner, depth + 1)


def _composed(paint: Any) -> list[Any]:
    mode = paint.CompositeMode
    if mode == CompositeMode.CLEAR:
        return []
    if mode in (CompositeMode.SRC, CompositeMode.SRC_IN, CompositeMode.SRC_OUT):
        return [paint.SourcePaint]
    if mode in (CompositeMode.DEST, CompositeMode.DEST_IN, CompositeMode.DEST_OUT):
        return [paint.BackdropPaint]
    return [paint.BackdropPaint, paint.SourcePaint]


def _colour(paint: Any, table: Any, palette: list[Colour], depth: int) -> Colour:
    """The one colour of a fill: its own, or the mean of a gradient's stops."""
    if depth > MAX_DEPTH:
        return BLACK
    if hasattr(paint, "ColorLine"):
        stops = [
            _entry(stop.PaletteIndex, stop.Alpha, palette) for stop in paint.ColorLine.ColorStop
        ]
        mean = [round(sum(parts) / len(stops), 2) for parts in zip(*stops, strict=True)]
        return (mean[0], mean[1], mean[2], mean[3]) if stops else BLACK
    if hasattr(paint, "PaletteIndex"):
        return _entry(paint.PaletteIndex, paint.Alpha, palette)
    for child in paint.getChildren(table):
        return _colour(child, table, palette, depth + 1)
    return BLACK


def _entry(index: int, alpha: float, palette: list[Colour]) -> Colour:
    if index == FOREGROUND or index >= len(palette):
        return (0.0, 0.0, 0.0, alpha)
    red, green, blue, own = palette[index]
    return (red, green, blue, own * alpha)


def _glyph(outlines: Any, name: str, transform: Transform) -> Any:
    recording = DecomposingRecordingPen(outlines)
    outlines[name].draw(recording)
    pen = TTGlyphPen(None)
    recording.replay(TransformPen(Cu2QuPen(pen, 1.0, reverse_direction=False), transform))
    glyph = pen.glyph()
    if any(
        abs(value) > MAX_COORDINATE
        for point in getattr(glyph, "coordinates", ())
        for value in point
    ):
        raise FontError("render", "A colour layer of the font reaches beyond all bounds.")
    return glyph


def _frame(layers: list[Any]) -> Any:
    """An outline that spans all layers."""
    points = [point for glyph in layers for point in getattr(glyph, "coordinates", ())]
    pen = TTGlyphPen(None)
    if points:
        left, bottom = (min(point[axis] for point in points) for axis in (0, 1))
        right, top = (max(point[axis] for point in points) for axis in (0, 1))
        pen.moveTo((left, bottom))
        for corner in ((left, top), (right, top), (right, bottom)):
            pen.lineTo(corner)
        pen.closePath()
    return pen.glyph()


def _built(
    *,
    units_per_em: int,
    glyphs: dict[str, Any],
    widths: dict[str, int],
    cmap: dict[int, str],
    layers: dict[str, list[tuple[str, int]]],
    colours: list[Colour],
) -> bytes:
    builder = FontBuilder(units_per_em, isTTF=True)
    builder.setupGlyphOrder(list(glyphs))
    builder.setupCharacterMap(cmap)
    builder.setupGlyf(glyphs)
    bearings = {name: getattr(glyph, "xMin", 0) for name, glyph in glyphs.items()}
    builder.setupHorizontalMetrics({name: (widths[name], bearings[name]) for name in glyphs})
    builder.setupHorizontalHeader(ascent=units_per_em, descent=0)
    builder.setupPost()
    builder.setupCOLR(layers, version=0)
    builder.setupCPAL([colours])
    out = io.BytesIO()
    builder.save(out)
    return out.getvalue()
