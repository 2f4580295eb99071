"""Rankings and judgments as TREC files, which trec_eval and its kin read.

Their fields are separated by spaces, and names of fonts hold spaces: query ids, font ids and the run's tag are
percent-encoded (RFC 3986, in UTF-8), so that "Noto Sans" is `Noto%20Sans` and every name comes back as it was.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from math import isfinite
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote, unquote

from eval.datasets.dataset import Judgments, read_text
from eval.scores.metrics import Rankings, descending
from indexer.errors import UserError

Number = TypeVar("Number", int, float)


def write_run(rankings: Rankings, path: Path, *, tag: str) -> None:
    """`query Q0 font rank score tag`; scores only fall by rank (see metrics.descending)."""
    lines = [
        f"{_encoded(query)} Q0 {_encoded(font)} {rank} {score:.0f} {_encoded(tag)}\n"
        for query, ranking in rankings.items()
        for rank, (font, score) in enumerate(descending(ranking).items(), 1)
    ]
    path.write_text("".join(lines), "utf-8", newline="\n")


def write_qrels(judgments: Judgments, path: Path) -> None:
    """`query 0 font grade`."""
    lines = [
        f"{_encoded(query)} 0 {_encoded(font)} {grade}\n"
        for query, grades in judgments.items()
        for font, grade in grades.items()
    ]
    path.write_text("".join(lines), "utf-8", newline="\n")


def read_run(path: Path) -> dict[str, list[str]]:
    """Rankings in the order of trec_eval: by score, and by id where scores are equal, both falling.

    A ranking without fonts has no lines, so its query does not come back. Raises UserError with file
    and line.
    """
    scores: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for place, [query, _, font, _, score, _] in _rows(path, "query Q0 font rank score tag"):
        _add(scores[query], font, _number(score, float, place), place)
    return {
        query: sorted(found, key=lambda font: (found[font], font), reverse=True)
        for query, found in scores.items()
    }


def read_qrels(path: Path) -> dict[str, dict[str, int]]:
    """Judgments as they stand there. Raises UserError with file and line."""
    judgments: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for place, [query, _, font, grade] in _rows(path, "query 0 font grade"):
        _add(judgments[query], font, _number(grade, int, place), place)
    return dict(judgments)


def _rows(path: Path, shape: str) -> Iterator[tuple[str, list[str]]]:
    """Each line's place and decoded fields, as many as there are in the shape."""
    for number, line in enumerate(read_text(path).splitlines(), 1):
        fields = line.split()
        if fields and len(fields) != len(shape.split()):
            raise UserError(f"{path} line {number}: is not of the form {shape!r}.")
        if fields:
            place = f"{path} line {number}"
            yield place, [_decoded(field, place) for field in fields]


def _number(text: str, kind: Callable[[str], Number], place: str) -> Number:
    try:
        number = kind(text)
    except ValueError as error:
        raise UserError(f"{place}: {text!r} is no number.") from error
    if not isfinite(number):
        raise UserError(f"{place}: {text!r} cannot be ordered.")
    return number


def _add(found: dict[str, Number], font: str, number: Number, place: str) -> None:
    if font in found:
        raise UserError(f"{place}: {font!r} stands above already for this query.")
    found[font] = number


def _encoded(name: str) -> str:
    return quote(name, safe="")


def _decoded(field: str, place: str) -> str:
    try:
        return unquote(field, errors="strict")
    except UnicodeDecodeError as error:
        raise UserError(f"{place}: {field!r} is not percent-encoded UTF-8.") from error
