"""The answer of a run in words: which leg is best, whether fusion beats it, and how sure that is.

Every sentence follows from the numbers. A difference is one where the Holm-corrected p-value of the
paired test is below .05; else the words say that it may be luck, however large it looks.
"""

from __future__ import annotations

from collections.abc import Sequence

from eval.report.figures import alpha, counted, difference, estimate, number, p_value
from eval.scores.results import MAIN, Comparison, Results
from eval.scores.scope import Scope, is_significant
from eval.scores.statistics import SAME

NAMES = {
    "A": "text alone",
    "B1": "the sheet alone",
    "B2": "sheet and short text",
    "C": "A and B2 fused by a weighted sum",
    "RRF": "A and B2 fused by their ranks",
}

CALLED = {  # in the headline, for who has not read what the letters stand for
    "A": "Text alone",
    "B1": "The sheet alone",
    "B2": "The sheet with a short text",
    "C": "Text and sight fused",
    "RRF": "Text and sight fused by ranks",
}

# what a reader of the numbers has to know
ON_TESTS = (
    f'"Significant" is below .05 in a paired randomisation test on {MAIN}, corrected by Holm for all '
    "comparisons of a group of queries. Brackets hold 95 % intervals over queries: how far a mean might "
    "move with other queries of the same kinds, not what errors in the judgments do to it."
)
ON_CONDENSED = (
    "Condensed: unjudged fonts are taken out of each ranking first. That is fairer to a variant that "
    "finds what nobody looked at, and flatters it somewhat."
)
NOT_CONDENSED = "Condensed to judged pairs, all numbers are the same."
ON_IN_SAMPLE = (
    "The in-sample alpha was chosen on the very queries that it is scored on, and is flattered."
)
ON_CEILING = '"At most": some queries have more relevant fonts than are looked at, so that recall cannot reach 1.'
ON_ASSUMED = (
    "Assumed: that fonts which nobody named are not relevant. Of how many anybody looked at, Judged@10, "
    "such queries say nothing."
)
ON_LEG = "The best single leg is picked in hindsight, which favours it somewhat in comparisons with fusions."
ON_UNANSWERED = "A query that one leg could not embed is ranked by the other at every alpha."
ON_CHANGES = "The code had changes that this commit lacks: the numbers may not come back exactly."

ALONE = {
    0.0: ("B2", "vl"),
    1.0: ("A", "text"),
}  # what C is at an alpha, and the leg of the embedder


def headline(scope: Scope) -> str:
    """Who won, and whether that is beyond chance: fusion against the best single leg.

    Where no fusion was ranked, the best single leg against the next.
    """
    leg = scope.best_single
    if leg is None:
        return "No single leg was ranked, so there is nothing to hold fusion against."
    legs = sorted(scope.singles, key=lambda name: scope.main(name).mean, reverse=True)
    other = scope.fusion or next((name for name in legs if name != leg), None)
    if other is None:
        return f"Only {_in_line(_called(leg))} was ranked: {MAIN} {estimate(scope.main(leg))}."
    first, second = (other, leg) if scope.fusion else (leg, other)
    found = scope.compared(first, second)
    if found.difference.mean < 0:
        first, second = second, first
        found = scope.compared(first, second)
    ours, theirs = number(scope.main(first).mean), number(scope.main(second).mean)
    winner, loser = _called(first), _in_line(_called(second))
    if _is_equal(found):
        said = f"Nobody won: on every query {_in_line(winner)} is equal to {loser}, {MAIN} {ours}."
    elif is_significant(found):
        said = (
            f"{winner} won, beyond chance: {MAIN} {ours} against {theirs} of {loser}, {_by(found)}."
        )
    else:
        said = (
            f"Nobody won beyond chance: {_in_line(winner)} has {MAIN} {ours}, {loser} {theirs}; "
            f"{_by(found)}, which may be luck."
        )
    return f"{said} {_text_alone(scope, first, second)}".rstrip()


def _text_alone(scope: Scope, first: str, second: str) -> str:
    """What sight is worth, where the two that the headline is about do not say it."""
    if "A" not in scope.rows or "A" in (first, second):
        return ""
    found, score = scope.compared(first, "A"), number(scope.main("A").mean)
    if not is_significant(found):
        return f"{_called('A')}, {score}, is not worse beyond chance."
    return f"{_called('A')} is behind, beyond chance: {score}, {_p(found)}."


def in_short(scope: Scope) -> str:
    """The headline, with what keeps it from being decided."""
    return f"{headline(scope)} {power(scope)}".rstrip()


def legs(scope: Scope) -> str:
    """Which single leg is best, and whether it surely is."""
    leg = scope.best_single
    if leg is None:
        return ""
    others = [name for name in scope.singles if name != leg]
    text = f"The best single leg is {_named(leg)}, with an {MAIN} of {estimate(scope.main(leg))}"
    if not others:
        return f"{text}; no other was ranked."
    text += f"; {_listed([f'{name} has {number(scope.main(name).mean)}' for name in others])}."
    found = {name: scope.compared(leg, name) for name in others}
    behind = {name: each for name, each in found.items() if not _is_equal(each)}
    sure = [f"{name} ({_p(each)})" for name, each in behind.items() if is_significant(each)]
    unsure = [f"{name} ({_p(each)})" for name, each in behind.items() if not is_significant(each)]
    if sure:
        text += f" It is significantly better than {_listed(sure)}."
    if unsure:
        text += f" Its lead over {_listed(unsure)} may be luck."
    if equal := [name for name in found if name not in behind]:
        text += f" On every query it is equal to {_listed(equal)}."
    return text


def other_fusions(scope: Scope) -> list[str]:
    """What the fusions that the headline passes over are against the best single leg."""
    leg = scope.best_single
    if leg is None:
        return []
    return [
        f"{_named(fusion)} {_verb(found)} {leg}: {number(scope.main(fusion).mean)}, {_by(found)}."
        for fusion in scope.fusions[1:]
        for found in [scope.compared(fusion, leg)]
    ]


def power(scope: Scope) -> str:
    if not scope.is_too_small:
        return ""
    return (
        f"{counted(scope.queries, 'query is', 'queries are')} too few: "
        f"in {counted(len(scope.comparisons), 'comparison')} not even a difference of one sign "
        "on every query would be significant."
    )


def chosen_alpha(results: Results, scope: Scope) -> str:
    """How alpha was chosen, and what hindsight would make of it."""
    choice = results.choice
    if choice is None or scope.in_sample is None:
        return ""
    chosen = list(choice.by_query.values())
    way = (
        "all other queries"
        if choice.folds == len(chosen)
        else f"the other {choice.folds - 1} folds"
    )
    usual, hindsight = choice.usual, choice.in_sample
    text = (
        f"C scores each query at the alpha (weight of text) that is best on {way}: {alpha(usual)} for "
        f"{chosen.count(usual)} of {counted(len(chosen), 'query', 'queries')}"
    )
    if min(chosen) < max(chosen):
        text += f", from {alpha(min(chosen))} to {alpha(max(chosen))} in all"
    elif usual in ALONE:
        variant, leg = ALONE[usual]
        where = (
            ", wherever that could embed the query" if results.run.about.unanswered.get(leg) else ""
        )
        return f"{text}, which is {variant} alone{where}: nothing is gained by fusing."
    flattered = number(scope.in_sample.raw[MAIN].mean)
    return (
        f"{text}. The best alpha in hindsight is {alpha(hindsight)}, with {flattered}: flattered, "
        "because the queries that it is reported on chose it."
    )


def counts(results: Results, fusion: str, leg: str) -> str:
    """On how many queries the fusion is better, worse and equal."""
    ours, theirs = results.values(fusion), results.values(leg)
    better = sum(ours[query] > theirs[query] + SAME for query in ours)
    worse = sum(ours[query] < theirs[query] - SAME for query in ours)
    return (
        f"Query by query, {fusion} is better than {leg} on {better}, worse on {worse} and equal on "
        f"{len(ours) - better - worse}."
    )


def _verb(found: Comparison) -> str:
    if _is_equal(found):
        return "equals"
    if not is_significant(found):
        return "is neither significantly better nor worse than"
    return "beats" if found.difference.mean > 0 else "loses to"


def _is_equal(found: Comparison) -> bool:
    """On every query: a mean of 0 and nothing around it."""
    return abs(found.difference.mean) < SAME and found.difference.low is None


def _by(found: Comparison) -> str:
    return f"{difference(found.difference)}, {_p(found)}"


def _p(found: Comparison) -> str:
    value = p_value(found.p_adjusted)
    return f"p {value}" if value.startswith("<") else f"p = {value}"


def _called(variant: str) -> str:
    return f"{CALLED[variant]} ({variant})"


def _in_line(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:]


def _named(variant: str) -> str:
    return f"{variant} ({NAMES[variant]})"


def _listed(parts: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))
