"""Words set in a font as they come to a search: small, grey, coloured, noisy, turned, in bad light."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from indexer.fontfile import FontFile

Manner = Literal[
    "clean", "small", "grey", "inverted", "coloured", "noisy", "turned", "photo", "lines"
]
MANNERS: tuple[Manner, ...] = (
    "clean", "small", "grey", "inverted", "coloured", "noisy", "turned", "photo", "lines",
)  # fmt: skip

MAX_PIXELS = 4_000_000  # of a picture

# Those of the training and those of the report have no word in common, nor with the sheets.
TAUGHT_TEXT = """\
Adventure Balcony Bicycle Blossom Bridge Candle Caravan Charming Citizen Compass Cottage Crystal
Dangerous Daylight Delicate Distant Domain Driftwood Elephant Embark Evening Fabric Festival
Flagship Forgotten Fountain Galaxy Gardener Glimpse Granite Hamburg Harvest Horizon Hundred
Imagine Industry Island Journal Kingdom Kitchen Landscape Lantern Library Lumber Magazine Marble
Meadow Midnight Mountain Museum Mystery Narrow Nightfall Novel Orange Orchard Passage Pepper
Pigeon Planet Portrait Quality Quarter Railway Rhythm River Saffron Season Shadow Silver Sketch
Stranger Sugar Summit Thunder Tomorrow Traffic Umbrella Unknown Valley Vanilla Village Violin
Voyage Waterfall Weekend Whisper Window Winter Yellow Zeppelin"""
ASKED_TEXT = """\
Absolute Airport Amber Backyard Beautiful Breakfast Camera Castle Chapter Climbing Coffee Concert
Desert Dragonfly Echoes Engine Fairground Feather Fresh Garlic Ghost Grapefruit Handmade Heritage
Hospital Hotel Jasmine Jungle Keyboard Language Legend Lemonade Maritime Melody Morning Nautical
Opera Paradise Penguin Physics Postcard Quarry Question Rainbow Restaurant Sailing Sandwich Signal
Spring Station Submarine Theatre Travel Triumph Tunnel Velvet Warehouse Wedding Weather Wonderful
Workshop Yoghurt"""
TAUGHT, ASKED = TAUGHT_TEXT.split(), ASKED_TEXT.split()


@dataclass(frozen=True, kw_only=True)
class Picture:
    words: str
    manner: Manner
    data: bytes  # PNG or JPEG


def draw(font: FontFile, name: str, manner: Manner, words: Sequence[str]) -> Picture | None:
    """The same picture for the same font, name, manner and words; None where the font cannot set it."""
    rng = _random(name, manner)
    text = _text(rng, manner, words)
    if not font.has(text.replace(" ", "").replace("\n", "")):
        return None
    x_height = {"small": (9.0, 14.0), "clean": (24.0, 70.0)}.get(manner, (14.0, 45.0))
    try:
        mask = _set(font, text, float(rng.uniform(*x_height)))
    except OSError:  # FreeType's: "execution context too long"
        return None
    if mask is None:
        return None
    if manner == "turned":
        angle = float(rng.uniform(1.5, 6.0) * rng.choice([-1, 1]))
        mask = mask.rotate(angle, Image.Resampling.BICUBIC, expand=True)
    ink = np.asarray(mask, dtype=np.float32) / np.float32(255)
    return Picture(words=text, manner=manner, data=_file(_shown(ink, manner, rng), manner, rng))


def _random(name: str, manner: str) -> np.random.Generator:
    digest = hashlib.sha256(f"{name} {manner}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "big"))


def _text(rng: np.random.Generator, manner: Manner, words: Sequence[str]) -> str:
    count = 5 if manner == "lines" else int(rng.integers(1, 4))
    chosen = [words[place] for place in rng.choice(len(words), count, replace=False)]
    text = " ".join([chosen[0], *(word.lower() for word in chosen[1:])])
    if manner == "lines":
        parts = text.split(" ")
        return " ".join(parts[:2]) + "\n" + " ".join(parts[2:])
    return text


def _set(font: FontFile, text: str, x_height: float) -> Image.Image | None:
    """The text at this x-height in pixels, white on black, with a margin."""
    probe = font.at(200).getbbox("x", anchor="ls")
    height = probe[3] - probe[1]
    if height <= 0:
        return None
    size = max(6, min(400, round(200 * x_height / height)))
    face: ImageFont.FreeTypeFont = font.at(size)
    canvas = ImageDraw.Draw(Image.new("L", (1, 1)))
    x0, y0, x1, y1 = canvas.multiline_textbbox((0, 0), text, font=face, spacing=size * 0.25)
    margin = round(0.4 * size)
    width, rows = int(x1 - x0) + 2 * margin, int(y1 - y0) + 2 * margin
    if x1 <= x0 or width * rows > MAX_PIXELS:
        return None
    image = Image.new("L", (width, rows))
    ImageDraw.Draw(image).multiline_text(
        (margin - x0, margin - y0), text, fill=255, font=face, spacing=size * 0.25
    )
    return image


def _shown(
    ink: NDArray[np.floating[Any]], manner: Manner, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Ink on paper in the colours and the light of the manner, (height, width, 3)."""
    paper, letters = np.full(3, 255.0), np.zeros(3)
    if manner == "grey":
        paper, letters = np.full(3, rng.uniform(170, 230)), np.full(3, rng.uniform(60, 110))
    elif manner == "inverted":
        paper, letters = np.full(3, rng.uniform(0, 60)), np.full(3, rng.uniform(190, 255))
    elif manner == "coloured":
        paper, letters = _colours(rng)
    elif manner == "photo":
        paper, letters = np.array([236.0, 228, 210]), np.array([52.0, 46, 44])
    seen = paper + (letters - paper) * ink[..., None]
    if manner == "photo":
        rows, columns = ink.shape
        side = rng.uniform(-1, 1, 2)
        light = 0.72 + 0.28 * (
            side[0] * np.linspace(-1, 1, rows)[:, None] + side[1] * np.linspace(-1, 1, columns)
        )
        seen = seen * np.clip(light, 0.3, 1.0)[..., None] + rng.normal(0, 5, seen.shape)
    elif manner == "noisy":
        seen = seen + rng.normal(0, rng.uniform(12, 26), seen.shape)
    pixels: NDArray[np.uint8] = np.clip(seen, 0, 255).astype(np.uint8)
    return pixels


def _colours(rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Two that differ clearly, in brightness or not."""
    while True:
        paper, letters = rng.uniform(0, 255, 3), rng.uniform(0, 255, 3)
        if float(np.linalg.norm(paper - letters)) > 160:
            return paper, letters


def _file(seen: NDArray[np.uint8], manner: Manner, rng: np.random.Generator) -> bytes:
    image, out = Image.fromarray(seen), io.BytesIO()
    lossy: Mapping[Manner, tuple[int, int]] = {
        "photo": (60, 85),
        "turned": (70, 90),
        "grey": (35, 60),
    }
    if manner in lossy:
        image.save(out, "JPEG", quality=int(rng.integers(*lossy[manner])))
    else:
        image.save(out, "PNG")
    return out.getvalue()
