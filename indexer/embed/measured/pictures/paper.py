"""A picture file as ink on paper: one grey of coverage, whatever the colours and the light were."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps

from indexer.errors import UserError

FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
MAX_BYTES = 8 << 20
MAX_PIXELS = 16_000_000  # of the file; they are counted before they are decoded
MAX_SEEN = 1_000_000  # pixels that are looked at; larger pictures are reduced to them
THUMB = 72  # pixels of a side of the picture of the light
STROKE = 11  # pixels of that picture: no stroke is thicker than a seventh of the whole
LEAST_SIDE = 8  # pixels
LEAST_CONTRAST = 12  # of 255, between paper and ink
CUT = 1 / 2  # share of coverage from which a pixel is ink

NO_LETTERS = (
    "No letters were found in the picture. Send one with a word or more in one font, cropped to the "
    "letters, on an even ground."
)

Coverage = NDArray[np.floating[Any]]  # 0 paper to 1 ink, rows from the top


def coverage(data: bytes) -> Coverage:
    """How much ink each pixel holds, of shape (height, width), at most MAX_SEEN pixels.

    Raises UserError for what is no picture, has too many pixels, or is of one colour.
    """
    image = _opened(data)
    if min(image.size) < LEAST_SIDE:
        raise UserError(NO_LETTERS)
    grey = _one_colour(image)
    if float(np.ptp(grey)) < LEAST_CONTRAST:
        raise UserError(NO_LETTERS)
    if _light_on_dark(grey):
        grey = 255 - grey
    shade = np.clip(grey / np.maximum(_light(grey), 16.0), 0.0, 1.0)
    return _between(shade / _slope(shade))


def _opened(data: bytes) -> Image.Image:
    if len(data) > MAX_BYTES:
        raise UserError(f"The picture is larger than {MAX_BYTES >> 20} MiB: send a smaller one.")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise UserError(
                    f"The picture has {image.width * image.height:,} pixels; at most "
                    f"{MAX_PIXELS:,} are read. Crop it to some words."
                )
            image.draft("RGB", _seen(image.width, image.height))
            image.load()
            upright = ImageOps.exif_transpose(image)
    except Image.DecompressionBombError:
        raise UserError(f"The picture has more than {MAX_PIXELS:,} pixels: crop it.") from None
    except (OSError, ValueError, SyntaxError, ArithmeticError, LookupError):
        raise UserError(
            f"The picture cannot be read: it is damaged, or in none of the formats {', '.join(FORMATS)}."
        ) from None
    size = _seen(upright.width, upright.height)
    wide = upright.convert("RGBA" if upright.has_transparency_data else "RGB")
    return wide if size == wide.size else wide.resize(size, Image.Resampling.BOX, reducing_gap=2.0)


def _seen(width: int, height: int) -> tuple[int, int]:
    scale = min(1.0, (MAX_SEEN / (width * height)) ** 0.5)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _one_colour(image: Image.Image) -> Coverage:
    """Along the direction in which the picture's colours differ most: red letters on green too."""
    pixels: Coverage = np.asarray(image, dtype=np.float32)
    if pixels.shape[2] == 4:
        alpha = pixels[..., 3:] / 255
        drawn = float(alpha.sum())
        ink = float((pixels[..., :3].mean(axis=2, keepdims=True) * alpha).sum()) / max(drawn, 1.0)
        ground = 255.0 if ink < 128 else 0.0  # light letters on nothing stand before dark pages
        pixels = pixels[..., :3] * alpha + ground * (1 - alpha)
    flat = pixels.reshape(-1, 3)
    some = flat[:: max(1, len(flat) // 20_000)].astype(np.float64)
    spread = np.cov(some.T) + 1e-6 * np.eye(3)
    axis = np.linalg.eigh(spread)[1][:, -1]
    axis *= 1.0 if axis.sum() >= 0 else -1.0
    low, high = np.clip(-axis, 0, None).sum() * 255, np.clip(axis, 0, None).sum() * 255
    along: Coverage = (pixels @ axis.astype(np.float32) + low) * (255 / (low + high))
    return along.astype(np.float32)


def _light_on_dark(grey: Coverage) -> bool:
    """The ground is what there is more of, on the whole and along the frame."""
    small = _thumbnail(grey, 4 * THUMB)
    radius = max(small.size) / 4
    high = np.asarray(small, dtype=np.float32) - np.asarray(
        small.filter(ImageFilter.BoxBlur(radius)), dtype=np.float32
    )
    dark = high < otsu(high)
    frame = np.concatenate([dark[0], dark[-1], dark[:, 0], dark[:, -1]])
    return float(dark.mean()) + float(frame.mean()) > 1.0


def _light(grey: Coverage) -> Coverage:
    """The brightness of the paper under each pixel: what is left when strokes are closed."""
    small = _thumbnail(grey, THUMB)
    closed = small.filter(ImageFilter.MaxFilter(STROKE)).filter(ImageFilter.MinFilter(STROKE))
    smooth = closed.filter(ImageFilter.BoxBlur(3)).resize(grey.shape[::-1])
    return np.asarray(smooth, dtype=np.float32)


def _slope(shade: Coverage) -> Coverage:
    """What is left of uneven light, mostly at the frame: a surface of the second degree through the paper."""
    rows, columns = shade.shape
    step = max(1, min(rows, columns) // THUMB)
    some = shade[::step, ::step]
    paper = some >= otsu(some)
    places = _powers(np.arange(0, rows, step) / rows, np.arange(0, columns, step) / columns)
    fitted, *_ = np.linalg.lstsq(places[paper], some[paper], rcond=None)
    surface = _powers(np.arange(rows) / rows, np.arange(columns) / columns) @ fitted
    found: Coverage = np.clip(surface, 0.25, None).astype(np.float32)
    return found


def _powers(y: Coverage, x: Coverage) -> Coverage:
    """1, y, x, y², xy and x² of each place of the grid, (rows, columns, 6)."""
    down, across = (grid.astype(np.float32) for grid in np.meshgrid(y, x, indexing="ij"))
    return np.stack([np.ones_like(down), down, across, down**2, down * across, across**2], axis=-1)


def _between(shade: Coverage) -> Coverage:
    """From paper to ink, 0 to 1, by the middles of the two kinds of pixels."""
    threshold = otsu(shade)
    dark, light = shade[shade < threshold], shade[shade >= threshold]
    if not dark.size or not light.size:
        raise UserError(NO_LETTERS)
    ink, paper = float(np.median(dark)), float(np.median(light))
    if (paper - ink) * 255 < LEAST_CONTRAST:
        raise UserError(NO_LETTERS)
    found: Coverage = np.clip((paper - shade) / (paper - ink), 0.0, 1.0)
    return found


def _thumbnail(grey: Coverage, side: int) -> Image.Image:
    image = Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8))
    scale = min(1.0, side / max(image.size))
    size = [max(4, round(length * scale)) for length in image.size]
    return image.resize((size[0], size[1]), Image.Resampling.BOX)


def otsu(values: Coverage) -> float:
    """The threshold between the two kinds of values that are furthest apart."""
    counts, edges = np.histogram(values, bins=128)
    share = np.cumsum(counts) / values.size
    middle = (edges[:-1] + edges[1:]) / 2
    mean = np.cumsum(counts * middle) / values.size
    with np.errstate(divide="ignore", invalid="ignore"):
        between = (mean[-1] * share - mean) ** 2 / (share * (1 - share))
    best = np.flatnonzero(between >= np.nanmax(between) * (1 - 1e-6))
    return float(edges[1 + int(best[len(best) // 2])])
