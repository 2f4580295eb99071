"""What a text says about letters: its words read by the lexicon, longest phrase first.

Properties and adjectives are understood together ("large x-height", "apertures are open", "small
x-height and ascenders"), and so are negations and adverbs of degree ("not too bold", "slightly
condensed", "without serifs or swashes"). Everything else is passed over.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import cos, pi, sin

from indexer.embed.measured.axes import CONCEPTS
from indexer.embed.measured.lexicon import BOUNDARY, Lexicon, Meaning, Place, Property, Text

REACH = 3  # words between a negation and what it negates
BROAD = 3  # axes from which a negated phrase is softened: there are many ways not to be playful


@dataclass(frozen=True, kw_only=True)
class Reading:
    phrase: str
    meaning: Meaning
    entry: Meaning  # what the lexicon says of it, without negation and degree
    words: tuple[str, ...]  # that the entry was found by, as Text has them
    negated: bool = False

    @property
    def coordinates(self) -> dict[str, tuple[float, float]]:
        """Per axis (towards its middle, towards its plus end); concepts have no middle."""
        return {axis: _coordinates(axis, place) for axis, place in self.meaning.items()}


@dataclass(frozen=True)
class _Adverbs:
    """What stands before a phrase and changes it."""

    negated: bool = False
    more: bool = False
    less: bool = False
    excess: bool = False
    since: int = 0  # words that were passed over

    def change(self, meaning: Meaning) -> Meaning:
        soften = 0.7 if self.negated and len(meaning) > BROAD else 1.0
        return {
            axis: self._change(place, axis in CONCEPTS, soften) for axis, place in meaning.items()
        }

    def _change(self, place: Place, concept: bool, soften: float) -> Place:
        position, importance = place.position, place.importance * soften
        if self.negated and self.excess and not concept:  # "not too bold" is regular, if anything
            return Place(position=-0.3 * position, importance=0.7 * importance)
        if self.more:
            position, importance = max(-1.0, min(1.0, 1.3 * position)), 1.2 * importance
        if self.less:
            position = position if concept else 0.4 * position
            importance *= 0.8
        if self.negated:
            flips = abs(place.position) > 0.1
            position = -position if flips else position
            importance = importance if flips else -importance
        return Place(position=position, importance=importance)


def read(text: str, lexicon: Lexicon) -> list[Reading]:
    """What the lexicon knows of a text, in its order."""
    return _Reader(lexicon, Text.of(text, lexicon.spelling)).read()[0]


def unread(text: str, lexicon: Lexicon) -> list[str]:
    """The words of a text that say something, but nothing that the lexicon knows, as written."""
    return _Reader(lexicon, Text.of(text, lexicon.spelling)).read()[1]


def combine(readings: Iterable[Reading]) -> dict[str, tuple[float, float]]:
    """The coordinates of several readings together; none grows longer than 1 on its axis."""
    sums: dict[str, tuple[float, float]] = {}
    for reading in readings:
        for axis, (middle, end) in reading.coordinates.items():
            so_far = sums.get(axis, (0.0, 0.0))
            sums[axis] = (so_far[0] + middle, so_far[1] + end)
    return {axis: _limited(*point) for axis, point in sums.items()}


def _limited(middle: float, end: float) -> tuple[float, float]:
    length = max(1.0, (middle**2 + end**2) ** 0.5)
    return middle / length, end / length


def _coordinates(axis: str, place: Place) -> tuple[float, float]:
    if axis in CONCEPTS:
        return 0.0, place.importance * place.position
    angle = place.position * pi / 2
    return place.importance * cos(angle), place.importance * sin(angle)


@dataclass(frozen=True)
class _Reader:
    lexicon: Lexicon
    text: Text

    @property
    def words(self) -> Sequence[str]:
        return self.text.words

    def read(self) -> tuple[list[Reading], list[str]]:
        """What is known of the text, and the words of which nothing is."""
        found: list[Reading] = []
        unknown: list[str] = []
        adverbs, start, at = _Adverbs(), None, 0
        while at < len(self.words):
            begin = at if start is None else start
            if self.words[at] == BOUNDARY:  # no phrase begins with one
                adverbs, start, at = _Adverbs(), None, at + 1
            elif item := self._item(at):
                words = tuple(self.words[at : at + item[0]])
                at += item[0]
                phrase = self.text.quote(begin, at)
                found.append(
                    Reading(
                        phrase=phrase,
                        meaning=adverbs.change(item[1]),
                        entry=item[1],
                        words=words,
                        negated=adverbs.negated,
                    )
                )
                goes_on = adverbs.negated and self._is("or", at)
                adverbs, start = _Adverbs(negated=bool(goes_on)), None
                at += goes_on
            elif adverb := self._adverb(at, adverbs):
                start = begin
                at, adverbs = at + adverb[0], adverb[1]
            else:
                says_something = self.words[at] not in self.lexicon.entries.empty
                if says_something:
                    unknown.append(self.text.quote(at, at + 1))
                adverbs = replace(adverbs, since=adverbs.since + 1)
                if adverbs.since > REACH:
                    adverbs, start = _Adverbs(), None
                elif says_something:
                    adverbs = replace(adverbs, more=False, less=False, excess=False)
                    start = start if adverbs.negated else None
                at += 1
        return found, unknown

    def _is(self, kind: str, at: int) -> int:
        """How many words of this kind of grammar stand there."""
        found = self.lexicon.grammar[kind].longest(self.words, at)
        return found[0] if found else 0

    def _adverb(self, at: int, adverbs: _Adverbs) -> tuple[int, _Adverbs] | None:
        if length := self._is("not", at):
            return length, replace(adverbs, negated=True, since=0)
        if length := self._is("more", at):
            excess = bool(self._is("excess", at))
            return length, replace(adverbs, more=True, excess=excess)
        if length := self._is("less", at):
            return length, replace(adverbs, less=True)
        return None

    def _item(self, at: int) -> tuple[int, Meaning] | None:
        """The longest of an entry, an adjective with a property, and a property."""
        candidates = [
            self.lexicon.entries.longest(self.words, at),
            self._adjective_first(at),
            self._noun_first(at),
        ]
        found = [candidate for candidate in candidates if candidate]
        return max(found, key=lambda candidate: candidate[0]) if found else None

    def _adjective_first(self, start: int) -> tuple[int, Meaning] | None:
        adjective = self.lexicon.degrees.longest(self.words, start)
        if not adjective:
            return None
        at, degrees = start + adjective[0], [adjective[1]]
        if (joint := self._is("and", at)) and (
            second := self.lexicon.degrees.longest(self.words, at + joint)
        ):
            at, degrees = at + joint + second[0], [*degrees, second[1]]
        at += self._is("of", at)
        noun = self.lexicon.properties.longest(self.words, at)
        if not noun or not all(_with(noun[1], degree) for degree in degrees):
            return None
        meaning = {axis: place for d in degrees for axis, place in _with(noun[1], d).items()}
        at += noun[0]
        if (joint := self._is("and", at) or self._is("or", at)) and (
            other := self.lexicon.properties.longest(self.words, at + joint)
        ):
            shared = _with(other[1], degrees[-1])
            if shared and other[1].bare is None:  # "small x-height and serifs" has any serifs
                meaning, at = {**meaning, **shared}, at + joint + other[0]
        return at - start, meaning

    def _noun_first(self, start: int) -> tuple[int, Meaning] | None:
        noun = self.lexicon.properties.longest(self.words, start)
        if not noun:
            return None
        at = start + noun[0]
        if verb := self._is("is", at):
            after, adverbs = at + verb, _Adverbs()
            while adverb := self._adverb(after, adverbs):
                after, adverbs = after + adverb[0], adverb[1]
            adjective = self.lexicon.degrees.longest(self.words, after)
            if adjective and (meaning := _with(noun[1], adjective[1])):
                return after + adjective[0] - start, adverbs.change(meaning)
        return None if noun[1].bare is None else (noun[0], noun[1].bare)


def _with(noun: Property, degrees: frozenset[str]) -> Meaning:
    """What a property means with an adjective, {} where they do not go together."""
    return next((noun.degrees[name] for name in sorted(degrees & noun.degrees.keys())), {})
