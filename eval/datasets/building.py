"""What the builders of datasets share: from queries and judgments to a dataset worth asking."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from statistics import median

from eval.datasets.collapse import collapse
from eval.datasets.dataset import (
    AboutDataset,
    Dataset,
    Font,
    Judgments,
    Query,
    Split,
    refuse_leaked_tags,
)
from indexer.catalog.family import Family
from indexer.catalog.fontsource import read_listing
from indexer.catalog.selection import choose
from indexer.errors import FontError, UserError
from indexer.fetch.files import FontFiles
from indexer.text import DESCRIBED

SEED = "895"  # of the halves; of 3,000 that were tried, it halves the CC0 tags most evenly
FETCHING = 8  # families at once
MAX_ABSENT = 10  # families that cannot be had, beyond as many as can
MAX_DROPPED_SHOWN = 8  # dropped queries of a kind


@dataclass(frozen=True, kw_only=True)
class Built:
    dataset: Dataset
    dropped: Mapping[str, str]  # query: why it is not asked

    def __str__(self) -> str:
        dataset = self.dataset
        kinds = Counter((query.query_class, query.split) for query in dataset.queries)
        relevant = [sum(grade > 0 for grade in row.values()) for row in dataset.judgments.values()]
        lines = [
            f"{dataset.about.name}: {len(dataset.fonts)} fonts, {len(dataset.queries)} queries, "
            f"{sum(map(len, dataset.judgments.values()))} judged pairs",
            *(
                f"  {name}: {count} queries" + (f" ({split})" if split else "")
                for (name, split), count in sorted(kinds.items(), key=str)
            ),
            f"  relevant fonts of a query: {min(relevant)} to {max(relevant)}, "
            f"median {median(relevant):g}",
            f"  hash {dataset.hash[:16]}",
        ]
        reasons: defaultdict[str, list[str]] = defaultdict(list)
        for query, why in self.dropped.items():
            reasons[why].append(query)
        lines += [f"  not asked, {why}: {_some(queries)}" for why, queries in reasons.items()]
        return "\n".join(lines)


def google_families(
    files: FontFiles, limit: int, *, among: Callable[[str], bool] = lambda name: True
) -> tuple[list[Family], str]:
    """The first `limit` families whose font can be had, and where the list of them is from.

    In the order of `indexer import fontsource`, of those whose name is wanted. The list has a
    version, so that a dataset can be made again; it names some families that the registry has not.
    Raises UserError where most cannot be had.
    """
    listing = read_listing(files, source="npm")
    waiting = [entry.to_family() for entry in choose(listing.families) if among(entry.family)]
    had: list[Family] = []
    lacking: list[str] = []
    with ThreadPoolExecutor(FETCHING) as pool:
        while waiting and len(had) < limit:
            batch = [waiting.pop(0) for _ in range(min(limit - len(had), len(waiting)))]
            for family, reason in zip(batch, pool.map(partial(_lack, files), batch), strict=True):
                if reason is None:
                    had.append(family)
                else:
                    lacking.append(reason)
            if len(lacking) > len(had) + MAX_ABSENT:
                raise UserError(f"Too few families can be had: {lacking[-1]}")
    return had, f"{listing.origin}, {len(lacking)} families without files passed over"


def _lack(files: FontFiles, family: Family) -> str | None:
    """Why a family's font cannot be had; None where it can, and is in the cache from now on."""
    try:
        files.fetch(family.regular_file)
    except FontError as error:
        return error.message
    return None


def as_fonts(families: Iterable[Family]) -> list[Font]:
    """Families as lines of corpus.jsonl; they go by their names."""
    return [
        Font(
            id=family.name,
            name=family.name,
            category=family.category,
            tags=family.tags,
            description=family.description,
            license=family.license,
            source=family.source,
            files=family.files,
        )
        for family in families
    ]


def assemble(
    about: AboutDataset,
    fonts: Sequence[Font],
    queries: Iterable[Query],
    judgments: Judgments,
    *,
    least: int = 1,
    collapsed: bool = False,
    dropped: Mapping[str, str] | None = None,
) -> Built:
    """A dataset of the queries that at least `least` fonts answer.

    collapsed: near-duplicate families are one; they are counted after that. dropped: what the
    caller has left out already. Raises UserError where a font's text holds a ground-truth tag,
    and where no query is left.
    """
    asked = tuple(queries)
    if collapsed:
        about = replace(about, made_by=f"{about.made_by}; near-duplicate families collapsed")
    dataset = Dataset(about=about, fonts=tuple(fonts), queries=asked, judgments=judgments)
    if collapsed:
        dataset = collapse(dataset)
    out = dict(dropped or {})
    for query in asked:
        if sum(grade > 0 for grade in dataset.judgments.get(query.id, {}).values()) < least:
            out[query.id] = f"fewer than {least} fonts answer"
    kept = tuple(query for query in asked if query.id not in out)
    if not kept:
        raise UserError(f"No query of {len(out)} is left: too few fonts answer any of them.")
    dataset = replace(
        dataset,
        queries=kept,
        judgments={query.id: dataset.judgments[query.id] for query in kept},
    )
    refuse_leaked_tags(dataset, indexed_texts(dataset.fonts))
    return Built(dataset=dataset, dropped=out)


def indexed_texts(fonts: Iterable[Font]) -> dict[str, str]:
    """By font id, all that may be embedded of a font in words, without what is measured."""
    return {
        font.id: DESCRIBED.compose(
            name=font.name,
            category=font.category,
            tags=font.tags,
            description=font.description,
            traits=None,
        )
        for font in fonts
    }


def halved(queries: Iterable[Query]) -> list[Query]:
    """The queries with half of each class for improving (dev) and half for reporting (test).

    Neighbours in the order given are pairs, and a hash decides which of the two is which: like
    queries should stand side by side. Call it before queries are dropped for the corpus' sake, and
    a query stays in its half whatever fonts are searched.
    """
    asked = list(queries)
    splits: dict[str, Split] = {}
    waiting: dict[str, Query] = {}
    for query in asked:
        other = waiting.pop(query.query_class, None)
        if other is None:
            waiting[query.query_class] = query
            continue
        first, second = sorted((other, query), key=_lot)
        splits |= {first.id: "dev", second.id: "test"}
    return [replace(query, split=splits.get(query.id, "test")) for query in asked]


def family_half(name: str) -> Split:
    """Whether a family is for improving (dev) or for reporting (test).

    By the first word of its name: Noto Sans and Noto Serif Thai are on one side.
    """
    first = name.split(maxsplit=1)[0] if name.strip() else ""
    return "test" if hashlib.sha256(f"{SEED} {first}".encode()).digest()[0] % 2 else "dev"


def _some(names: Sequence[str]) -> str:
    more = len(names) - MAX_DROPPED_SHOWN
    return ", ".join(names[:MAX_DROPPED_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _lot(query: Query) -> str:
    return hashlib.sha256(f"{SEED} {query.id}".encode()).hexdigest()
