"""A dataset comes back as it was saved, and what is wrong with one is said by file and line."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from eval.datasets.dataset import (
    AboutDataset,
    Dataset,
    Font,
    Query,
    json_schema,
    load,
    refuse_leaked_tags,
    save,
)
from eval.datasets.importers import (
    exhaustive,
    read_fonts,
    read_judgments,
    read_labels,
    read_queries,
    read_tags,
)
from indexer.errors import UserError

ABOUT = AboutDataset(
    name="tiny",
    version="1",
    description="Three fonts,\nand two queries.",
    license="CC0-1.0",
    made_by="by hand",
    ground_truth_tags=("high contrast", "fat", "fat face", "script"),
)
ABEL = Font(
    id="Abel",
    name="Abel",
    category="sans-serif",
    tags=("latin", "greek"),
    description="Flat-sided\u2028and narrow",  # a line separator, which JSON leaves as it is
    license="OFL-1.1",
    source="Google Fonts",
    files={"700": "fonts/abel-700.ttf", "400": "https://example.org/abel.ttf"},
)
BODONI = Font(id="bodoni", name="Bodoni Moda", source="Google Fonts")
NOTO = Font(id="Noto Sans ñandú", name="Noto Sans ñandú", source="Directory")
ASKED = Query(id="q1", text="high contrast", query_class="structure", split="dev")
FELT = Query(id="q2", text="calm\nand quiet", query_class="mood")
TINY = Dataset(
    about=ABOUT,
    fonts=(ABEL, BODONI, NOTO),
    queries=(ASKED, FELT),
    judgments={"q1": {"bodoni": 2, "Abel": 0}, "q2": {"Noto Sans ñandú": 1}},
)


def problems_of(folder: Path) -> str:
    with pytest.raises(UserError) as caught:
        load(folder)
    return str(caught.value)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save(TINY, tmp_path / "tiny")
    return tmp_path / "tiny"


def append(folder: Path, name: str, *lines: str) -> None:
    with (folder / name).open("a", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)


def test_what_is_saved_comes_back(folder: Path) -> None:
    loaded = load(folder)
    assert sorted(loaded.fonts, key=TINY.fonts.index) == list(TINY.fonts)
    assert replace(loaded, fonts=TINY.fonts) == TINY
    assert loaded.hash == TINY.hash


def test_the_same_content_makes_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    abel = replace(ABEL, files=dict(reversed(list(ABEL.files.items()))))
    judgments = {
        query: dict(reversed(list(TINY.judgments[query].items()))) for query in ("q2", "q1")
    }
    other = replace(TINY, fonts=(NOTO, BODONI, abel), queries=(FELT, ASKED), judgments=judgments)
    save(other, tmp_path / "other")
    for file in folder.iterdir():
        assert file.read_bytes() == (tmp_path / "other" / file.name).read_bytes()
    assert other.hash == TINY.hash


def test_any_change_of_content_changes_the_hash() -> None:
    changed = [
        replace(TINY, about=replace(ABOUT, version="2")),
        replace(TINY, fonts=(replace(ABEL, tags=("greek", "latin")), BODONI, NOTO)),
        replace(TINY, queries=(ASKED, replace(FELT, split="test"))),
        replace(TINY, judgments={**TINY.judgments, "q2": {"Noto Sans ñandú": 2}}),
    ]
    assert len({TINY.hash, *(dataset.hash for dataset in changed)}) == 5


def test_the_hash_is_that_of_earlier_versions() -> None:
    assert TINY.hash == "4f6f94e204b59e28966503090bc5394112b9348388f442b80bec3f3c95d2cf61"


def test_what_could_not_be_loaded_is_not_written(folder: Path) -> None:
    wrong = replace(TINY, judgments={"q9": {"Abel": 1}})
    before = {file: file.read_bytes() for file in folder.iterdir()}
    with pytest.raises(UserError, match=r"qrels\.jsonl line 1: there is no query 'q9'"):
        save(wrong, folder)
    assert {file: file.read_bytes() for file in folder.iterdir()} == before


def test_a_save_that_was_cut_short_does_not_load(folder: Path) -> None:
    (folder / "qrels.jsonl").unlink()
    (folder / "qrels.jsonl").mkdir()  # so that writing it fails
    with pytest.raises(IsADirectoryError):
        save(TINY, folder)
    assert "dataset.json cannot be read" in problems_of(folder)


@pytest.mark.parametrize(
    ("name", "line", "problem"),
    [
        ("queries.jsonl", '{"id": "q3", "text": "x"}', "line 3: class: is missing"),
        ("queries.jsonl", '{"id": "q3", "text": " ", "class": "mood"}', "line 3: text: is empty"),
        ("queries.jsonl", '{"id": "q3", "text": "x", "class": "mood", "split": "train"}',
         "line 3: split: input should be 'dev' or 'test'"),
        ("queries.jsonl", '{"id": "q1", "text": "x", "class": "mood"}',
         "line 3: id 'q1' stands above already"),
        ("queries.jsonl", '{"id": "q3",', "line 3: invalid JSON: EOF while parsing a value at column 12"),
        ("queries.jsonl", "[]", "line 3: must be an object"),
        ("corpus.jsonl", '{"id": "Abel", "name": "Other", "source": "x"}',
         "line 4: id 'Abel' stands above already"),
        ("corpus.jsonl", '{"id": "Other", "name": "Abel", "source": "x"}',
         "line 4: name 'Abel' stands above already"),
        ("corpus.jsonl", '{"id": "x", "name": "x", "source": "x", "tag": []}',
         "line 4: tag: is not a field of this file"),
        ("corpus.jsonl", '{"id": "x", "name": "x", "source": "x", "tags": "latin"}',
         "line 4: tags: must be a list"),
        ("corpus.jsonl", '{"id": "x", "name": "x", "source": "x", "tags": ["a", 1]}',
         "line 4: tags: [2]: input should be a valid string"),
        ("corpus.jsonl", '{"id": "x", "name": "x\\ny", "source": "x"}', "line 4: name: must be one line"),
        ("corpus.jsonl", '{"id": "x", "name": "x", "source": "x", "tags": ["High-contrast"]}',
         "line 4: tag 'High-contrast' is ground truth"),
        ("qrels.jsonl", '{"query": "q9", "font": "Abel", "grade": 1}', "line 4: there is no query 'q9'"),
        ("qrels.jsonl", '{"query": "q1", "font": "Arial", "grade": 1}', "line 4: there is no font 'Arial'"),
        ("qrels.jsonl", '{"query": "q1", "font": "Abel", "grade": 1}',
         "line 4: the pair ('q1', 'Abel') stands above already"),
        ("qrels.jsonl", '{"query": "q1", "font": "bodoni", "grade": 1.0}',
         "line 4: grade: input should be a valid integer"),
        ("qrels.jsonl", '{"query": "q1", "font": "bodoni", "grade": true}',
         "line 4: grade: input should be a valid integer"),
        ("qrels.jsonl", '{"query": "q1", "font": "bodoni", "grade": -1}',
         "line 4: grade: input should be greater than or equal to 0"),
        ("qrels.jsonl", '{"query": "q1", "font": "bodoni", "grade": 1000000000}',
         "line 4: grade: input should be less than or equal to 100"),
    ],
)  # fmt: skip
def test_a_problem_is_named_by_file_line_and_reason(
    folder: Path, name: str, line: str, problem: str
) -> None:
    append(folder, name, line)
    message = problems_of(folder)
    assert f"{name} {problem}" in message
    assert str(folder) in message
    assert len(message.splitlines()) == 2  # this problem and no other


def test_the_first_ten_problems_are_told_at_once(folder: Path) -> None:
    append(folder, "queries.jsonl", *(f'{{"id": "n{n}", "text": "x"}}' for n in range(4)))
    append(folder, "qrels.jsonl", *(['{"query": "q1"}'] * 4))
    lines = problems_of(folder).splitlines()[1:]
    assert len(lines) == 11
    assert lines[0].strip() == "queries.jsonl line 3: class: is missing"
    assert lines[9].strip() == "qrels.jsonl line 6: grade: is missing"
    assert lines[10].strip() == "and 2 more"


def test_blank_lines_and_the_mark_of_spreadsheets_are_passed_over(folder: Path) -> None:
    path = folder / "qrels.jsonl"
    path.write_text("\ufeff\n" + path.read_text("utf-8").replace("\n", "\n\n"), "utf-8")
    assert load(folder).judgments == TINY.judgments


def test_a_file_must_be_there(folder: Path) -> None:
    (folder / "queries.jsonl").unlink()
    message = problems_of(folder)
    assert message == f"{folder / 'queries.jsonl'} cannot be read: No such file or directory."


def test_a_file_must_be_utf8(folder: Path) -> None:
    path = folder / "qrels.jsonl"
    path.write_bytes(path.read_bytes() + "Ñ".encode("latin-1"))
    assert problems_of(folder) == f"{path} line 4: not UTF-8."


def test_there_must_be_fonts_and_queries(folder: Path) -> None:
    for name in ("corpus.jsonl", "queries.jsonl", "qrels.jsonl"):
        (folder / name).write_text("")
    message = problems_of(folder)
    assert "corpus.jsonl: there is no font" in message
    assert "queries.jsonl: there is no query" in message


def test_judgments_are_not_checked_against_lines_that_could_not_be_read(folder: Path) -> None:
    (folder / "corpus.jsonl").write_text('{"id": "Abel"}\n')
    assert "qrels.jsonl" not in problems_of(folder)


def test_the_schema_has_the_fields_of_what_is_saved(folder: Path) -> None:
    for name, schema in json_schema().items():
        text = (folder / name).read_text("utf-8")
        lines = [text] if name == "dataset.json" else text.split("\n")[:-1]
        for line in lines:
            only_if_true = {"assumed", "image"}
            assert json.loads(line).keys() == schema["properties"].keys() - only_if_true
        assert set(schema["required"]) <= schema["properties"].keys()
        assert schema["additionalProperties"] is False


def test_the_schema_says_what_a_field_means() -> None:
    schemas = json_schema()
    assert "0 is not relevant" in schemas["qrels.jsonl"]["properties"]["grade"]["description"]
    assert schemas["queries.jsonl"]["required"] == ["id", "text", "class"]
    assert schemas["corpus.jsonl"]["required"] == ["id", "name", "source"]


def texts(**changed: str) -> dict[str, str]:
    return {font.id: f"Name: {font.name}. Tags: latin" for font in TINY.fonts} | changed


def test_texts_without_the_tags_pass() -> None:
    refuse_leaked_tags(TINY, texts(Abel="Name: Abel. A manuscript, fatter, of higher contrast"))


def test_each_font_that_leaks_is_named_with_its_tags() -> None:
    leaking = texts(Abel="A Script with high-contrast strokes", bodoni="Tags: latin, FAT face")
    with pytest.raises(UserError) as caught:
        refuse_leaked_tags(TINY, leaking)
    assert [line.strip() for line in str(caught.value).splitlines()[1:]] == [
        "Abel: high contrast, script",
        "bodoni: fat face",
    ]


def test_a_font_may_bear_the_tag_in_its_name() -> None:
    dancing = Font(id="d", name="Dancing Script", source="x")
    dataset = replace(TINY, fonts=(dancing,), judgments={})
    refuse_leaked_tags(dataset, {"d": "Name: Dancing Script"})
    with pytest.raises(UserError, match="d: script"):
        refuse_leaked_tags(dataset, {"d": "Name: Dancing Script. A lively script"})


def test_without_such_tags_nothing_leaks() -> None:
    about = replace(ABOUT, ground_truth_tags=())
    refuse_leaked_tags(replace(TINY, about=about), texts(Abel="script"))


def write(folder: Path, value: Any, name: str = "file.json") -> Path:
    text = value if isinstance(value, str) else json.dumps(value)
    (folder / name).write_text(text, "utf-8")
    return folder / name


def test_fonts_go_by_their_names(tmp_path: Path) -> None:
    path = write(tmp_path, [
        {"id": 7, "name": "Abel", "category": "sans-serif", "tags": ["latin"], "files": {"400": "u"},
         "source": "Fontshare", "similarity": 0.5},
        {"name": "Bare", "tags": None},
    ])  # fmt: skip
    assert read_fonts(path, source="Google Fonts") == (
        Font(id="Abel", name="Abel", category="sans-serif", tags=("latin",), source="Fontshare",
             files={"400": "u"}),
        Font(id="Bare", name="Bare", source="Google Fonts"),
    )  # fmt: skip


def test_queries_have_ids_texts_and_classes(tmp_path: Path) -> None:
    path = write(tmp_path, [{"id": "q1", "text": "calm", "class": "mood"}])
    assert read_queries(path) == (Query(id="q1", text="calm", query_class="mood"),)


def test_labels_are_names_or_names_with_grades(tmp_path: Path) -> None:
    path = write(tmp_path, {"q1": ["Abel", "Inter"], "q2": {"Abel": 2, "Inter": 0}, "q3": []})
    assert read_labels(path) == {
        "q1": {"Abel": 1, "Inter": 1},
        "q2": {"Abel": 2, "Inter": 0},
        "q3": {},
    }


def test_where_all_fonts_were_looked_at_the_rest_is_not_relevant() -> None:
    assert exhaustive({"q1": {"Abel": 2}, "q2": {}}, ["Inter", "Abel"]) == {
        "q1": {"Abel": 2, "Inter": 0},
        "q2": {"Abel": 0, "Inter": 0},
    }


def test_judgments_are_those_of_the_judge(tmp_path: Path) -> None:
    path = write(tmp_path, {"judge": "qwen", "judgments": {"q1": {"Abel": 1, "Inter": 0}}})
    assert read_judgments(path) == {"q1": {"Abel": 1, "Inter": 0}}


def test_tags_from_json_keep_families_without_any(tmp_path: Path) -> None:
    path = write(tmp_path, {"Abel": ["condensed", "thin"], "Inter": []})
    assert read_tags(path) == {"Abel": {"condensed": 1, "thin": 1}, "Inter": {}}


def test_tags_from_csv_have_weights(tmp_path: Path) -> None:
    text = 'Family,Group/Tag,Weight\nAbel,/Sans/Geometric,70.5\n\nAbel,"/Mood/Calm, quiet",3\n'
    path = write(tmp_path, text, "tags.csv")
    assert read_tags(path) == {"Abel": {"/Sans/Geometric": 70.5, "/Mood/Calm, quiet": 3}}
    headless = write(tmp_path, "Abel,/Sans/Geometric,70.5", "headless.csv")
    assert read_tags(headless) == {"Abel": {"/Sans/Geometric": 70.5}}


@pytest.mark.parametrize(
    ("read", "text", "problem"),
    [
        (read_labels, '{"q1": ["Abel", 3]}', "q1: a list must hold names only"),
        (read_labels, '{"q1": {"Abel": 1.5}}', "q1: Abel: input should be a valid integer"),
        (read_labels, '{"q1": "Abel"}', "q1: must be an object"),
        (read_labels, '{"q1": [], "q1": []}', "'q1' stands in one object twice"),
        (read_labels, '{"q1": \n]', "line 2 column 1: no JSON"),
        (read_judgments, '{"q1": {"Abel": 1}}', "judgments: is missing"),
        (read_judgments, '{"judgments": {"q1": {"Abel": true}}}', "Abel: input should be a valid integer"),
        (read_queries, '[{"id": "q1", "class": "mood", "text": ""}]', "[1]: text: is empty"),
        (read_queries, '{"q1": "calm"}', "must be a list"),
        (lambda path: read_fonts(path, source="x"), '[{"name": "A"}, {"family": "B"}]', "[2]: name: is missing"),
        (read_tags, '{"Abel": [1]}', "Abel: [1]: input should be a valid string"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_by_file_and_place(
    tmp_path: Path, read: Any, text: str, problem: str
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(UserError, match=re.escape(problem)) as caught:
        read(path)
    assert str(caught.value).startswith(str(path))


def test_what_is_wrong_in_csv_is_named_by_line(tmp_path: Path) -> None:
    path = write(tmp_path, "Abel,x,inf\nAbel,x\nAbel,x,1\nAbel,x,2\n,x,3\nAbel,y,-1\n", "tags.csv")
    with pytest.raises(UserError) as caught:
        read_tags(path)
    lines = [line.strip() for line in str(caught.value).splitlines()]
    assert lines[0] == f"{path} cannot be imported:"
    assert lines[3] == "line 4: Abel has x above already"
    assert [line.split(":")[0] for line in lines[1:]] == [f"line {n}" for n in (1, 2, 4, 5, 6)]
