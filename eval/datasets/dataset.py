"""The one format of an evaluation: what is searched, what is asked, and what would be right.

A dataset is a folder of four files in UTF-8: `dataset.json`, one object; `corpus.jsonl`, a font a line;
`queries.jsonl`, a query a line; `qrels.jsonl`, a judgment a line. The records below say what stands in
each, `json_schema` says it to other programs.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError, with_config

from indexer.errors import UserError

ABOUT, CORPUS, QUERIES, QRELS = "dataset.json", "corpus.jsonl", "queries.jsonl", "qrels.jsonl"

MAX_PROBLEMS = 10  # in one message: more are rarely read, and often follow from the first

Judgments = Mapping[str, Mapping[str, int]]  # query id to font id to grade
Split = Literal["dev", "test"]

ONE_LINE, NOT_EMPTY = r"^[^\s\p{Cc}]([^\p{Cc}]*[^\s\p{Cc}])?$", r"\S"
Line = Annotated[str, StringConstraints(pattern=ONE_LINE)]
Text = Annotated[str, StringConstraints(pattern=NOT_EMPTY)]
# trec_eval makes a table as long as the highest grade; people's weights go up to 100
Grade = Annotated[int, Field(strict=True, ge=0, le=100)]

FORMAT = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True)
WORDING = {  # of problems, where pydantic speaks of Python and patterns
    "missing": "is missing",
    "unexpected_keyword_argument": "is not a field of this file",
    **dict.fromkeys(("dataclass_type", "dict_type"), "must be an object"),
    **dict.fromkeys(("list_type", "tuple_type"), "must be a list"),
    ONE_LINE: "must be one line, not empty, without space around it",
    NOT_EMPTY: "is empty",
}


@with_config(FORMAT)
@dataclass(frozen=True, kw_only=True)
class AboutDataset:
    """What stands in dataset.json."""

    name: Line
    version: Line
    description: Text
    license: Line
    """Of queries and judgments; each font has its own."""
    made_by: Text
    """The command or the people that made it, and from what."""
    ground_truth_tags: tuple[Line, ...] = ()
    """Tags that decide judgments, so that no font may be found by them."""


@with_config(FORMAT)
@dataclass(frozen=True, kw_only=True)
class Font:
    """A line of corpus.jsonl: a row of public.fonts, and what judgments call it."""

    id: Line
    name: Line
    """Unique, as in public.fonts."""
    category: Line | None = None
    tags: tuple[Line, ...] = ()
    description: str | None = None
    license: str | None = None
    source: Line
    files: Mapping[str, Line] = field(default_factory=dict)
    """Weight ("400") to an address, or to a path inside the dataset's folder."""


@with_config(FORMAT)
@dataclass(frozen=True, kw_only=True)
class Query:
    """A line of queries.jsonl."""

    id: Line
    text: Text
    query_class: Annotated[Line, Field(alias="class")]
    """What kind of thing is asked for, such as "structure" or "mood": classes are reported apart."""
    image: Line | None = None
    """A picture inside the dataset's folder, which is asked by instead of the text: that says what it shows."""
    split: Split | None = None
    """dev: what fails may be looked at and improved. test: kept for the report."""
    assumed: bool = False
    """That fonts which nobody named are not relevant was assumed: how many were judged is not known."""


@with_config(FORMAT)
@dataclass(frozen=True, kw_only=True)
class Judgment:
    """A line of qrels.jsonl. A pair without one is unjudged, which is not the same as grade 0."""

    query: Line
    font: Line
    grade: Grade
    """0 is not relevant; 1 and more is, and more so."""


@dataclass(frozen=True, kw_only=True)
class Dataset:
    about: AboutDataset
    fonts: Sequence[Font]
    queries: Sequence[Query]
    judgments: Judgments

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the whole content, in hex; the order of lines does not count."""
        return hashlib.sha256(json.dumps(_texts(self), sort_keys=True).encode()).hexdigest()

    @cached_property
    def corpus_hash(self) -> str:
        """SHA-256 of the fonts alone, in hex: what is embedded does not depend on queries or labels."""
        return hashlib.sha256(_texts(self)[CORPUS].encode()).hexdigest()


Record = TypeVar("Record")
Placed = Sequence[tuple[str, Record]]  # each with where it stands: "corpus.jsonl line 3"
ADAPTERS: Mapping[type[Any], TypeAdapter[Any]] = {
    record: TypeAdapter(record) for record in (AboutDataset, Font, Query, Judgment)
}


def load(folder: Path) -> Dataset:
    """Read and check a dataset. Raises UserError with up to ten problems, by file and line."""
    names = (ABOUT, CORPUS, QUERIES, QRELS)
    return _parse({name: read_text(folder / name) for name in names}, folder)


def save(dataset: Dataset, folder: Path) -> None:
    """Write what `load` reads, lines in the order of ids: the same content makes the same bytes.

    Raises UserError, before anything is written, for what `load` would refuse.
    """
    texts = _texts(dataset)
    _parse(texts, folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ABOUT).unlink(missing_ok=True)  # its presence says that the others are whole
    for name in (CORPUS, QUERIES, QRELS, ABOUT):
        (folder / name).write_text(texts[name], "utf-8", newline="\n")


def json_schema() -> dict[str, dict[str, Any]]:
    """The JSON Schema of dataset.json, and of a line of each of the other files."""
    files = {ABOUT: AboutDataset, CORPUS: Font, QUERIES: Query, QRELS: Judgment}
    return {name: ADAPTERS[record].json_schema() for name, record in files.items()}


def of_split(queries: Sequence[Query], split: Split | None) -> tuple[Query, ...]:
    """Raises UserError where no query is of the split."""
    found = tuple(query for query in queries if split in (None, query.split))
    if not found:
        raise UserError(f"No query of the dataset is of the split {split}.")
    return found


def refuse_leaked_tags(dataset: Dataset, texts: Mapping[str, str]) -> None:
    """Raises UserError where the text that a font is found by holds a ground-truth tag.

    `texts` are by font id: what is embedded of each. Where judgments are people's, leave out what was
    measured from outlines: "high contrast" is not their word then. A font may bear a tag in its
    name ("Dancing Script"), which cannot be taken from it.
    """
    leaked = leaked_tags(dataset.fonts, texts, dataset.about.ground_truth_tags)
    if leaked:
        problems = [f"{font}: {', '.join(tags)}" for font, tags in leaked.items()]
        raise refusal("Tags that are ground truth stand in the indexed text", problems)


def leaked_tags(
    fonts: Iterable[Font], texts: Mapping[str, str], tags: Iterable[str]
) -> dict[str, list[str]]:
    """By font id, which of the tags stand in its text beside its name; only fonts with any."""
    plain = {_plain(tag): tag for tag in tags}
    if not plain:
        return {}
    # the longest first, so that "fat face" is not taken for "fat"
    words = "|".join(re.escape(tag) for tag in sorted(plain, key=len, reverse=True))
    pattern = re.compile(rf"(?<!\w)({words})(?!\w)")
    leaked = {}
    for font in fonts:
        text = re.sub(rf"(?<!\w){re.escape(_plain(font.name))}(?!\w)", "", _plain(texts[font.id]))
        if found := sorted({plain[match] for match in pattern.findall(text)}):
            leaked[font.id] = found
    return leaked


def refusal(what: str, problems: Sequence[str]) -> UserError:
    """An error to raise, with the first of the problems."""
    shown = [*problems[:MAX_PROBLEMS]]
    if more := len(problems) - len(shown):
        shown.append(f"and {more} more")
    return UserError("\n  ".join([f"{what}:", *shown]))


def read_text(path: Path) -> str:
    """The text of a file; raises UserError where there is none."""
    try:
        return path.read_text("utf-8-sig")  # spreadsheets put a mark in front
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise UserError(f"{path} line {line}: not UTF-8.") from error


def sentences(error: ValidationError) -> Iterator[str]:
    """What pydantic found, each with its place in the value; entries of lists count from 1."""
    for detail in error.errors():
        place = [f"[{key + 1}]" if isinstance(key, int) else key for key in detail["loc"]]
        kind = detail.get("ctx", {}).get("pattern", detail["type"])
        message = WORDING.get(kind, detail["msg"].removeprefix("Value error, "))
        # in JSONL each line is a text of its own
        message = message.replace(" at line 1 column ", " at column ")
        yield ": ".join([*place, message[0].lower() + message[1:]])


def _parse(texts: Mapping[str, str], folder: Path) -> Dataset:
    """What the four files say, or UserError with what is wrong in them."""
    what = f"The dataset {folder} is not valid"
    problems: list[str] = []
    abouts = list(_records(AboutDataset, [(ABOUT, texts[ABOUT])], problems))
    fonts = list(_records(Font, _lines(texts, CORPUS), problems))
    queries = list(_records(Query, _lines(texts, QUERIES), problems))
    qrels = list(_records(Judgment, _lines(texts, QRELS), problems))
    if problems:  # what follows supposes that every line was read
        raise refusal(what, problems)
    [(_, about)] = abouts
    if problems := list(_contradictions(about, fonts, queries, qrels)):
        raise refusal(what, problems)
    judgments: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for _, judgment in qrels:
        judgments[judgment.query][judgment.font] = judgment.grade
    return Dataset(
        about=about,
        fonts=tuple(font for _, font in fonts),
        queries=tuple(query for _, query in queries),
        judgments=dict(judgments),
    )


def _contradictions(
    about: AboutDataset, fonts: Placed[Font], queries: Placed[Query], qrels: Placed[Judgment]
) -> Iterator[str]:
    """What is wrong between records that are right each by itself."""
    if not fonts:
        yield f"{CORPUS}: there is no font"
    if not queries:
        yield f"{QUERIES}: there is no query"
    yield from _repeated("id", [(place, font.id) for place, font in fonts])
    yield from _repeated("name", [(place, font.name) for place, font in fonts])
    hidden = {_plain(tag) for tag in about.ground_truth_tags}
    for place, font in fonts:
        for tag in font.tags:
            if _plain(tag) in hidden:
                yield f"{place}: tag {tag!r} is ground truth, and must not be indexed"
    yield from _repeated("id", [(place, query.id) for place, query in queries])
    font_ids, query_ids = {font.id for _, font in fonts}, {query.id for _, query in queries}
    for place, judgment in qrels:
        if judgment.query not in query_ids:
            yield f"{place}: there is no query {judgment.query!r}"
        if judgment.font not in font_ids:
            yield f"{place}: there is no font {judgment.font!r}"
    pairs = [(place, (judgment.query, judgment.font)) for place, judgment in qrels]
    yield from _repeated("the pair", pairs)


def _lines(texts: Mapping[str, str], name: str) -> Iterator[tuple[str, str]]:
    """Places and lines; not by splitlines, which cuts at characters that JSON allows in strings."""
    for number, line in enumerate(texts[name].split("\n"), 1):
        if line.strip():
            yield f"{name} line {number}", line


def _records(
    record: type[Record], lines: Iterable[tuple[str, str]], problems: list[str]
) -> Iterator[tuple[str, Record]]:
    for place, line in lines:
        try:
            yield place, ADAPTERS[record].validate_json(line)
        except ValidationError as error:
            problems += [f"{place}: {sentence}" for sentence in sentences(error)]


def _repeated(what: str, values: Placed[Hashable]) -> Iterator[str]:
    seen: set[Hashable] = set()
    for place, value in values:
        if value in seen:
            yield f"{place}: {what} {value!r} stands above already"
        seen.add(value)


def _plain(text: str) -> str:
    """As words are compared: "High-Contrast" is "high contrast"."""
    return re.sub(r"[\s_-]+", " ", text.casefold())


def _texts(dataset: Dataset) -> dict[str, str]:
    """The content of the four files."""
    judgments = [
        Judgment(query=query, font=font, grade=grade)
        for query, grades in sorted(dataset.judgments.items())
        for font, grade in sorted(grades.items())
    ]
    return {
        ABOUT: _json(dataset.about, indent=2),
        CORPUS: "".join(_json(font) for font in sorted(dataset.fonts, key=lambda font: font.id)),
        QUERIES: "".join(_json(query) for query in sorted(dataset.queries, key=lambda q: q.id)),
        QRELS: "".join(map(_json, judgments)),
    }


def _json(record: object, indent: int | None = None) -> str:
    value = ADAPTERS[type(record)].dump_python(record, mode="json", by_alias=True, warnings=False)
    if value.get("image", ...) is None:  # a query of words, as before there were others: one hash
        del value["image"]
    if value.get("assumed") is False:  # datasets without it keep their bytes and their hash
        del value["assumed"]
    # sorted keys, so that the weights of files have one order
    return json.dumps(value, ensure_ascii=False, sort_keys=True, indent=indent) + "\n"
