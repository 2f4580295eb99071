"""Datasets are what their builders say: exact truths, honest labels, and the same one every time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from fontTools.ttLib import TTFont

from eval.cli.build import build_group
from eval.datasets.building import google_families, halved
from eval.datasets.dataset import Dataset, Query, load
from eval.datasets.google import build_google
from eval.datasets.importers import Tags, read_tags
from eval.datasets.measured import QUESTIONS, Measure, build_measured, grades
from eval.datasets.tags import MOOD, NOT_ASKED, STRUCTURE, build_tags
from eval.datasets.toy import toy_fonts
from eval.fonts.parametric import ParametricFont
from indexer.catalog.family import CATEGORIES, Family
from indexer.errors import UserError
from indexer.fetch import FileCache, FontFiles, Npm
from indexer.fontfile import open_font
from indexer.settings import Settings
from indexer.traits import Traits
from indexer.traits.measure import measure
from tests.fix_servers import Registry


def run(*arguments: str | Path, expect: int = 0) -> Result:
    done = CliRunner().invoke(build_group, [str(argument) for argument in arguments])
    assert done.exit_code == expect, done.output
    return done


def relevant(dataset: Dataset, query: str) -> dict[str, int]:
    return {font: grade for font, grade in dataset.judgments[query].items() if grade}


def family(name: str, category: str = "serif", *tags: str, description: str = "") -> Family:
    return Family(
        name=name,
        category=category,
        tags=("latin", *tags),
        source="Google Fonts",
        license=None,
        files={"400": f"https://fonts.example/{name}.ttf"},
        description=description or None,
    )


# --- toy -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("toy")
    run("toy", "--out", folder)
    return folder


@pytest.fixture(scope="module")
def toy_traits(toy: Path) -> dict[str, Traits]:
    """By name, what is measured of the font files that the dataset points to."""
    return {
        font.name: measure(open_font((toy / font.files["400"]).read_bytes()))
        for font in load(toy).fonts
    }


def above(value: float | None, limit: float) -> bool:
    return value is not None and value > limit


def below(value: float | None, limit: float) -> bool:
    return value is not None and value < limit


def cased(t: Traits) -> bool:
    return below(t.unicase, 0.45)


def thick_and_thin(t: Traits) -> bool:
    return above(t.contrast, 0.63)


def narrow(t: Traits) -> bool:
    # o alone: the underline of joined letters widens it, and capitals have their own proportions
    return below(t.o_proportion, 0.75) and cased(t)


def bold(t: Traits) -> bool:
    return above(t.weight, 0.145)


def light(t: Traits) -> bool:
    return below(t.weight, 0.08)


def footed(t: Traits) -> bool:
    return above(t.serifs, 0.3) and not above(t.joined, 0.6)


def slab(t: Traits) -> bool:
    return footed(t) and above(t.serif_weight, 0.6)


MEASURED: dict[str, Callable[[Traits], bool]] = {
    "large x-height": lambda t: above(t.x_height, 0.745) and cased(t),
    "small x-height": lambda t: below(t.x_height, 0.63),
    "high contrast between thick and thin strokes": thick_and_thin,
    "monoline strokes of one thickness": lambda t: below(t.contrast, 0.08),
    "condensed": narrow,
    "wide, extended letters": lambda t: above(t.o_proportion, 1.2) and not above(t.joined, 0.6),
    "thin, light strokes": light,
    "bold and heavy": bold,
    "slanted": lambda t: above(t.slant, 6),
    "slab serif": slab,
    "hairline serifs": lambda t: footed(t) and below(t.serif_weight, 0.31),
    "rounded terminals": lambda t: above(t.terminal_roundness, 0.55),
    "squared curves": lambda t: above(t.squareness, 0.905),
    "monospaced": lambda t: below(t.advance_spread, 0.02),
    "all capitals, no lower case": lambda t: above(t.unicase, 0.8),
    "connected letters": lambda t: above(t.joined, 0.6),
    "old-style figures": lambda t: above(t.oldstyle_figures, 0.12),
    "single-storey a": lambda t: t.a_storeys == 1,
    "two-storey g": lambda t: t.g_storeys == 2,
    "high contrast condensed": lambda t: thick_and_thin(t) and narrow(t),
    "bold slab serif": lambda t: slab(t) and bold(t),
    "light sans serif with a large x-height": lambda t: (
        light(t) and not footed(t) and cased(t) and above(t.x_height, 0.63)
        and not above(t.joined, 0.6)
    ),
}  # fmt: skip


@pytest.mark.slow
def test_what_is_drawn_is_what_the_truths_say(toy: Path, toy_traits: dict[str, Traits]) -> None:
    """The parameters decided the grades; here the outlines of the files are measured instead."""
    dataset = load(toy)
    structure = {q.text: q.id for q in dataset.queries if q.query_class == "structure"}
    assert structure.keys() == MEASURED.keys()
    for text, holds in MEASURED.items():
        seen = {name for name, traits in toy_traits.items() if holds(traits)}
        assert seen == relevant(dataset, structure[text]).keys(), text


def test_every_pair_of_the_toy_is_judged_and_every_query_tells_fonts_apart(toy: Path) -> None:
    dataset = load(toy)
    names = {font.id for font in dataset.fonts}
    assert len(names) == 56
    assert len(dataset.queries) == 28
    for query in dataset.queries:
        assert dataset.judgments[query.id].keys() == names
        assert 2 <= len(relevant(dataset, query.id)) <= 28


def test_a_mood_is_the_combination_that_is_written_down(toy: Path) -> None:
    dataset = load(toy)
    ids = {query.text: query.id for query in dataset.queries if query.query_class == "mood"}
    # K is a slab serif and L a sans serif, and no others are monospaced
    assert relevant(dataset, ids["old typewriter"]) == {
        **{f"Toy K{turn}": 2 for turn in range(1, 5)},
        **{f"Toy L{turn}": 1 for turn in range(1, 5)},
    }
    # H and I are Didones; the fourth of each is bold
    elegant = relevant(dataset, ids["elegant headlines for a fashion magazine"])
    assert elegant == {f"Toy {kind}{turn}": 1 if turn == 4 else 2 for kind in "HI" for turn in range(1, 5)}  # fmt: skip


def test_the_toy_is_the_same_every_time(toy: Path, tmp_path: Path) -> None:
    (tmp_path / "fonts").mkdir()
    (tmp_path / "fonts" / "toy-a1-00000000.ttf").write_bytes(b"of an earlier version")
    said = run("toy", "--out", tmp_path).stdout
    assert load(tmp_path).hash == load(toy).hash
    assert "toy: 56 fonts, 28 queries, 1568 judged pairs" in said
    assert "structure: 22 queries" in said
    assert contents(tmp_path) == contents(toy)


def contents(folder: Path) -> dict[Path, bytes]:
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_other_letters_under_the_same_names_are_another_dataset(
    toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eval.datasets.toy.SPACINGS", (0.6, 0.35, 0.6, 1.0))
    run("toy", "--out", tmp_path)
    assert load(tmp_path).judgments == load(toy).judgments
    assert load(tmp_path).hash != load(toy).hash


def test_no_two_toys_are_one_design() -> None:
    made = toy_fonts()
    assert len(set(made.values())) == len(made)


# --- google ----------------------------------------------------------------------------------

GOOGLE = [
    *(family(f"Sans {letter}", "sans-serif", "greek") for letter in "ABC"),
    *(family(f"Serif {letter}", "serif", "greek", "cyrillic") for letter in "DEF"),
    family("Serif G", "serif"),
    family("Noto Sans", "sans-serif", "cyrillic"),
    family("Noto Sans Thai", "sans-serif", "thai"),
]


def test_proxy_labels_are_the_category_the_script_or_both() -> None:
    dataset = build_google(GOOGLE, "a list").dataset
    asked = {query.id: query.text for query in dataset.queries}
    assert asked == {
        "sans-serif": "sans serif font",
        "serif": "serif font",
        "greek": "font for Greek",
        "cyrillic": "font for Cyrillic",
        "sans-serif greek": "sans serif font for Greek",
        "serif greek": "serif font for Greek",
        "serif cyrillic": "serif font for Cyrillic",
    }
    assert all(len(grades) == len(GOOGLE) for grades in dataset.judgments.values())
    assert relevant(dataset, "cyrillic").keys() == {"Serif D", "Serif E", "Serif F", "Noto Sans"}
    assert relevant(dataset, "serif greek").keys() == {"Serif D", "Serif E", "Serif F"}
    assert "not visual style" in dataset.about.description


def test_near_duplicate_families_count_as_one_when_told() -> None:
    dataset = build_google(GOOGLE, "a list", collapsed=True).dataset
    names = {font.name for font in dataset.fonts}
    assert "Noto Sans" in names
    assert "Noto Sans Thai" not in names
    assert len(relevant(dataset, "sans-serif")) == 4
    assert dataset.about.made_by.endswith("near-duplicate families collapsed")


def publish(registry: Registry, ids: list[str], *, lacking: set[str]) -> None:
    """A catalogue of families, and the packages of those that are not lacking."""
    families = {
        id_: {
            "id": id_, "family": id_.title(), "subsets": ["latin"], "weights": [400],
            "styles": ["normal"], "defSubset": "latin", "category": CATEGORIES[number % 5],
        }
        for number, id_ in enumerate(ids)
    }  # fmt: skip
    registry.publish(
        "google-font-metadata", "6.0.8",
        {
            "data/google-fonts-v2.json": json.dumps(families).encode(),
            "data/licenses.json": b"{}", "data/variable.json": b"{}",
        },
    )  # fmt: skip
    for id_ in set(ids) - lacking:
        registry.publish(
            f"@fontsource/{id_}", "5.0.0",
            {f"files/{id_}-latin-400-normal.woff2": b"wOF2", "metadata.json": b"{}"},
        )  # fmt: skip


def npm_files(registry: Registry, tmp_path: Path) -> FontFiles:
    return FontFiles(FileCache(tmp_path / "cache"), mode="npm", npm=Npm(env=registry.env))


@pytest.mark.slow
def test_families_that_cannot_be_had_leave_their_place_to_the_next(
    registry: Registry, tmp_path: Path
) -> None:
    ids = [f"font-{letter}" for letter in "abcde"]
    publish(registry, ids, lacking={"font-a", "font-e"})
    files = npm_files(registry, tmp_path)
    families, origin = google_families(files, 3)
    assert {family.name for family in families} == {"Font-B", "Font-C", "Font-D"}
    assert origin.startswith("google-font-metadata 6.0.8")
    assert google_families(files, 3) == (families, origin)
    some, _ = google_families(files, 2, among=lambda name: name in ("Font-A", "Font-B", "Font-C"))
    assert {family.name for family in some} == {"Font-B", "Font-C"}


@pytest.mark.slow
def test_a_registry_without_families_is_not_asked_for_all_of_them(
    registry: Registry, tmp_path: Path
) -> None:
    ids = [f"font-{number}" for number in range(30)]
    publish(registry, ids, lacking=set(ids))
    with pytest.raises(UserError, match=r"Too few families can be had: .*@fontsource"):
        google_families(npm_files(registry, tmp_path), 12)
    assert len(registry.web.paths()) < 30


# --- tags ------------------------------------------------------------------------------------

TAGGED = [
    family("One", "serif", "korean"), family("Two"), family("Three"), family("Four"),
    family("Dancing Script", "handwriting"), family("Untagged"),
]  # fmt: skip
TAGS: Tags = {
    "One": {"elegant": 1.0, "korean": 1.0, "thin": 1.0},
    "Two": {"elegant": 1.0, "korean": 1.0, "thin": 1.0, "icons": 1.0},
    "Three": {"elegant": 1.0, "korean": 1.0, "homemade": 1.0, "icons": 1.0},
    "Four": {"thin": 1.0, "homemade": 1.0, "icons": 1.0, "western": 1.0},
    "Dancing Script": {"script": 1.0, "homemade": 1.0},
    "Untagged": {},
    "Elsewhere": {"script": 1.0, "western": 1.0},
}


def test_tags_become_queries_that_tagged_families_alone_are_judged_for() -> None:
    built = build_tags(TAGGED, TAGS, made_by="a test", license_="CC0-1.0")
    dataset = built.dataset
    assert {(query.text, query.query_class) for query in dataset.queries} == {
        ("an elegant typeface", "mood"),
        ("thin strokes", "structure"),
        ("homemade letters", "other"),
    }
    for query in dataset.queries:
        assert dataset.judgments[query.id].keys() == {font.name for font in TAGGED} - {"Untagged"}
    assert relevant(dataset, "elegant") == {"One": 1, "Two": 1, "Three": 1}
    assert built.dropped == {
        "korean": "stands in the indexed text",
        "icons": "no font of letters",
        "western": "fewer than 3 fonts answer",
        "script": "fewer than 3 fonts answer",
    }
    assert "not asked, fewer than 3 fonts answer: script, western" in str(built)
    assert "Of 6 families 5 are tagged" in dataset.about.description


def test_no_tag_that_is_asked_for_may_stand_in_a_text() -> None:
    described = [*TAGGED, family("Six", description="An Elegant face.")]
    built = build_tags(described, TAGS, made_by="a test", license_="CC0-1.0")
    assert built.dropped["elegant"] == "stands in the indexed text"
    assert "elegant" not in built.dataset.about.ground_truth_tags
    assert "thin" in built.dataset.about.ground_truth_tags


def test_weights_of_a_csv_file_are_graded_and_groups_are_understood(tmp_path: Path) -> None:
    path = tmp_path / "tags.csv"
    weights = {"One": 100, "Two": 75, "Three": 74.9, "Four": 25, "Dancing Script": 24}
    path.write_text(
        "Family,Group/Tag,Weight\n"
        + "".join(f"{name},/Serif/Humanist,{weight}\n" for name, weight in weights.items())
        + "".join(f"{name},/Expressive/Calm,100\n{name},/Theme/Art Deco,80\n" for name in weights)
    )
    built = build_tags(TAGGED, read_tags(path), made_by="a test", license_="OFL-1.1")
    asked = {query.id: (query.text, query.query_class) for query in built.dataset.queries}
    assert asked == {
        "/Serif/Humanist": ("humanist serif", "structure"),
        "/Expressive/Calm": ("calm letters", "mood"),
        "/Theme/Art Deco": ("Art Deco", "mood"),
    }
    assert built.dataset.judgments["/Serif/Humanist"] == {
        "One": 3, "Two": 3, "Three": 2, "Four": 1, "Dancing Script": 0
    }  # fmt: skip
    assert built.dataset.about.ground_truth_tags == ("art deco", "calm", "humanist")


def test_each_tag_has_one_wording_and_one_class() -> None:
    assert not STRUCTURE.keys() & MOOD.keys()
    assert not NOT_ASKED.keys() & (STRUCTURE.keys() | MOOD.keys())
    texts = [*STRUCTURE.values(), *MOOD.values()]
    assert len(set(texts)) == len(texts)


def split_of(queries: list[Query]) -> Mapping[str, str | None]:
    return {query.id: query.split for query in queries}


def test_half_of_each_class_is_for_improving() -> None:
    asked = [Query(id=f"{kind}{n}", text="t", query_class=kind) for kind in "ab" for n in range(10)]
    halves = halved([*asked, Query(id="odd", text="t", query_class="b")])
    assert [query.id for query in halves] == [*(query.id for query in asked), "odd"]
    for kind in "ab":
        splits = [query.split for query in halves if query.id.startswith(kind)]
        assert splits.count("dev") == splits.count("test") == 5
    assert halves[-1].split == "test"
    # neighbours are drawn against each other, not in turn
    assert {query.split for query in halves[:20:2]} == {"dev", "test"}


def test_a_tag_stays_in_its_half_whatever_families_are_searched() -> None:
    whole = build_tags(TAGGED, TAGS, made_by="a test", license_="CC0-1.0").dataset
    fewer = build_tags(TAGGED[:4], TAGS, made_by="a test", license_="CC0-1.0").dataset
    before, after = split_of([*whole.queries]), split_of([*fewer.queries])
    assert len(after) == 2
    assert after.items() < before.items()


# --- measured --------------------------------------------------------------------------------


def traits(**values: Any) -> Traits:
    plain = dict.fromkeys(("hollow", "roughness", "joined", "irregularity", "flourish"), 0.0)
    return Traits(**{"is_text": True, "unicase": 0.2, **plain, **values})


def asked(text: str) -> tuple[Measure, ...]:
    return dict(QUESTIONS)[text]


def test_the_outer_tenth_answers_and_the_outer_twentieth_best() -> None:
    fonts = {f"F{n:02}": traits(x_height=0.5 + n / 100) for n in range(40)}
    found = grades(asked("very large x-height"), fonts)
    assert found == dict.fromkeys(fonts, 0) | {"F39": 2, "F38": 2, "F37": 1, "F36": 1}
    found = grades(asked("very small x-height"), fonts)
    assert found == dict.fromkeys(fonts, 0) | {"F00": 2, "F01": 2, "F02": 1, "F03": 1}


def test_a_font_without_the_trait_is_unjudged() -> None:
    fonts = {f"F{n}": traits(x_height=0.5 + n / 10) for n in range(4)}
    fonts["Capitals"] = traits(x_height=1.0, unicase=0.9)
    fonts["Script"] = traits(x_height=0.3, joined=1.0)
    fonts["Arabic"] = traits()
    assert grades(asked("very large x-height"), fonts).keys() == {"F0", "F1", "F2", "F3"}


def test_where_most_are_upright_none_of_those_is_slanted() -> None:
    fonts = {f"F{n}": traits(slant=0.0) for n in range(9)} | {"Italic": traits(slant=12.0)}
    assert grades(asked("strongly slanted"), fonts) == dict.fromkeys(fonts, 0) | {"Italic": 2}


def test_two_traits_must_both_be_there() -> None:
    fonts = {
        f"C{c} W{w}": traits(contrast=c / 10, width=1 + w / 10, x_height=0.7)
        for c in range(10)
        for w in range(10)
    }
    found = grades(asked("high contrast condensed"), fonts)
    assert {name for name, grade in found.items() if grade == 2} == {
        "C9 W0", "C9 W1", "C8 W0", "C8 W1"
    }  # fmt: skip
    assert {name for name, grade in found.items() if grade} == {
        f"C{c} W{w}" for c in (7, 8, 9) for w in (0, 1, 2)
    } | {f"C{c} W{w}" for c in (6, 7, 8, 9) for w in (0, 1, 2, 3)}


def test_symbols_and_what_was_not_measured_answer_nothing() -> None:
    measured = {f"F{n:02}": traits(x_height=0.5 + n / 100) for n in range(40)}
    measured["Symbols"] = Traits(is_text=False, x_height=2.0)
    families = [family(name) for name in [*measured, "Broken"]]
    dataset = build_measured(families, measured, made_by="a test").dataset
    assert {font.name for font in dataset.fonts} == measured.keys()
    assert "Symbols" not in dataset.judgments["very large x-height"]
    assert "not of sight" in dataset.about.description


@pytest.mark.slow
def test_a_folder_of_fonts_is_measured_and_asked_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FONTSIGHT_CACHE_DIR", str(tmp_path / "cache"))
    folder = tmp_path / "fonts"
    folder.mkdir()
    for number in range(30):
        path = folder / f"{number}.ttf"
        characters = "".join(map(chr, range(48, 123)))
        path.write_bytes(ParametricFont(x_height=0.55 + 0.01 * number).build(characters=characters))
        font = TTFont(path)
        font["name"].setName(f"Family {number:02}", 1, 3, 1, 0x409)
        font.save(path)
    (folder / "broken.ttf").write_bytes(b"no font")
    out = tmp_path / "measured"
    done = run("measured", "--fonts", folder, "--out", out)
    assert "skipped broken.ttf" in done.stderr
    dataset = load(out)
    assert relevant(dataset, "very large x-height") == {
        "Family 29": 2, "Family 28": 2, "Family 27": 1
    }  # fmt: skip
    assert dataset.fonts[0].files["400"] == (folder / "0.ttf").as_uri()


# --- files of others -------------------------------------------------------------------------


@pytest.fixture
def reference(tmp_path: Path) -> list[str | Path]:
    """Options that name three files in the reference's shapes."""
    files = {
        "fonts": [{"name": "A", "tags": ["latin"]}, {"name": "B", "tags": ["High-Contrast"]},
                  {"name": "C"}],
        "queries": [{"id": "q1", "text": "high contrast", "class": "structure"},
                    {"id": "q2", "text": "nothing", "class": "mood"}],
        "labels": {"q1": ["A", "B"], "q2": []},
    }  # fmt: skip
    options: list[str | Path] = ["--license", "CC0-1.0"]
    for name, content in files.items():
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(content))
        options += [f"--{name}", path]
    return options


def test_files_of_another_evaluation_become_a_dataset(
    reference: list[str | Path], tmp_path: Path
) -> None:
    done = run("import", *reference, "--out", tmp_path / "some")
    assert "not asked, fewer than 1 fonts answer: q2" in done.stdout
    assert load(tmp_path / "some").judgments == {"q1": {"A": 1, "B": 1}}
    run("import", *reference, "--exhaustive", "--out", tmp_path / "all")
    assert load(tmp_path / "all").judgments == {"q1": {"A": 1, "B": 1, "C": 0}}


def test_a_judges_file_is_read_too(reference: list[str | Path], tmp_path: Path) -> None:
    judged = tmp_path / "judged.json"
    judged.write_text(json.dumps({"judge": "someone", "judgments": {"q1": {"A": 0, "C": 1}}}))
    labels = reference.index("--labels")
    others = reference[:labels] + reference[labels + 2 :]
    for wrong in ([], ["--judgments", judged, "--exhaustive"]):
        assert (
            "--labels" in run("import", *others, *wrong, "--out", tmp_path / "x", expect=2).stderr
        )
    run("import", *others, "--judgments", judged, "--out", tmp_path / "out")
    assert load(tmp_path / "out").judgments == {"q1": {"A": 0, "C": 1}}


def test_a_pool_counts_for_its_queries_and_labels_for_the_others(
    reference: list[str | Path], tmp_path: Path
) -> None:
    queries = Path(reference[reference.index("--queries") + 1])
    asked = [{"id": f"q{n}", "text": f"text {n}", "class": "mood"} for n in (1, 2)]
    queries.write_text(json.dumps(asked))
    labels = Path(reference[reference.index("--labels") + 1])
    labels.write_text(json.dumps({"q1": ["A", "B"], "q2": ["C"]}))
    pool = tmp_path / "pool.json"
    pool.write_text(json.dumps({"judgments": {"q1": {"A": 0, "C": 1}}}))
    done = run("import", *reference, "--judgments", pool, "--out", tmp_path / "some")
    assert "1 queries have labels and judged pairs: the pairs count." in done.stderr
    assert "read their raw scores alone" in done.stderr
    some = load(tmp_path / "some")
    assert some.judgments == {"q1": {"A": 0, "C": 1}, "q2": {"C": 1}}
    assert "read their raw scores alone" in some.about.description
    run("import", *reference, "--judgments", pool, "--exhaustive", "--out", tmp_path / "all")
    whole = load(tmp_path / "all")
    assert whole.judgments == {"q1": {"A": 0, "C": 1}, "q2": {"A": 0, "B": 0, "C": 1}}
    assert {query.id: query.assumed for query in whole.queries} == {"q1": False, "q2": True}
    assert whole.corpus_hash == some.corpus_hash and whole.hash != some.hash


def test_labels_of_unknown_fonts_and_queries_are_refused(
    reference: list[str | Path], tmp_path: Path
) -> None:
    labels = Path(reference[reference.index("--labels") + 1])
    labels.write_text(json.dumps({"q1": ["A", "Z"], "q9": ["A"]}))
    done = run("import", *reference, "--collapse", "--out", tmp_path / "out", expect=1)
    assert "there is no query 'q9'" in done.stderr
    assert "q1: there is no font 'Z'" in done.stderr


def test_a_tag_that_is_ground_truth_is_refused_in_the_fonts(
    reference: list[str | Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    done = run("import", *reference, "--truth-tag", "high contrast", "--out", out, expect=1)
    assert "Tags that are ground truth stand in the indexed text" in done.stderr
    assert "B: high contrast" in done.stderr
    assert not out.exists()


# --- real families ---------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.network
def test_real_families_make_the_same_datasets_twice(
    tmp_path: Path, npm_registry_answers: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FONTSIGHT_CACHE_DIR", str(Settings().cache_dir))
    labels = tmp_path / "labels.json"
    # every second family in the order of the alphabet is tagged
    run("google", "--families", "15", "--out", tmp_path / "google")
    first = load(tmp_path / "google")
    names = sorted(font.name for font in first.fonts)
    assert len(names) == 15
    labels.write_text(json.dumps({name: ["friendly"] if n % 2 else ["fun", "monospace"] for n, name in enumerate(names)}))  # fmt: skip
    run("google", "--families", "15", "--out", tmp_path / "again")
    assert load(tmp_path / "again").hash == first.hash
    options = ["--labels", labels, "--license", "CC0-1.0", "--families", "15"]
    done = run("tags", *options, "--out", tmp_path / "tags")
    assert "not asked, stands in the indexed text: monospace" in done.stdout
    dataset = load(tmp_path / "tags")
    assert {font.name for font in dataset.fonts} == set(names)
    assert relevant(dataset, "friendly").keys() == set(names[1::2])
    assert hashlib.sha256(labels.read_bytes()).hexdigest()[:16] in dataset.about.made_by
