"""Fonts, queries and judgments from the files that others keep, as parts of a Dataset.

Fields that we have no use for are passed over: the files are theirs. What we do use is checked, and
UserError says with file and place what is wrong. Fonts go by their names.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError

from eval.datasets.dataset import (
    Font,
    Grade,
    Judgments,
    Line,
    Query,
    Text,
    read_text,
    refusal,
    sentences,
)
from indexer.errors import UserError

Tags = Mapping[str, Mapping[str, float]]  # family to tag to weight

CSV_HEADER = ["Family", "Group/Tag", "Weight"]
PLAIN_WEIGHT = 1.0  # of a tag in a file that has none


def _graded(value: object) -> object:
    """A list of names says that all of them are relevant."""
    if isinstance(value, list):
        if not all(isinstance(name, str) for name in value):
            raise ValueError("a list must hold names only")
        return dict.fromkeys(value, 1)
    return value


class _RepeatedKeyError(Exception):
    pass


@dataclass(frozen=True, kw_only=True)
class _Font:
    name: Line
    category: Line | None = None
    tags: tuple[Line, ...] | None = None
    description: str | None = None
    license: str | None = None
    source: Line | None = None
    files: Mapping[str, Line] | None = None


@dataclass(frozen=True, kw_only=True)
class _Query:
    id: Line
    text: Text
    query_class: Annotated[Line, Field(alias="class")]


@dataclass(frozen=True, kw_only=True)
class _Judged:
    judgments: dict[Line, dict[Line, Grade]]


FONTS = TypeAdapter(list[_Font])
QUERIES = TypeAdapter(list[_Query])
LABELS = TypeAdapter(dict[Line, Annotated[dict[Line, Grade], BeforeValidator(_graded)]])
JUDGED = TypeAdapter(_Judged)
TAGS = TypeAdapter(dict[Line, list[Line]])
Value = TypeVar("Value")


def read_fonts(path: Path, *, source: str) -> tuple[Font, ...]:
    """From `corpus.*.json`, a list of fonts with the fields of public.fonts.

    `source` is that of fonts which state none.
    """
    return tuple(
        Font(
            id=font.name,
            name=font.name,
            category=font.category,
            tags=font.tags or (),
            description=font.description,
            license=font.license,
            source=font.source or source,
            files=font.files or {},
        )
        for font in _read(path, FONTS)
    )


def read_queries(path: Path) -> tuple[Query, ...]:
    """From `queries.*.json`, a list of objects with id, text and class."""
    return tuple(
        Query(id=query.id, text=query.text, query_class=query.query_class)
        for query in _read(path, QUERIES)
    )


def read_labels(path: Path) -> Judgments:
    """From `labels.*.json`, query id to the names that are relevant, or to name and grade.

    What is not named is unjudged; where whoever labelled looked at all fonts, see `exhaustive`.
    """
    return _read(path, LABELS)


def read_judgments(path: Path) -> Judgments:
    """From a file of a judge, `{"judgments": {query id: {name: grade}}}`; other keys say who judged."""
    return _read(path, JUDGED).judgments


def read_tags(path: Path) -> Tags:
    """Tags by family, from JSON (family to list of tags; weight 1 each) or, ending in .csv, from lines
    of `Family,Group/Tag,Weight`. Families without tags are kept: to have been looked at says something.
    """
    if path.suffix.lower() == ".csv":
        return _read_csv(path)
    return {family: dict.fromkeys(tags, PLAIN_WEIGHT) for family, tags in _read(path, TAGS).items()}


def pooled(labels: Judgments, judged: Judgments) -> Judgments:
    """The judged pairs of each query that has any, and the labels of the others."""
    return {**labels, **judged}


def exhaustive(judgments: Judgments, fonts: Iterable[str]) -> Judgments:
    """Judgments by a rule or a person that looked at all these fonts: who is not named has grade 0.

    Without it a list of relevant names leaves condensed rankings with nothing else in them, and
    their scores say nothing.
    """
    unnamed = dict.fromkeys(fonts, 0)
    return {query: unnamed | dict(grades) for query, grades in judgments.items()}


def _read_csv(path: Path) -> Tags:
    tags: dict[str, dict[str, float]] = {}
    problems = []
    rows = csv.reader(io.StringIO(read_text(path)), strict=True)
    try:
        for row in rows:
            if not row or (rows.line_num == 1 and row == CSV_HEADER):
                continue
            match [field.strip() for field in row]:
                case [family, tag, weight] if family and tag and _is_weight(weight):
                    if tag in tags.setdefault(family, {}):
                        problems.append(f"line {rows.line_num}: {family} has {tag} above already")
                    tags[family][tag] = float(weight)
                case _:
                    problems.append(f"line {rows.line_num}: not {','.join(CSV_HEADER)}: {row}")
    except csv.Error as error:
        problems.append(f"line {rows.line_num}: {error}")
    if problems:
        raise refusal(f"{path} cannot be imported", problems)
    return tags


def _is_weight(text: str) -> bool:
    try:
        return math.isfinite(float(text)) and float(text) >= 0
    except ValueError:
        return False


def _read(path: Path, shape: TypeAdapter[Value]) -> Value:
    try:
        value = json.loads(read_text(path), object_pairs_hook=_without_repetition)
        return shape.validate_python(value)
    except _RepeatedKeyError as error:
        raise UserError(f"{path}: {error}") from error
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno}"
        raise UserError(f"{path} {place}: no JSON ({error.msg}).") from error
    except ValidationError as error:
        raise refusal(f"{path} cannot be imported", list(sentences(error))) from error


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Python would keep the last of two values of a key, and lose judgments."""
    if repeated := [key for key, count in Counter(key for key, _ in pairs).items() if count > 1]:
        raise _RepeatedKeyError(f"{repeated[0]!r} stands in one object twice.")
    return dict(pairs)
