"""Which families count as one design, and what that does to judgments and rankings."""

from __future__ import annotations

import pytest

from eval.datasets.collapse import collapse, collapse_judgments, collapse_ranking, standing_of
from eval.datasets.dataset import AboutDataset, Dataset, Font, Query
from eval.scores.metrics import score
from indexer.catalog.near_duplicates import stem

ABOUT = AboutDataset(name="n", version="1", description="d", license="CC0-1.0", made_by="hand")


def fonts(*names: str) -> list[Font]:
    return [Font(id=name, name=name, source="x") for name in names]


@pytest.mark.parametrize(
    "group",
    [
        ["Noto Sans", "Noto Sans Display", "Noto Sans Devanagari", "Noto Sans JP", "Noto Sans SC",
         "Noto Sans Old South Arabian", "Noto Sans CJK SC"],
        ["Noto Serif", "Noto Serif Display", "Noto Serif NP Hmong"],
        ["Roboto", "Roboto Flex"],
        ["Playwrite AU NSW", "Playwrite DE Grund Guides", "Playwrite IN"],
        ["Baloo 2", "Baloo Bhaijaan 2"],
        ["Playfair", "Playfair Display", "Playfair Display SC"],
        ["Exo", "Exo 2"],
        ["IBM Plex Sans", "IBM Plex Sans KR", "IBM Plex Sans Thai Looped"],
        ["LM Roman 10", "LM Roman 12"],
    ],
)  # fmt: skip
def test_one_design_under_several_names_is_one_group(group: list[str]) -> None:
    assert set(standing_of(fonts(*group)).values()) == {min(group, key=len)}


@pytest.mark.parametrize(
    "names",
    [
        ["Noto Sans", "Noto Serif", "Noto Sans Mono", "Noto Sans Math", "Noto Sans Symbols",
         "Noto Naskh Arabic", "Noto Emoji", "Noto Music", "Noto Color Emoji"],
        ["Roboto", "Roboto Mono", "Roboto Slab", "Roboto Serif", "Roboto Condensed"],
        ["Bungee", "Bungee Shade", "Bungee Hairline"],
        ["Rubik", "Rubik Glitch", "Rubik Mono One"],
        ["Alegreya SC", "Alegreya Sans SC"],
        ["Changa", "Changa One"],
        ["Edu SA Hand", "Education"],
        ["Display", "Text", "SC", "12"],
    ],
)  # fmt: skip
def test_what_a_query_may_ask_for_stays_apart(names: list[str]) -> None:
    assert standing_of(fonts(*names)) == {name: name for name in names}


def test_the_shortest_name_stands_for_the_group_in_whatever_order_they_come() -> None:
    names = ["Tiro Tamil", "Tiro Kannada", "Tiro Bangla", "Tiro Telugu"]
    standing = dict.fromkeys(names, "Tiro Tamil")
    assert standing_of(fonts(*names)) == standing
    assert standing_of(fonts(*reversed(names))) == standing
    assert standing_of(fonts("Anek Odia", "Anek Abcd"))["Anek Odia"] == "Anek Abcd"


def test_groups_go_by_names_and_are_told_by_ids() -> None:
    plain = Font(id="7", name="Roboto", source="x")
    flexible = Font(id="3", name="Roboto Flex", source="x")
    assert standing_of([flexible, plain]) == {"7": "7", "3": "7"}


def test_the_stem_is_never_empty() -> None:
    assert stem("Display Text 2") == "display"


STANDING = standing_of(fonts("Roboto", "Roboto Flex", "Abel"))


def test_a_group_has_the_best_grade_of_its_fonts() -> None:
    judgments = {
        "q1": {"Roboto Flex": 2, "Roboto": 0, "Abel": 1},
        "q2": {"Roboto Flex": 0},
        "q3": {},
    }
    assert collapse_judgments(judgments, STANDING) == {
        "q1": {"Roboto": 2, "Abel": 1},
        "q2": {"Roboto": 0},
        "q3": {},
    }


def test_a_group_stands_where_the_first_of_its_fonts_stood() -> None:
    assert collapse_ranking(["Roboto Flex", "Abel", "Roboto"], STANDING) == ["Roboto", "Abel"]


def test_a_collapsed_dataset_holds_representatives_and_scores_as_a_collapsed_ranking() -> None:
    queries = [Query(id="q", text="neutral", query_class="mood")]
    dataset = Dataset(
        about=ABOUT,
        fonts=fonts("Roboto Flex", "Abel", "Roboto"),
        queries=queries,
        judgments={"q": {"Roboto Flex": 1, "Roboto": 1, "Abel": 1}},
    )
    collapsed = collapse(dataset)
    assert [font.id for font in collapsed.fonts] == ["Abel", "Roboto"]
    assert collapsed.judgments == {"q": {"Roboto": 1, "Abel": 1}}
    ranking = collapse_ranking(["Roboto", "Roboto Flex", "Abel"], standing_of(dataset.fonts))
    scores = score(queries, collapsed.judgments, {"q": ranking})
    assert scores.means().raw["MAP"] == 1
