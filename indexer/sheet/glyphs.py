"""Ink on paper for a piece of text: outlines, colour layers and bitmap strikes behind one brush."""

# mypy: allow-untyped-calls
# (fontTools has no types)

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

from fontTools.ttLib import TTFont
from PIL import Image, ImageChops, ImageDraw

from indexer.fontfile import FontFile
from indexer.sheet.samples import Direction

MAX_PIECE_PIXELS = 4 << 20  # no piece that fits a sheet is larger; beyond it only the box is known
READABLE = 160  # the darkest pixel of a colour glyph that can be read as it is
FAINT = 40  # a colour glyph lighter than this is shown as its silhouette
MAX_STRIKE = 160  # px; the sheet never needs more


@dataclass(frozen=True, kw_only=True)
class Ink:
    """A piece of text at one size. Pixels from its origin on the baseline; y grows downwards."""

    text: str
    left: int
    top: int
    right: int
    bottom: int
    advance: float  # or to the end of the ink, where that reaches further
    mask: Image.Image | None  # mode L, 255 is black, cropped to the ink; None: too large to draw


@dataclass(frozen=True, kw_only=True)
class Technique:
    """How a font has to be drawn."""

    colour: bool = False  # its layers or bitmaps have colours, which become greys
    strike: int | None = None  # px per em of its bitmaps; None for outlines


OUTLINES = Technique()
LAYERS = Technique(colour=True)  # for fonts from indexer.sheet.colour


def technique_of(font: FontFile) -> Technique:
    """Bitmaps for a font that has nothing else or Apple's; else outlines, in black."""
    only_bitmaps = "CBDT" in font.tables and not font.tables & {"glyf", "CFF ", "CFF2"}
    if not only_bitmaps and "sbix" not in font.tables:
        return OUTLINES
    with TTFont(io.BytesIO(font.data), fontNumber=font.face_index, lazy=True) as file:
        if only_bitmaps:
            tables: list[Any] = [strike.bitmapSizeTable for strike in file["CBLC"].strikes]
            sizes = [table.ppemY for table in tables]
        else:
            sizes = list(file["sbix"].strikes)
    usable = [size for size in sizes if 0 < size <= MAX_STRIKE] or sizes
    return Technique(colour=True, strike=max(usable, default=None))


def has_flat_layers(font: FontFile) -> bool:
    """Whether the font has COLR layers of version 0."""
    if "COLR" not in font.tables:
        return False
    with TTFont(io.BytesIO(font.data), fontNumber=font.face_index, lazy=True) as file:
        return bool(file["COLR"].version == 0)


class Brush:
    """A font at one size."""

    def __init__(self, font: FontFile, technique: Technique, pixels: int) -> None:
        self.font = font
        self.pixels = pixels  # per em
        self.colour = technique.colour
        self.mode = "RGBA" if technique.colour else "L"
        self.face = font.at(technique.strike or pixels)
        self.scale = pixels / technique.strike if technique.strike else 1.0
        self.drawn: dict[tuple[str, Direction, str], Ink | None] = {}

    def draw(self, text: str, direction: Direction = "ltr", language: str = "en") -> Ink | None:
        """The ink of the text; None where it leaves none or reaches beyond ten times the em."""
        key = (text, direction, language)
        if key not in self.drawn:
            try:
                self.drawn[key] = self._draw(text, direction, language)
            except OSError as error:
                # FreeType paints no glyph of more than ten times the em; one of those in a font
                # is left out, any other failure is the font's
                if "raster overflow" not in str(error):
                    raise
                self.drawn[key] = None
        return self.drawn[key]

    def _draw(self, text: str, direction: Direction, language: str) -> Ink | None:
        extent = self.face.getbbox(
            text, mode=self.mode, direction=direction, language=language, anchor="ls"
        )
        left, top = int(extent[0]) - 1, int(extent[1]) - 1
        right, bottom = int(extent[2]) + 1, int(extent[3]) + 1
        # The extent covers both ink and advance. To shape once more for the advance alone would
        # cost a third of the time, and where ink overhangs, the ink decides about the next place.
        advance = extent[2] * self.scale
        size = (right - left, bottom - top)
        mask = None
        if size[0] * size[1] <= MAX_PIECE_PIXELS:
            written = self._grey if self.colour else self._black
            drawn = written(text, size, (-left, -top), direction, language)
            if self.scale != 1.0:
                drawn = _resized(drawn, self.scale)
                left, top = round(left * self.scale), round(top * self.scale)
            area = drawn.getbbox()
            if area is None:
                return None
            mask = drawn.crop(area)
            left, top = left + area[0], top + area[1]
            right, bottom = left + mask.width, top + mask.height
        return Ink(
            text=text, left=left, top=top, right=right, bottom=bottom, advance=advance, mask=mask
        )

    def space(self) -> float | None:
        """The advance of a space in px; None if the font has none."""
        if not self.font.has(" "):
            return None
        return self.face.getlength(" ", mode=self.mode) * self.scale

    def _black(
        self,
        text: str,
        size: tuple[int, int],
        origin: tuple[int, int],
        direction: Direction,
        language: str,
    ) -> Image.Image:
        image = Image.new("L", size, 0)
        ImageDraw.Draw(image).text(
            origin, text, 255, self.face, anchor="ls", direction=direction, language=language
        )
        return image

    def _grey(
        self,
        text: str,
        size: tuple[int, int],
        origin: tuple[int, int],
        direction: Direction,
        language: str,
    ) -> Image.Image:
        on_white, on_black = Image.new("RGB", size, "white"), Image.new("RGB", size, "black")
        for image in (on_white, on_black):
            ImageDraw.Draw(image).text(
                origin,
                text,
                "black",
                self.face,
                anchor="ls",
                direction=direction,
                language=language,
                embedded_color=True,
            )
        darkness = ImageChops.invert(on_white.convert("L"))
        darkest = max(value for value, count in enumerate(darkness.histogram()) if count)
        if darkest >= READABLE:
            return darkness
        if darkest >= FAINT:
            return darkness.point([min(255, value * READABLE // darkest) for value in range(256)])
        return ImageChops.invert(ImageChops.subtract(on_white, on_black).convert("L"))


def _resized(mask: Image.Image, scale: float) -> Image.Image:
    size = (max(1, round(mask.width * scale)), max(1, round(mask.height * scale)))
    return mask.resize(size, Image.Resampling.LANCZOS)
