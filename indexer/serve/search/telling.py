"""The explanation of an answer: why each font was found, which legs ranked, which words were understood."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from indexer.catalog.scripts import subsets_of
from indexer.embed.protocol import Understanding
from indexer.legs import NO_WEIGHT
from indexer.serve.search.finding import Found
from indexer.serve.search.why import reasons
from indexer.spaces import Leg

LOOKS_ALONE = "Only looks count (alpha 0), so only fonts that have the words are found."


def body(found: Found, understanding: Understanding | None) -> dict[str, Any]:
    """All of a SearchAnswer but the milliseconds."""
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
        "seen": [asdict(seen) for seen in understanding.seen] if understanding else [],
        "legs": {
            **{leg: _leg(found, leg) for leg in ("text", "vl")},
            "words": {"model": None, "asked": found.by.query_text is not None, "why_not": None},
        },
        "alpha": found.alpha,
        "notices": _notices(found.by.why_not),
    }


def _font(
    row: Mapping[str, Any], details: Mapping[str, Any], understanding: Understanding | None
) -> dict[str, Any]:
    return {
        **{name: value for name, value in row.items() if name != "exactness"},
        "license": details["license"],
        "styles": details["styles"],
        "traits": details["traits"],
        "subsets": subsets_of(row["tags"]),
        "why": reasons(understanding, details["traits"]),
    }


def _leg(found: Found, leg: Leg) -> dict[str, Any]:
    space = found.serving.get(leg)
    return {
        "model": space.model.name if space else None,
        "asked": leg in found.by.vectors,
        "why_not": found.by.why_not.get(leg),
    }


def _notices(why_not: Mapping[Leg, str]) -> list[str]:
    notices = [why_not["vl"]] if "vl" in why_not else []
    return [*notices, LOOKS_ALONE] if why_not.get("text") == NO_WEIGHT else notices
