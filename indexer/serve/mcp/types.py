"""What the tools of the MCP server take and give, as their JSON schemas tell assistants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field, WithJsonSchema

from indexer.embed.protocol import Seen
from indexer.serve.search.columns import Trait
from indexer.serve.search.schema import LegState, Phrase, UnknownWord
from indexer.serve.search.why import Reason

MAX_COUNT = 50
MAX_SHEETS = 6  # pictures of some hundred tokens each
MAX_OFFSET = 400


def _some(what: str, kind: dict[str, Any] | None = None) -> dict[str, Any]:
    one = kind or {"type": "string"}
    return {"anyOf": [one, {"type": "array", "items": one}], "description": what}


NUMBER = {"type": "number"}
COMPARISON = {
    "type": "object",
    "properties": {
        **{name: NUMBER for name in ("lt", "lte", "gt", "gte")},
        "eq": {"type": ["number", "boolean"]},
    },
    "additionalProperties": False,
}
# What it may hold is the database's to check, whose errors are sentences.
FILTER = {
    "type": "object",
    "description": "Only fonts for which every key holds; what is not known of a font does not pass.",
    "properties": {
        "category": _some(
            "Any of these, such as serif, sans-serif, display, handwriting, monospace."
        ),
        "subsets": _some(
            "Scripts, all of these, such as latin, latin-ext, cyrillic, greek, arabic."
        ),
        "license": _some("Any of these, as results name them, such as OFL-1.1."),
        "source": _some("Any of these, such as Google Fonts."),
        "tags": {
            "type": "object",
            "properties": {"any": _some("At least one."), "all": _some("Every one.")},
            "additionalProperties": False,
        },
        "covers": {
            "type": "string",
            "maxLength": 200,
            "description": "A text that the font must be able to set, for example 'Straße €'.",
        },
        "styles": {
            "type": "object",
            "description": "Families that have all of these.",
            "properties": {
                "weights": _some("400 is regular, 700 bold.", {"type": "integer"}),
                "italic": {"type": "boolean"},
                "axes": _some("Variable axes by their tags, such as wdth."),
            },
            "additionalProperties": False,
        },
        "traits": {
            "type": "object",
            "description": "Measurements by name, each compared with numbers: "
            '{"x_height": {"gte": 0.7}, "contrast": {"lt": 0.3}}. '
            "The description of search_fonts lists the names.",
            "additionalProperties": COMPARISON,
        },
        "collapse": {
            "type": "boolean",
            "description": "Of near-duplicates (one design in several scripts) only the best.",
        },
        "exclude": _some("Ids of fonts to omit."),
    },
    "additionalProperties": False,
}

Filter = Annotated[dict[str, Any] | None, WithJsonSchema({**FILTER, "default": None})]
Count = Annotated[int, Field(ge=1, le=MAX_COUNT, description="How many fonts.")]
Offset = Annotated[int, Field(ge=0, le=MAX_OFFSET, description="How many of the first to skip.")]
Sheets = Annotated[
    int,
    Field(
        ge=0, le=MAX_SHEETS, description="Attach the glyph sheets of so many of the first fonts."
    ),
]
Font = Annotated[
    str, Field(min_length=1, max_length=200, description="The font's name, or its id.")
]

Rounded = Annotated[float, AfterValidator(lambda value: round(value, 4))]


class FoundFont(BaseModel):
    id: UUID
    name: str
    category: str | None
    license: str | None
    appearance: str = Field(description="What sets it apart, from its measurements.")
    score: Rounded | None
    text_similarity: Rounded | None = Field(description="Cosine of query and description.")
    vl_similarity: Rounded | None = Field(description="Cosine of query and looks.")
    full_text_similarity: Rounded | None = Field(description="Of the words; null: none matches.")
    why: list[Reason] = Field(description="Which measurements answer which words of the query.")


class Found(BaseModel):
    fonts: list[FoundFont]
    exactness: str | None = Field(
        description="scanned: the order is exact; likely: it may miss a font; unproven: narrow it."
    )
    understood: list[Phrase] | None = Field(description="null: the embedder reads everything.")
    not_understood: list[UnknownWord] = Field(
        description="Words that changed nothing, and known words near them to try instead."
    )
    seen: list[Seen] = Field(description="What was read of the picture, the surest first.")
    legs: dict[str, LegState] = Field(description="What was compared, and why something was not.")
    notices: list[str]


class FontDetails(BaseModel):
    id: UUID
    name: str
    category: str | None
    description: str | None
    tags: list[str]
    license: str | None
    source: str | None
    styles: dict[str, Any] | None
    appearance: str = Field(description="What sets it apart, from its measurements.")
    traits: dict[str, Any] = Field(description="Measurements; search_fonts says what each means.")
    percentiles: dict[str, float] = Field(description="Where each stands among all fonts, 0 to 1.")
    npm: str | None = Field(description="The command that installs it from Fontsource.")
    css: str | None = Field(description="@font-face rules for its files on the web.")
    notices: list[str]


def glossary(traits: Sequence[Trait]) -> str:
    """For the description of a tool: what may be filtered by."""
    lines = (
        f"- {trait.name} ({trait.unit}, mostly {trait.low:g} to {trait.high:g}): {trait.meaning}"
        for trait in traits
    )
    return "\n".join(["Measured traits, for filter.traits:", *lines])
