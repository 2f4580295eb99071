"""What a search answers, as its JSON schema tells."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from indexer.embed.protocol import Seen
from indexer.serve.search.why import Reason


class FontColumns(BaseModel):
    """What every answer tells of a font."""

    id: UUID
    name: str
    category: str | None
    description: str | None
    tags: list[str] | None
    source: str | None
    files: dict[str, Any] | None
    license: str | None
    styles: dict[str, Any] | None
    traits: dict[str, Any] | None
    subsets: list[str]


class FoundFont(FontColumns):
    score: float | None
    text_similarity: float | None
    text_rank: int | None
    vl_similarity: float | None
    vl_rank: int | None
    full_text_similarity: float | None
    full_text_rank: int | None
    why: list[Reason] = Field(description="Which measurements answer which words.")


class Phrase(BaseModel):
    phrase: str
    means: dict[str, float]


class UnknownWord(BaseModel):
    word: str
    near: list[str]


class LegState(BaseModel):
    model: str | None
    asked: bool
    why_not: str | None


class Legs(BaseModel):
    text: LegState
    vl: LegState
    words: LegState


class Milliseconds(BaseModel):
    """The parts, and their sum."""

    embedding: float = Field(description="Of the query, with its wait for the model.")
    rpc: float = Field(description="Of the function of the database.")
    rendering: float = Field(description="Of this answer; pictures tell theirs in Server-Timing.")
    reading: float = Field(
        description="All else: the wait for a connection, and the statements around the function."
    )
    total: float


class SearchAnswer(BaseModel):
    fonts: list[FoundFont]
    exactness: Literal["scanned", "likely", "unproven"] | None
    strategy: Literal["exact", "index"] | None
    understood: list[Phrase] | None = Field(description="null: the embedder reads everything.")
    not_understood: list[UnknownWord]
    seen: list[Seen] = Field(description="What was read of the picture, the surest first.")
    legs: Legs
    alpha: float
    notices: list[str]
    milliseconds: Milliseconds
