"""Made-up vectors of fonts with the structure that a search has to cope with, without a model.

A real index is expensive to embed and cannot be passed on; its speed and recall depend on a few
properties of the vectors, which these have by construction:

- **Matryoshka.** Kusupati et al. 2022 (arXiv 2205.13147) train embeddings whose first coordinates carry
  most of what the whole says. Here the standard deviation of coordinate j falls as j^-0.5, so the first
  1024 of 4096 carry 84 % of the energy. All vectors have length 1.
- **Neighbourhoods.** A font is one of about ten of its style, which is one of 200 clusters' (the shares of
  energy: LEVELS).
- **Two legs that agree in part.** At each level the text and the appearance vector of a font share part
  of what they are drawn from (SHARED).
- **Queries** are fonts of the table under noise, which the legs share in part like everything else:
  close to something, equal to nothing. With NOISE the cosine to that font is about 0.7.

Limits: the spectrum is one smooth law along the axes, where a trained model's prefix is *trained* to
rank alike; Gaussian mixtures have no hubs, no duplicates and no common direction (cosines of unrelated
fonts are 0 here, not 0.4); styles are alike in size. The noise decides how hard it is: with 0.75 (a cosine of
about 0.5) an index must look twice as deep as with 0.5. So times carry over to real vectors, and recall is
only a warning sign.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from indexer.spaces import SERVING_DIMENSION

Floats = NDArray[np.float32]

LEGS = ("text", "vl")
DECAY = 0.5  # of the standard deviations along the coordinates
CLUSTERS = 200
LEVELS = {"cluster": 0.3, "style": 0.3, "font": 0.4}  # shares of a vector's energy
SHARED = 0.65  # of each level's energy, between the legs
NOISE = 0.5  # of a query's energy
CHUNK = 1000  # fonts: 16 MB each leg
STYLES = 100  # in a chunk: a larger collection has more styles, not larger ones
QUERIES_STREAM = 1 << 32  # a random stream that is no chunk's


class SyntheticFonts:
    """A collection of `rows` fonts, the same for the same seed; it is drawn anew at each pass."""

    def __init__(self, rows: int, seed: int = 0) -> None:
        self.rows = rows
        self._seed = seed
        random = np.random.default_rng(seed)
        spread = np.arange(1, SERVING_DIMENSION + 1, dtype=np.float32) ** -DECAY
        self._spread = spread / np.linalg.norm(spread)
        self._clusters = self._draw(random, CLUSTERS, LEVELS["cluster"])

    def chunks(self) -> Iterator[tuple[int, dict[str, Floats]]]:
        """Consecutive fonts: the number of the first, and their unit vectors on each leg, (fonts, 4096)."""
        for first in range(0, self.rows, CHUNK):
            yield first, self._chunk(first)

    def queries(self, count: int, noise: float = NOISE) -> dict[str, Floats]:
        """Unit vectors of each leg, (count, 4096); `noise` is its share of their energy."""
        random = np.random.default_rng([self._seed, QUERIES_STREAM])
        # fonts of the first chunk: all chunks are drawn alike
        fonts = self._chunk(0)
        which = random.integers(len(fonts["text"]), size=count)
        other = self._draw(random, count, noise)
        kept = np.float32((1 - noise) ** 0.5)
        return {leg: unit(kept * fonts[leg][which] + other[leg]) for leg in LEGS}

    def _chunk(self, first: int) -> dict[str, Floats]:
        random = np.random.default_rng([self._seed, first])
        count = min(CHUNK, self.rows - first)
        cluster = random.integers(CLUSTERS, size=STYLES)
        style = random.integers(STYLES, size=count)
        styles = self._draw(random, STYLES, LEVELS["style"])
        own = self._draw(random, count, LEVELS["font"])
        return {
            leg: unit((self._clusters[leg][cluster] + styles[leg])[style] + own[leg])
            for leg in LEGS
        }

    def _draw(self, random: np.random.Generator, count: int, energy: float) -> dict[str, Floats]:
        """Vectors of each leg that have SHARED of their energy in common."""
        common = self._normal(random, count, energy * SHARED)
        return {leg: common + self._normal(random, count, energy * (1 - SHARED)) for leg in LEGS}

    def _normal(self, random: np.random.Generator, count: int, energy: float) -> Floats:
        normal = random.standard_normal((count, SERVING_DIMENSION), dtype=np.float32)
        normal *= self._spread * np.float32(energy**0.5)
        return normal


def unit(vectors: Floats) -> Floats:
    """Each row scaled to length 1."""
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)
