"""The table by which the offline embedder reads pictures, learned from words set in known fonts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from eval.datasets.building import family_half
from eval.pictures.draw import MANNERS, TAUGHT, draw
from indexer.catalog.family import Family
from indexer.embed.measured.axes import AXES
from indexer.embed.measured.embedder import MEASURED, MeasuredTraits
from indexer.embed.measured.pictures.lines import lines
from indexer.embed.measured.pictures.measures import Values, measures
from indexer.embed.measured.pictures.paper import coverage
from indexer.embed.measured.pictures.told import Table
from indexer.embed.protocol import Document
from indexer.errors import FontError, UserError
from indexer.fetch.files import FontFiles
from indexer.fontfile import open_font
from indexer.traits import Traits

RIDGE = 60.0  # of the standard measures; chosen on the folds below, for R@10
FOLDS = 5  # by family, for the variance on families that the table has not seen
MIN_FAMILIES = 50
LETTERS = 0.995  # share of the pictures that are taken for letters
LEAST_SCALE = 1e-3  # of a measure that is nearly always the same


def train(
    families: Sequence[Family],
    traits: Mapping[str, Traits],
    files: FontFiles,
) -> Table:
    """The table of these families' pictures. Raises UserError for too few, and for those of the report."""
    if strangers := [f.name for f in families if family_half(f.name) != "dev"]:
        raise UserError(f"{strangers[0]} is of the half that is reported, and teaches nothing.")
    measured, wanted, owner = [], [], []
    embedder = MeasuredTraits()
    for number, family in enumerate(families):
        if family.name not in traits or not traits[family.name].is_text:
            continue
        (vector,) = embedder.embed_documents([Document(traits=traits[family.name])])
        if isinstance(vector, FontError):
            continue
        for values in _pictures(family, files):
            measured.append(values)
            wanted.append(_places(vector.astype(np.float64)))
            owner.append(number)
    if len(set(owner)) < MIN_FAMILIES:
        raise UserError(
            f"{len(set(owner))} families are too few: {MIN_FAMILIES} or more are needed."
        )
    return fit(np.stack(measured), np.stack(wanted), np.array(owner))


def fit(measured: Values, wanted: Values, owner: Values) -> Table:
    """Ridge regression; the errors are those on the families of each fold, left out of the others.

    measured: (pictures, measures); wanted: (pictures, axes * 3); owner: (pictures,), the family.
    """
    families = np.random.default_rng(0).permutation(np.unique(owner))
    fold = np.searchsorted(np.sort(families), owner)
    fold = np.argsort(families)[fold] % FOLDS
    wrong = np.zeros_like(wanted)
    for left_out in range(FOLDS):
        test = fold == left_out
        table = _ridge(measured[~test], wanted[~test])
        wrong[test] = table.places(measured[test]) - wanted[test]
    table = _ridge(measured, wanted)
    return replace(
        table,
        errors=np.cov(wrong.T),
        strangeness=np.array(np.quantile(table.strange(measured), LETTERS)),
    )


def _ridge(measured: Values, wanted: Values) -> Table:
    size = wanted.shape[1]
    table = Table(
        mean=measured.mean(axis=0),
        scale=measured.std(axis=0) + LEAST_SCALE,
        usual=wanted.mean(axis=0),
        weights=np.zeros((measured.shape[1], size)),
        errors=np.zeros((size, size)),
        strangeness=np.array(np.inf),
    )
    standard = table.standard(measured)
    squares = standard.T @ standard + RIDGE * np.eye(standard.shape[1])
    weights = np.linalg.solve(squares, standard.T @ (wanted - table.usual)).astype(np.float64)
    return replace(table, weights=weights)


def _places(vector: Values) -> Values:
    """The vector's places on the axes, each of length 1."""
    start = min(MEASURED.values())
    places = vector[start : start + 3 * len(AXES)]
    return places / float(np.linalg.norm(places[:3]))


def _pictures(family: Family, files: FontFiles) -> list[Values]:
    """The measures of the family's pictures in which letters are found."""
    try:
        font = open_font(files.fetch(family.regular_file).path.read_bytes())
    except FontError:
        return []
    found = []
    for manner in MANNERS:
        picture = draw(font, family.name, manner, TAUGHT)
        try:
            if picture is not None:
                found.append(measures(lines(coverage(picture.data))))
        except UserError:  # too small in this manner: there is another
            continue
    return found
