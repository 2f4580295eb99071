"""A dataset and its rankings with near-duplicate families scored as one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from eval.datasets.dataset import Dataset, Font, Judgments
from indexer.catalog.near_duplicates import representatives


def standing_of(fonts: Iterable[Font]) -> dict[str, str]:
    """Each font's id to the id that stands for its group of near-duplicates."""
    return representatives({font.id: font.name for font in fonts})


def collapse(dataset: Dataset) -> Dataset:
    """The dataset with one font of each group, which is judged for all of them."""
    standing = standing_of(dataset.fonts)
    return replace(
        dataset,
        fonts=tuple(font for font in dataset.fonts if standing[font.id] == font.id),
        judgments=collapse_judgments(dataset.judgments, standing),
    )


def collapse_judgments(judgments: Judgments, standing: Mapping[str, str]) -> Judgments:
    """Judgments of representatives: the highest grade of a group, since any of it answers the query."""
    collapsed: dict[str, dict[str, int]] = {}
    for query, grades in judgments.items():
        best = collapsed.setdefault(query, {})
        for font, grade in grades.items():
            best[standing[font]] = max(grade, best.get(standing[font], 0))
    return collapsed


def collapse_ranking(ranking: Sequence[str], standing: Mapping[str, str]) -> list[str]:
    """The representatives in the order of the best rank in each group.

    It is shorter than the ranking: ask for more fonts than the metrics look at.
    """
    return list(dict.fromkeys(standing[font] for font in ranking))
