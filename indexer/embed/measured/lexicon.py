"""The lexicon of typographic vocabulary: loaded from lexicon.toml, and held to its own rules."""

from __future__ import annotations

import hashlib
import re
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.resources import files
from typing import Any, Generic, TypeVar

from indexer.embed.measured.axes import AXES, CONCEPTS
from indexer.embed.measured.spelt import Vocabulary

GROUPS = ("category", "shape", "structure", "era", "mood", "use")
SUGGESTIVE = ("era", "mood", "use")
MAX_HEAVINESS = 0.5  # of heaviness in what a phrase merely suggests; see the head of lexicon.toml
MAX_WORDS = 4  # words of a phrase: an entry is vocabulary, not a request
SPLIT = 2  # by how many words a text may write a phrase longer: "art-deco", "black letter"
NEAR_WORDS = 3
BOUNDARY = ","  # stands for any punctuation that ends a phrase

TOKEN = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*|[,;.!?()\[\]/|\n&:=]")
SIGNS = {"&": "and", ":": "is", "=": "is"}

T = TypeVar("T")


class LexiconError(ValueError):
    """The lexicon breaks its rules; the message names the phrase."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where on an axis, from -1 to 1, and how much that matters, up to 1."""

    position: float
    importance: float


Meaning = Mapping[str, Place]  # by axis or concept


@dataclass(frozen=True, kw_only=True)
class Property:
    """A noun that takes adjectives: what it means alone, and with each set of them."""

    bare: Meaning | None
    degrees: Mapping[str, Meaning]


@dataclass(frozen=True)
class Index(Generic[T]):
    """Values by phrase, found however the phrase is joined, hyphened or split."""

    empty: frozenset[str]
    values: dict[str, tuple[tuple[str, ...], T]] = field(default_factory=dict)

    def add(self, words: tuple[str, ...], value: T) -> None:
        """Raises KeyError where the phrase is there already."""
        key = "".join(words)
        if key in self.values:
            raise KeyError(key)
        self.values[key] = words, value

    def longest(self, words: Sequence[str], start: int) -> tuple[int, T] | None:
        """Of the phrases that begin at `start`: how many words the longest takes, and its value.

        A phrase that is written otherwise than in the lexicon has no empty word in it: "in line"
        is not "inline".
        """
        for length in range(min(MAX_WORDS + SPLIT, len(words) - start), 0, -1):
            window = tuple(words[start : start + length])
            found = self.values.get("".join(window))
            if found and (found[0] == window or self.empty.isdisjoint(window)):
                return length, found[1]
        return None


@dataclass(frozen=True, kw_only=True)
class Lexicon:
    revision: str  # content hash
    entries: Index[Meaning]
    properties: Index[Property]
    degrees: Index[frozenset[str]]
    grammar: Mapping[str, Index[None]]
    spelling: Mapping[str, str]
    groups: Mapping[str, int]  # entries in each

    @classmethod
    def parse(cls, text: str, further: str = "") -> Lexicon:
        """further: entries by the same rules, which replace those of the same phrase, and grammar.

        Raises LexiconError for what breaks a rule, tomllib.TOMLDecodeError for what is no TOML.
        """
        source, more = tomllib.loads(text), tomllib.loads(further)
        if unknown := more.keys() - {*GROUPS, "grammar"}:
            raise LexiconError(
                f"What is added is grammar and entries of {', '.join(GROUPS)}, not {min(unknown)!r}."
            )
        grammar = {
            name: [*phrases, *more.get("grammar", {}).get(name, [])]
            for name, phrases in source["grammar"].items()
        }
        spelling = {_stem(word): _stem(right) for word, right in source["spelling"].items()}
        empty = frozenset(Text.of(" ".join(grammar["empty"]), spelling).words)

        def index(phrases: Iterable[tuple[str, T]]) -> Index[T]:
            made = Index[T](empty)
            for phrase, value in phrases:
                split = Text.of(phrase, spelling).words
                if not 1 <= len(split) <= MAX_WORDS or BOUNDARY in split:
                    raise LexiconError(f"{phrase!r} is not a phrase of one to {MAX_WORDS} words.")
                try:
                    made.add(split, value)
                except KeyError:
                    raise LexiconError(f"{phrase!r} stands in the lexicon twice.") from None
            return made

        def entries(groups: Mapping[str, Any]) -> Index[Meaning]:
            return index(
                (phrase, _entry(group, entry))
                for group in GROUPS
                for entry in groups.get(group, [])
                for phrase in entry["say"]
            )

        degrees = _degrees(source["degrees"])
        return cls(
            revision=hashlib.sha256((text + further).encode()).hexdigest()[:12],
            entries=Index(empty, {**entries(source).values, **entries(more).values}),
            properties=index(
                (noun, _property(entry, source["degrees"]))
                for entry in source["property"]
                for noun in entry["nouns"]
            ),
            degrees=index(degrees.items()),
            grammar={
                name: index((phrase, None) for phrase in phrases)
                for name, phrases in grammar.items()
            },
            spelling=spelling,
            groups={group: len(source.get(group, []) + more.get(group, [])) for group in GROUPS},
        )

    def near(self, word: str) -> list[str]:
        """Up to three words of its phrases that are spelt like this one, the nearest first."""
        wanted = unicodedata.normalize("NFKC", word).casefold()
        if wanted in self._vocabulary:  # which says something beside others alone, as "high" does
            return []
        return self._vocabulary.near(wanted, NEAR_WORDS)

    @cached_property
    def _vocabulary(self) -> Vocabulary:
        indexes: list[Index[Any]] = [self.entries, self.properties, self.degrees]
        words = {
            word for index in indexes for phrase, _ in index.values.values() for word in phrase
        }
        return Vocabulary(words - self.entries.empty)


@cache
def standard() -> Lexicon:
    """The lexicon of this package, by which texts of fonts are read."""
    return Lexicon.parse(packaged("lexicon.toml"))


@cache
def of_queries() -> Lexicon:
    """The same with asked.toml, which may grow without a vector of a font being made anew."""
    return Lexicon.parse(packaged("lexicon.toml"), packaged("asked.toml"))


def packaged(name: str) -> str:
    """The text of a file of this package."""
    return files("indexer.embed.measured").joinpath(name).read_text("utf-8")


@dataclass(frozen=True)
class Text:
    """A text as words in the one form in which the lexicon and texts are compared.

    Punctuation that ends a phrase is the word BOUNDARY.
    """

    source: str
    words: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]  # of the words in the source

    @classmethod
    def of(cls, text: str, spelling: Mapping[str, str]) -> Text:
        source = unicodedata.normalize("NFKC", text)
        tokens = list(TOKEN.finditer(source))
        return cls(
            source,
            tuple(_word(token.group(), spelling) for token in tokens),
            tuple(token.span() for token in tokens),
        )

    def quote(self, start: int, end: int) -> str:
        """The words from `start` to before `end` as they were written."""
        return self.source[self.spans[start][0] : self.spans[end - 1][1]]


def _word(token: str, spelling: Mapping[str, str]) -> str:
    if token in SIGNS:
        return SIGNS[token]
    if not token[0].isalnum():
        return BOUNDARY
    stem = _stem(re.sub("['\u2019]", "", token.casefold()))
    return spelling.get(stem, stem)


def _stem(word: str) -> str:
    """The singular, roughly: it is enough that the lexicon and the texts agree."""
    if len(word) <= 3 or not word.endswith("s") or word.endswith(("ss", "us", "is", "sans")):
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "xes", "sses")):
        return word[:-2]
    return word[:-1]


def _entry(group: str, entry: Mapping[str, Any]) -> Meaning:
    phrase = entry["say"][0]
    meaning = _meaning(phrase, entry["means"])
    if AXES.keys().isdisjoint(meaning):
        raise LexiconError(f"{phrase!r} means nothing that is measured.")
    weight = meaning.get("weight")
    if group in SUGGESTIVE and weight and weight.importance > MAX_HEAVINESS:
        raise LexiconError(f"{phrase!r} ({group}) has more than {MAX_HEAVINESS} on weight.")
    return meaning


def _property(entry: Mapping[str, Any], degrees: Mapping[str, Any]) -> Property:
    noun = entry["nouns"][0]
    takes = {name: means for name, means in entry.items() if name not in ("nouns", "bare")}
    if unknown := takes.keys() - degrees.keys():
        raise LexiconError(f"{noun!r} takes unknown degrees: {', '.join(sorted(unknown))}.")
    return Property(
        bare=_meaning(noun, entry["bare"]) if "bare" in entry else None,
        degrees={name: _meaning(noun, means) for name, means in takes.items()},
    )


def _meaning(phrase: str, means: Mapping[str, Any]) -> Meaning:
    if unknown := means.keys() - AXES.keys() - CONCEPTS.keys():
        raise LexiconError(f"{phrase!r} means unknown axes: {', '.join(sorted(unknown))}.")
    return {axis: _place(phrase, axis, value) for axis, value in means.items()}


def _place(phrase: str, axis: str, value: float | list[float]) -> Place:
    if isinstance(value, list):
        position, importance = value
    else:
        position, importance = (1.0 if value > 0 else -1.0), abs(value)
    if not (-1 <= position <= 1 and 0 < importance <= 1):
        raise LexiconError(f"{phrase!r} has {value} on {axis}: beyond -1 to 1, or nothing.")
    return Place(position=position, importance=importance)


def _degrees(sets: Mapping[str, Sequence[str]]) -> dict[str, frozenset[str]]:
    """The sets that each adjective belongs to: "high" is both large and strong."""
    adjectives: dict[str, set[str]] = {}
    for name, phrases in sets.items():
        for phrase in phrases:
            adjectives.setdefault(phrase, set()).add(name)
    return {phrase: frozenset(names) for phrase, names in adjectives.items()}
