"""From tagged families and their measurements to what words mean: the file words.json.

For each tag the direction in which its families lie from all others, once the spread that families have
anyway is taken out: Fisher's linear discriminant, with a covariance that is shrunk. A word is kept where
that ranks families that it was not learned from better than the lexicon does.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eval.datasets.building import family_half
from eval.datasets.importers import Tags
from eval.datasets.tags import tag_queries
from indexer.embed.measured.axes import AXES
from indexer.embed.measured.embedder import MEASURED, MeasuredTraits
from indexer.embed.measured.learned import Signature, entry_of, parse, signature
from indexer.embed.protocol import Document
from indexer.errors import FontError, UserError
from indexer.traits import Traits

MIN_FAMILIES = 200  # below it the covariance of 68 coordinates is guesswork
MIN_TAGGED = 8  # families of a word: of fewer, the direction is that of chance
SHRUNK = 0.1  # of the mean variance, added to each: the best of .03 to 3 by cross-validation
SMALL = 0.05  # what counts for less is left out of the file

FOLDS = 5
BETTER = 1.2  # times the average precision of the lexicon: less is chance with so few families

PLACES = [place + part for place in MEASURED.values() for part in (0, 1)]  # middle and end
Matrix = NDArray[np.float64]
Flags = NDArray[np.bool_]


def of_development(tags: Tags) -> Tags:
    """The families and tags that may be learned from: the others are reported on."""
    learned = {query.id for query in tag_queries(tags) if query.split == "dev"}
    return {
        family: {tag: weight for tag, weight in weights.items() if tag in learned}
        for family, weights in tags.items()
        if weights and family_half(family) == "dev"
    }


def train(tags: Tags, traits: Mapping[str, Traits]) -> dict[str, Any]:
    """The words of the development half, learned from its families that were measured.

    Raises UserError for fewer than MIN_FAMILIES.
    """
    allowed = of_development(tags)
    names = [name for name in sorted(traits) if name in allowed]
    made = MeasuredTraits(learned={}).embed_documents(
        [Document(traits=traits[name]) for name in names]
    )
    vectors = {
        name: vector
        for name, vector in zip(names, made, strict=True)
        if not isinstance(vector, FontError)
    }
    if len(vectors) < MIN_FAMILIES:
        raise UserError(
            f"Only {len(vectors)} tagged families of the development half could be measured, and "
            f"{MIN_FAMILIES} are needed. Take more: --families."
        )
    fonts = np.array(list(vectors.values()), dtype=np.float64)
    folds = np.array([_fold(name) for name in vectors])
    words = {}
    for word, alike in _words(allowed).items():
        tagged = np.array([not alike.isdisjoint(allowed[name]) for name in vectors])
        if tagged.sum() >= MIN_TAGGED and _helps(word, fonts, tagged, folds):
            words[word] = _known(fonts, tagged)
    return {"families": len(vectors), "words": words}


def _helps(word: str, fonts: Matrix, tagged: Flags, folds: NDArray[np.int64]) -> bool:
    """Whether families that were not learned from are ranked much better than by the lexicon alone."""
    by_lexicon, by_people = np.zeros(len(fonts)), np.zeros(len(fonts))
    plain = MeasuredTraits(learned={}).embed_query(word)
    for fold in range(FOLDS):
        seen = folds != fold
        if not tagged[seen].any():
            return False
        learned = parse(json.dumps({"words": {word: _known(fonts[seen], tagged[seen])}}))
        by_lexicon[~seen] = fonts[~seen] @ plain
        by_people[~seen] = fonts[~seen] @ MeasuredTraits(learned=learned).embed_query(word)
    return _precision(by_people, tagged) > BETTER * _precision(by_lexicon, tagged)


def _precision(scores: Matrix, tagged: Flags) -> float:
    """Average precision."""
    hits = tagged[np.argsort(-scores, kind="stable")]
    return float((np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits].mean())


def _known(fonts: Matrix, tagged: Flags) -> dict[str, Any]:
    """As it stands in the file."""
    return {"families": int(tagged.sum()), "towards": _towards(_direction(fonts, tagged))}


def _direction(fonts: Matrix, tagged: Flags) -> Matrix:
    """In which the tagged fonts lie, (2 * axes,), of length 1."""
    known = fonts[:, PLACES]
    covariance = np.cov(known.T)
    size = len(covariance)
    covariance += SHRUNK * np.trace(covariance) / size * np.eye(size)
    direction = np.linalg.solve(covariance, known[tagged].mean(axis=0) - known.mean(axis=0))
    return np.asarray(direction / np.linalg.norm(direction))


def _fold(name: str) -> int:
    """Relatives are in one."""
    return hashlib.sha256(f"fold {name.split(maxsplit=1)[0]}".encode()).digest()[0] % FOLDS


def _words(tags: Tags) -> dict[str, set[str]]:
    """The tags of each entry of the lexicon ("script" and "cursive" are one), by the first of them."""
    entries: defaultdict[Signature, set[str]] = defaultdict(set)
    for tag in {tag for weights in tags.values() for tag in weights}:
        if entry := entry_of(tag):
            entries[signature(entry)].add(tag)
    return dict(sorted((min(alike), alike) for alike in entries.values()))


def written(learned: Mapping[str, Any]) -> str:
    """The file: one line for each word, so that a change can be read."""
    head = {key: value for key, value in learned.items() if key != "words"}
    lines = [
        f" {json.dumps(word)}: {json.dumps(known)}" for word, known in learned["words"].items()
    ]
    return json.dumps(head)[:-1] + ', "words": {\n' + ",\n".join(lines) + "\n}}\n"


def _towards(direction: Matrix) -> dict[str, list[float]]:
    pairs = direction.reshape(-1, 2)
    return {
        axis: [round(float(middle), 2), round(float(end), 2)]
        for axis, (middle, end) in zip(AXES, pairs, strict=True)
        if max(abs(middle), abs(end)) >= SMALL
    }
