"""What a query points at: its readings at one length, and words for a class before all others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import hypot

from indexer.embed.measured.learned import Learned, signature
from indexer.embed.measured.lexicon import Lexicon, Meaning
from indexer.embed.measured.reading import Reading, read

# A class is asked for as such: "elegant serif" means serifs, all else is a matter of degree. What the
# row says of its class counts for as much as three measured words.
CLASSES = (
    "serif", "serif typeface", "sans serif", "slab serif", "script", "handwriting", "display",
    "monospaced", "blackletter",
)  # fmt: skip
CLASS_MEASURED, CLASS_SAID = 1.5, 3.0

Points = dict[str, tuple[float, float]]  # by axis or concept: towards its middle, towards its end


def pointed(
    readings: Iterable[Reading], lexicon: Lexicon, learned: Learned
) -> tuple[Points, Points]:
    """Where a query points among measurements, and among words.

    No phrase is longer than 1, however many axes it means, and what is said twice ("narrow, condensed")
    counts once. A word that was learned means what people showed by its share, if it is not negated:
    what is unlike their fonts is of any kind.
    """
    classes = [reading.entry for name in CLASSES for reading in read(name, lexicon)]
    measured: Points = {}
    said: Points = {}
    for reading in _distinct(readings):
        is_class = reading.entry in classes
        word = None if reading.negated else learned.get(signature(reading.entry))
        share = word.share if word else 0.0
        scale = (1 - share) / max(1.0, _length(reading.entry))
        seen = CLASS_MEASURED if is_class else 1.0
        _add(measured, reading.coordinates, scale * seen)
        _add(said, reading.coordinates, scale * (CLASS_SAID if is_class else 1.0))
        if word:
            _add(measured, word.towards, share * seen)
    return measured, said


def _distinct(readings: Iterable[Reading]) -> list[Reading]:
    found: list[Reading] = []
    for reading in readings:
        if all(reading.meaning != other.meaning for other in found):
            found.append(reading)
    return found


def _length(meaning: Meaning) -> float:
    return hypot(*(place.importance for place in meaning.values()))


def _add(points: Points, more: Mapping[str, tuple[float, float]], scale: float) -> None:
    for axis, (middle, end) in more.items():
        so_far = points.get(axis, (0.0, 0.0))
        points[axis] = (so_far[0] + scale * middle, so_far[1] + scale * end)
