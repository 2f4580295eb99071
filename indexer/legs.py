"""The legs of a query: what each is asked to embed, and which may rank. For Fonts and for the service."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from indexer.embed.protocol import Model, Query, Vector
from indexer.errors import EmbedderUnavailable, UserError
from indexer.spaces import Leg, Serving

SWITCHED = "Another space serves by now, or none does. Try again."
NO_WEIGHT = "It has no weight at alpha 0."
# They stand in names ("Open Sans") and in any description; sight tells what has serifs.
SEEN = re.compile(
    r"(?i)\b(sans|serifs?|mono|monospaced?|display|fonts?|typefaces?|letters?|lettering)\b"
)


@dataclass(frozen=True, kw_only=True)
class QueryVector:
    """What the embedder of a leg made of a query."""

    model: Model
    vector: Vector


Embedded = Mapping[Leg, QueryVector | UserError]  # an error: why the leg has no vector


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """What match_fonts_hybrid is to rank by."""

    vectors: Mapping[Leg, Vector]
    why_not: Mapping[Leg, str]  # of a leg that was embedded and does not rank
    query_text: str | None  # None: words are not looked up
    full_text_weight: float | None  # None: as deployed


def asked(query: Query) -> dict[Leg, Query]:
    """A picture says nothing to the text leg."""
    return {"vl": query, **({"text": Query(text=query.text)} if query.text else {})}


def ranking(
    query: Query, embedded: Embedded, serving: Serving, *, alpha: float | None, words: float | None
) -> Ranking:
    """A leg without a vector of the space that serves is omitted; if all are, words alone rank. Where the
    caller names alpha 0, looks alone are asked for: spelling does not rank in their place.

    alpha, words: the caller's, None where it names none. While sight ranks, its own words (SEEN) are not
    looked up. Raises UserError for a picture that looks cannot be ranked by: words would answer another
    question.
    """
    vectors: dict[Leg, Vector] = {}
    why_not: dict[Leg, str] = {}
    for leg, made in embedded.items():
        space = serving.get(leg)
        if not isinstance(made, UserError) and space is not None and made.model == space.model:
            vectors[leg] = made.vector
            continue
        why = made if isinstance(made, UserError) else EmbedderUnavailable(SWITCHED)
        if leg == "vl" and query.image is not None:
            raise why
        why_not[leg] = str(why)
    if alpha == 0 and "vl" in why_not and vectors.pop("text", None) is not None:
        # nobody asked for the text leg, and it would be all that ranks
        why_not["text"] = NO_WEIGHT
    if not vectors:
        words = 1.0
    return Ranking(
        vectors=vectors,
        why_not=why_not,
        query_text=None if words == 0 else _looked_up(query.text, sight="vl" in vectors),
        full_text_weight=words,
    )


def _looked_up(text: str | None, *, sight: bool) -> str | None:
    """None where nothing is left to look up."""
    return (" ".join(SEEN.sub(" ", text).split()) or None) if text and sight else text
