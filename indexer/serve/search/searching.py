"""One search: the query's vectors, the database's function, and what there is to say about the answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from indexer import search, weights
from indexer.catalog.scripts import subsets_of
from indexer.database.connect import Connection
from indexer.embed.protocol import Query, Understanding, Vector
from indexer.search import Hit
from indexer.serve.refusals import Refusal
from indexer.serve.search.visible import object_or_none
from indexer.serve.search.why import Reason, reasons
from indexer.serve.vectors.service import WARM_UP, Service, Serving
from indexer.spaces import Leg
from indexer.weights import Fusion

MAX_QUERY = 1_000  # characters, as match_fonts_hybrid takes
DETAILS = "select id, license, styles, traits from public.fonts where id = any(%s)"
CONDITION = "select font_index.filter_condition(%s)"
BY_NAME = sql.SQL("""
    select f.id, f.name, f.category, f.description, f.tags, f.source, f.files
    from public.fonts f where {condition} order by f.name, f.id limit %s offset %s
""")
NO_LEGS = dict.fromkeys((
    "score", "text_similarity", "text_rank", "vl_similarity", "vl_rank",
    "full_text_similarity", "full_text_rank",
))  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Search:
    """What is asked for; without query, image and font all fonts by name."""

    query: str | None = None
    image: bytes | None = None
    similar_to: UUID | None = None
    alpha: float | None = None
    words: float | None = None  # full_text_weight
    fusion: Fusion | None = None
    filter: Mapping[str, Any] | None = None
    limit: int = 20
    offset: int = 0


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A query's vectors, and per leg why it has none."""

    vectors: Mapping[Leg, Vector]
    why_not: Mapping[Leg, str]


async def warm_up(service: Service) -> None:
    """One search, so that no caller waits for connections and caches."""
    await answer(service, Search(query=WARM_UP))


async def answer(service: Service, wanted: Search) -> dict[str, Any]:
    """The body of POST /search's answer. Raises Refusal, and what the database refuses."""
    if mismatch := service.mismatch(service.serving):
        raise Refusal(503, mismatch)
    began = time.perf_counter()
    asked = await _embedded(service, wanted)
    embedded = time.perf_counter()
    found, searched, body, done = await service.reader.answer(
        lambda: _answered(service, wanted, asked)
    )
    if found.serving["text"] and not service.fits("text", found.serving):
        await service.follow_text()
    parts = {
        "embedding": embedded - began,
        "rpc": found.seconds,
        "rendering": done - searched,
    }
    parts["other"] = done - began - sum(parts.values())
    body["milliseconds"] = {name: _ms(seconds) for name, seconds in parts.items()}
    body["milliseconds"]["total"] = _ms(done - began)
    return body


@dataclass(frozen=True, kw_only=True)
class _Found:
    rows: Sequence[dict[str, Any]]
    details: Mapping[UUID, dict[str, Any]]
    serving: Serving
    exactness: str | None
    alpha: float
    asked: Asked
    words: bool  # were looked up
    notices: Sequence[str]
    seconds: float  # of the function of the database alone


def _answered(
    service: Service, wanted: Search, asked: Asked
) -> tuple[_Found, float, dict[str, Any], float]:
    """What was found, and the body that tells it, each with when it was there.

    In a thread, the body too: to read a long query takes a while.
    """
    found = _found(service, wanted, asked)
    searched = time.perf_counter()
    body = _told(service, wanted, found)
    return found, searched, body, time.perf_counter()


async def _embedded(service: Service, wanted: Search) -> Asked:
    if wanted.similar_to is not None or (wanted.query is None and wanted.image is None):
        return Asked(vectors={}, why_not={})
    query = Query(text=wanted.query, image=wanted.image)
    words = Query(text=wanted.query)
    legs: dict[Leg, Query] = {"vl": query, **({"text": words} if wanted.query else {})}
    answers = await asyncio.gather(*(service.embed(leg, asked) for leg, asked in legs.items()))
    told = dict(zip(legs, answers, strict=True))
    if wanted.image is not None and told["vl"][0] is None:
        raise Refusal(422, told["vl"][1] or "The image cannot be embedded.")
    return Asked(
        vectors={leg: vector for leg, (vector, _) in told.items() if vector is not None},
        why_not={leg: why for leg, (_, why) in told.items() if why is not None},
    )


def _found(service: Service, wanted: Search, asked: Asked) -> _Found:
    """All of it from one snapshot: what serves, and what it finds."""
    with service.reader.owner() as connection:
        serving = service.read_serving(connection)
        if mismatch := service.mismatch(serving):
            raise Refusal(503, mismatch)
        deployed = weights.serving(connection)
        service.reader.become_visitor(connection)
        alpha = deployed.alpha if wanted.alpha is None else wanted.alpha
        asked, notices = _usable(service, serving, asked, alpha)
        began = time.perf_counter()
        if wanted.similar_to is not None:
            alpha = wanted.alpha or 0.0
            hits = _similar(connection, wanted, alpha)
        elif wanted.query is None and wanted.image is None:
            hits = None
        else:
            hits = _match(connection, wanted, asked)
        rows = _by_name(connection, wanted) if hits is None else [dict(vars(hit)) for hit in hits]
        seconds = time.perf_counter() - began
        return _Found(
            rows=rows,
            details=_details(connection, [row["id"] for row in rows]),
            serving=serving,
            exactness=hits[0].exactness if hits else None,
            alpha=alpha,
            asked=asked,
            words=bool(wanted.query) and wanted.words != 0,
            notices=notices,
            seconds=seconds,
        )


def _usable(
    service: Service, serving: Serving, asked: Asked, alpha: float
) -> tuple[Asked, list[str]]:
    """Without vectors that must not be compared, and what a person should be told."""
    vectors, why_not, notices = dict(asked.vectors), dict(asked.why_not), []
    for leg in [leg for leg in vectors if not service.fits(leg, serving)]:
        del vectors[leg]
        why_not[leg] = "Another space serves by now, or none does."
    if "vl" in why_not:
        notices.append(why_not["vl"])
    if alpha == 0 and "text" in vectors and "vl" in why_not:
        # at alpha 0 nobody asked for the text leg, and it would be all that ranks
        del vectors["text"]
        why_not["text"] = "It has no weight at alpha 0."
        notices.append("At alpha 0 only looks count, so only fonts that have the words are found.")
    return Asked(vectors=vectors, why_not=why_not), notices


def _match(connection: Connection, wanted: Search, asked: Asked) -> list[Hit]:
    text, vl = asked.vectors.get("text"), asked.vectors.get("vl")
    words = 1.0 if text is None and vl is None else wanted.words
    return search.match(
        connection,
        text=text,
        vl=vl,
        count=wanted.limit,
        match_offset=wanted.offset,
        query_text=None if words == 0 else wanted.query,
        full_text_weight=words,
        alpha=wanted.alpha,
        fusion=wanted.fusion,
        filter=wanted.filter,
    )


def _similar(connection: Connection, wanted: Search, alpha: float) -> list[Hit]:
    assert wanted.similar_to is not None
    return search.similar(
        connection,
        wanted.similar_to,
        match_count=wanted.limit,
        match_offset=wanted.offset,
        alpha=alpha,
        filter=wanted.filter,
    )


def _by_name(connection: Connection, wanted: Search) -> list[dict[str, Any]]:
    given = Jsonb(wanted.filter) if wanted.filter else None
    row = connection.execute(CONDITION, [given]).fetchone()
    assert row is not None
    # quoted by the database that made it; a percent sign in it is no placeholder
    statement = BY_NAME.format(condition=sql.SQL(row[0].replace("%", "%%")))
    with connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(statement, [wanted.limit, wanted.offset]).fetchall()
    return [{**font, **NO_LEGS} for font in found]


def _details(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, dict[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return {
            row["id"]: {
                **row, "styles": object_or_none(row["styles"]), "traits": object_or_none(row["traits"])
            }
            for row in cursor.execute(DETAILS, [list(ids)])
        }  # fmt: skip


def _told(service: Service, wanted: Search, found: _Found) -> dict[str, Any]:
    vl = service.legs.get("vl")
    understanding = vl.embedder.explain(wanted.query) if vl and wanted.query else None
    return {
        "fonts": [_font(row, found.details[row["id"]], understanding) for row in found.rows],
        "exactness": found.exactness,
        "strategy": found.exactness and ("exact" if found.exactness == "scanned" else "index"),
        "understood": understanding
        and [{"phrase": phrase, "means": dict(means)} for phrase, means in understanding.phrases],
        "not_understood": [
            {"word": word, "near": list(near)}
            for word, near in (understanding.unknown if understanding else ())
        ],
        "legs": {
            **{leg: _leg(found, leg) for leg in ("text", "vl")},
            "words": {"model": None, "asked": found.words, "why_not": None},
        },
        "alpha": found.alpha,
        "notices": list(found.notices),
    }


def _font(
    row: Mapping[str, Any], details: Mapping[str, Any], understanding: Understanding | None
) -> dict[str, Any]:
    why: list[Reason] = reasons(understanding, details["traits"])
    return {
        **{name: value for name, value in row.items() if name != "exactness"},
        "license": details["license"],
        "styles": details["styles"],
        "traits": details["traits"],
        "subsets": subsets_of(row["tags"]),
        "why": [dict(vars(reason)) for reason in why],
    }


def _leg(found: _Found, leg: Leg) -> dict[str, Any]:
    space, asked = found.serving.get(leg), found.asked
    return {
        "model": space.model.name if space else None,
        "asked": leg in asked.vectors,
        "why_not": asked.why_not.get(leg),
    }


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)
