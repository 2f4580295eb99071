"""Which vectors are ranked by: those that the evaluation makes, or those that a database serves.

A is a text space and B2 a space of sheets with a short text; both serve, for the app's function ranks what
serves. B1, sheets alone, is a candidate space beside them, so that no serving vector is touched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from eval.datasets.dataset import Dataset
from eval.runs import corpus
from eval.runs.corpus import Tools
from eval.runs.record import Variant
from indexer import choose, spaces
from indexer.database.connect import Connection
from indexer.embed.protocol import Embedder
from indexer.errors import UserError
from indexer.settings import Settings
from indexer.sheet.render import SheetSpec
from indexer.spaces import Space
from indexer.text import LIGHT

CANDIDATE: Variant = "B1"


@dataclass(frozen=True, kw_only=True)
class Single:
    """A space that is ranked by, and the embedder of its queries."""

    space: Space
    embedder: Embedder


Singles = Mapping[Variant, Single]  # of A, B1 and B2


def own_singles(names: Sequence[Variant], *, text: Embedder, sheets: Embedder) -> Singles:
    """Legs of this version's sheets and texts."""
    spec = SheetSpec()
    possible: Singles = {
        "A": Single(space=spaces.text_space(text), embedder=text),
        "B1": Single(space=spaces.vl_space(sheets, spec, None), embedder=sheets),
        "B2": Single(space=spaces.vl_space(sheets, spec, LIGHT), embedder=sheets),
    }
    return {name: possible[name] for name in names}


def prepare_own(
    connection: Connection, dataset: Dataset, folder: Path, singles: Singles, tools: Tools
) -> None:
    """In a database of the evaluation's own: import and embed what it does not have yet."""
    corpus.load(connection, dataset, folder, tools.files)
    corpus.refuse_leaks(connection, dataset)
    for name, single in singles.items():
        corpus.fill(connection, single.space, single.embedder, tools, serve=name != CANDIDATE)


def served_singles(connection: Connection, names: Sequence[Variant], settings: Settings) -> Singles:
    """Legs of the vectors that serve, and B1 as it belongs to them. Raises UserError where none do."""
    spaces_of = {name: _serving(connection, name) for name in names}
    of_leg = {  # B1 and B2 share a model, which need not be loaded twice
        space.leg: choose.for_queries(space, settings) for space in spaces_of.values()
    }
    return {
        name: Single(space=space, embedder=of_leg[space.leg]) for name, space in spaces_of.items()
    }


def prepare_served(
    connection: Connection, dataset: Dataset, singles: Singles, tools: Tools
) -> None:
    """In a database that has its fonts and vectors: nothing is imported, and only B1 is embedded.

    Raises UserError where fonts of the dataset are not there.
    """
    corpus.refuse_absent(connection, dataset)
    corpus.refuse_leaks(connection, dataset)
    if candidate := singles.get(CANDIDATE):
        corpus.fill(connection, candidate.space, candidate.embedder, tools, serve=False)


def refuse_switched(connection: Connection, singles: Singles) -> None:
    """Raises UserError where a leg's space serves no longer."""
    for name, single in singles.items():
        if name != CANDIDATE and spaces.active(connection, single.space.leg) != single.space:
            raise UserError(
                f"Another space came to serve on the {single.space.leg} leg while {name} was ranked: "
                "rankings are of both. Give the command again, with --fresh."
            )


def _serving(connection: Connection, name: Variant) -> Space:
    """The space of A or B2 as it serves, or that of B1 that belongs to it."""
    leg: spaces.Leg = "text" if name == "A" else "vl"
    space = spaces.active(connection, leg)
    if space is None:
        raise UserError(
            f"No vectors of ours serve on the {leg} leg of this database. Run: indexer backfill"
        )
    if leg == "text":
        return space
    if space.text_schema is None:
        raise UserError(
            "The serving vl space holds sheets without a text, which is B1. To have B2 and fusions, "
            "fill and activate one with a text (indexer backfill --vl-text light/1; indexer spaces)."
        )
    if name == "B2":
        return space
    if space.sheet_spec != SheetSpec().identity:
        raise UserError(
            "The serving vl vectors were made from other sheets than this version renders, so B1 "
            "would be of other sheets than B2. Leave B1 out, or run: indexer backfill"
        )
    return replace(space, text_schema=None)
