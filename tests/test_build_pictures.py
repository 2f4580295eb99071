"""Pictures of words as queries of an evaluation, and the table that is learned from others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from eval.datasets import dataset
from eval.datasets.building import family_half
from eval.fonts.parametric import ParametricFont
from eval.pictures.dataset import build_pictures
from eval.pictures.train import fit, train
from eval.runs import corpus
from indexer.catalog.family import Family
from indexer.embed.measured.axes import AXES
from indexer.embed.measured.pictures.told import Table
from indexer.errors import UserError
from indexer.fetch.files import FontFiles


def family(name: str, folder: Path, weight: float) -> Family:
    path = folder / f"{name}.ttf"
    path.write_bytes(ParametricFont(weight=weight).build())
    return Family(
        name=name, category=None, tags=(), source="test", license=None, files={"400": path.as_uri()}
    )


def test_pictures_are_the_same_each_time_and_their_words_answer_nothing(
    tmp_path: Path, files: FontFiles
) -> None:
    families = [family("Agate", tmp_path, 0.1), family("Beryl", tmp_path, 0.2)]
    built = [
        build_pictures(families, files, tmp_path / out, made_by="a test").dataset
        for out in ("one", "two")
    ]
    assert built[0].hash == built[1].hash
    dataset.save(built[0], tmp_path / "one")
    read = dataset.load(tmp_path / "one")
    assert read.hash == built[0].hash
    assert len({query.query_class for query in read.queries}) == len(read.queries) == 6
    for query in read.queries:
        name = query.id.split(",")[0]
        assert read.judgments[query.id] == {name: 1}
        assert query.split == family_half(name)
        assert query.image is not None
        assert corpus.inside(tmp_path / "one", query.image).stat().st_size > 100
    with pytest.raises(UserError, match="is not inside"):
        corpus.inside(tmp_path / "one", "../Agate.ttf")


def test_queries_without_a_picture_are_written_as_before(tmp_path: Path, files: FontFiles) -> None:
    built = build_pictures([family("Agate", tmp_path, 0.1)], files, tmp_path, made_by="a test")
    words = [replace(query, image=None) for query in built.dataset.queries]
    dataset.save(replace(built.dataset, queries=words), tmp_path)
    assert "image" not in (tmp_path / dataset.QUERIES).read_text("utf-8")


def test_what_is_reported_teaches_nothing(tmp_path: Path, files: FontFiles) -> None:
    halves = {
        name: family_half(name) for name in ("Agate", "Beryl", "Citrine", "Diamond", "Emerald")
    }
    assert set(halves.values()) == {"dev", "test"}
    reported = next(name for name, half in halves.items() if half == "test")
    taught = next(name for name, half in halves.items() if half == "dev")
    with pytest.raises(UserError, match="is of the half that is reported"):
        train([family(reported, tmp_path, 0.1)], {}, files)
    with pytest.raises(UserError, match="0 families are too few"):
        train([family(taught, tmp_path, 0.1)], {}, files)


def test_a_table_finds_what_depends_on_the_measures_and_is_kept_whole() -> None:
    rng = np.random.default_rng(3)
    hidden = rng.normal(size=(6, 3 * len(AXES)))
    measured = rng.normal(size=(900, 6))
    owner = np.repeat(np.arange(90), 10)
    table = fit(measured, measured @ hidden, owner)
    again = Table.from_bytes(table.to_bytes())
    unseen = rng.normal(size=(50, 6))
    wanted = unseen @ hidden
    for each in (table, again):
        assert np.corrcoef(each.places(unseen).ravel(), wanted.ravel())[0, 1] > 0.98
    assert (table.strange(unseen) <= table.strangeness).mean() > 0.9
    assert table.strange(np.full(6, 50.0)) > table.strangeness
    assert table.to_bytes() == fit(measured, measured @ hidden, owner).to_bytes()
