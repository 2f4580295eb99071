"""The evaluation on a real Postgres: from fonts to numbers, and what an interruption leaves."""

from __future__ import annotations

import json
import platform
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from eval.cli import main
from eval.cli.run import run_command
from eval.datasets.dataset import Dataset, Query, load, save
from eval.datasets.toy import build_toy
from eval.runs import corpus, record
from eval.runs.containers import IMAGE
from eval.runs.corpus import Tools
from eval.runs.evaluate import RunOptions, evaluate
from eval.runs.ranking import rank_candidate
from eval.runs.record import VARIANTS, Run, Variant
from eval.runs.variants import Singles, own_singles, prepare_own, prepare_served, served_singles
from eval.scores.results import METRICS, Results, results
from indexer import functions, spaces
from indexer.activate import activate
from indexer.database.connect import Connection, Database
from indexer.embed.measured.embedder import MeasuredTraits
from indexer.embed.ngrams import HashedNgrams
from indexer.embed.protocol import Document, Embedder, Model, Vector, normalised
from indexer.errors import EmbedderUnavailable, FontError, UserError
from indexer.fetch.cache import FileCache
from indexer.fetch.files import FontFiles
from indexer.fetch.folders import FontFolders
from indexer.job.ahead import Preparer
from indexer.job.prepare import PreparedCache
from indexer.settings import Settings
from indexer.sheet.render import SheetSpec

EXPECTED = Path(__file__).parent / "expected" / "toy.json"
# Cosines are added up in another order on other processors: fonts of one score, but for rounding, change places.
TOLERANCE = 1e-9 if platform.machine() in ("x86_64", "AMD64") else 0.05
PLAN = RunOptions(alphas=(0.0, 0.5, 1.0))
SERVING = """
    select md5(string_agg(concat_ws(' ', id, embedding::text, embedding_vl::text), '|' order by id))
    from public.fonts
"""


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("toy")
    save(build_toy(folder).dataset, folder)
    return folder


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Tools:
    """With a cache for all tests, so that each font is drawn once."""
    folder = tmp_path_factory.mktemp("cache")
    files = FontFiles(
        FileCache(folder / "files"),
        mode="npm",
        folders=FontFolders([tmp_path_factory.getbasetemp()]),
    )
    cache = PreparedCache(folder / "prepared", SheetSpec())
    return Tools(
        files=files,
        preparer=lambda: Preparer(files, SheetSpec(), cache, processes=2),
        progress_bar=lambda leg: nullcontext(lambda report: None),
        say=lambda line: None,
    )


@pytest.fixture
def few(toy: Path, tmp_path: Path) -> Path:
    """Eight fonts and four queries, of which the offline embedder of sheets knows three."""
    whole = load(toy)
    fonts = tuple(
        replace(font, files={weight: (toy / path).as_uri() for weight, path in font.files.items()})
        for font in whole.fonts[:8]
    )
    queries = (*whole.queries[:3], Query(id="zzz", text="xyzzy plugh", query_class="mood"))
    judgments = {
        query.id: {
            font.id: whole.judgments.get(query.id, {}).get(font.id, n % 2)
            for n, font in enumerate(fonts)
        }
        for query in queries
    }
    save(
        Dataset(about=whole.about, fonts=fonts, queries=queries, judgments=judgments),
        tmp_path / "few",
    )
    return tmp_path / "few"


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A dataset in a database, and the way to run it."""

    connection: Connection
    folder: Path
    dataset: Dataset
    singles: Singles
    out: Path

    def run(self, plan: RunOptions = PLAN, **options: Any) -> Run:
        return evaluate(
            self.connection, self.dataset, self.folder, self.singles, plan, self.out, **options
        )


def bench(
    connection: Connection,
    folder: Path,
    tools: Tools,
    out: Path,
    *,
    sheets: Embedder | None = None,
    names: Sequence[Variant] = PLAN.singles,
) -> Bench:
    dataset = load(folder)
    singles = own_singles(names, text=HashedNgrams(), sheets=sheets or MeasuredTraits())
    prepare_own(connection, dataset, folder, singles, tools)
    return Bench(connection=connection, folder=folder, dataset=dataset, singles=singles, out=out)


def scalar(connection: Connection, statement: str) -> Any:
    row = connection.execute(statement).fetchone()  # type: ignore[call-overload]
    return row[0]


def metrics(found: Results) -> dict[str, Any]:
    """Every mean, and what decides C."""
    groups: tuple[str | None, ...] = (None, *found.classes)
    means = {
        f"{variant}, {group or 'all'}, {reading} {metric}": found.mean(
            variant, group, metric, reading
        )
        for variant in found.scores
        for group in groups
        for reading, names in METRICS.items()
        for metric in names
    }
    return {**means, **{f"C@{alpha:.2f}": value for alpha, value in found.curve().items()}}


@pytest.mark.slow
def test_from_fonts_to_the_committed_numbers(
    connection: Connection, toy: Path, tools: Tools, tmp_path: Path
) -> None:
    """Import, two legs and a candidate, five variants, the sweep, scores.

    When vectors are meant to change, look at what is written to tmp_path and copy it to
    tests/expected/toy.json.
    """
    done = bench(connection, toy, tools, tmp_path / "run").run(RunOptions())
    assert not done.about.missing
    found = results(done, load(toy))
    actual = metrics(found)
    (tmp_path / "toy.json").write_text(json.dumps(actual, indent=1) + "\n")
    expected = json.loads(EXPECTED.read_text())
    changed = {
        name: (actual.get(name), expected.get(name))
        for name in actual.keys() | expected.keys()
        if actual.get(name, -1) != pytest.approx(expected.get(name, -1), abs=TOLERANCE)
    }
    assert changed == {}, f"all numbers as they are now: {tmp_path / 'toy.json'}"
    # the letters are drawn by what the queries ask for: sight finds them, spelling cannot
    assert found.mean("B2", "structure") > 0.9 > 0.4 > found.mean("A", "structure")
    about = done.about
    assert about.dataset["hash"] == load(toy).hash
    assert set(about.spaces) == {"A", "B1", "B2"}
    ours = connection.execute(
        "select distinct 'font_index.' || proname from pg_proc where pronamespace = 'font_index'::regnamespace"
    ).fetchall()
    assert set(about.functions) == {
        "public.match_fonts_hybrid", "public.similar_fonts", *(name for (name,) in ours)
    }  # fmt: skip
    assert about.versions["pgvector"] and about.schema_revision


def test_a_second_run_embeds_nothing_and_ranks_the_same(
    connection: Connection, few: Path, tools: Tools, tmp_path: Path
) -> None:
    first = bench(connection, few, tools, tmp_path / "first").run()
    jobs = scalar(connection, "select count(*) from font_index.runs")
    again = bench(connection, few, tools, tmp_path / "again").run()
    assert scalar(connection, "select count(*) from font_index.runs") == jobs == 3
    assert again.rankings == first.rankings
    assert record.differences(first.about, again.about) == {}


def test_an_interrupted_run_goes_on_where_it_was(
    connection: Connection, few: Path, tools: Tools, tmp_path: Path
) -> None:
    whole = bench(connection, few, tools, tmp_path / "whole").run()
    stopped = bench(connection, few, tools, tmp_path / "stopped")

    def two(queries: Sequence[Query]) -> Iterable[Query]:
        yield from queries[:2]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped.run(progress=two)
    rankings = stopped.out / record.RANKINGS
    assert record.load(stopped.out).about.finished_at is None
    lines = rankings.read_bytes()
    rankings.write_bytes(lines[:-20])  # and in the middle of a line
    asked: list[str] = []

    def noting(queries: Sequence[Query]) -> Iterable[Query]:
        asked.extend(query.id for query in queries)
        yield from queries

    done = stopped.run(progress=noting)
    assert done.rankings == whole.rankings
    assert record.differences(done.about, whole.about) == {}
    kept = lines[: lines[:-20].rindex(b"\n") + 1]
    after = rankings.read_bytes()
    assert after.startswith(kept)
    settings = len(PLAN.settings)
    assert after.count(b"\n") == settings * len(asked)  # nothing was ranked twice


def test_a_finished_run_stays_and_another_is_refused_unless_fresh(
    connection: Connection, few: Path, tools: Tools, tmp_path: Path
) -> None:
    here = bench(connection, few, tools, tmp_path / "run")
    here.run()
    before = (here.out / record.RUN).read_bytes()
    said: list[str] = []
    here.run(say=said.append)
    assert "is finished already" in said[0]
    assert (here.out / record.RUN).read_bytes() == before
    deeper = replace(PLAN, words=0.5)
    with pytest.raises(UserError, match=r"parameters\.words: 0\.0 then, 0\.5 now"):
        here.run(deeper)
    assert here.run(deeper, fresh=True).about.parameters["words"] == 0.5


def test_a_query_that_no_word_is_known_of_has_an_empty_ranking_and_a_reason(
    connection: Connection, few: Path, tools: Tools, tmp_path: Path
) -> None:
    done = bench(connection, few, tools, tmp_path / "run").run()
    assert done.about.unanswered.keys() == {"vl"}
    assert "no word that the lexicon knows" in done.about.unanswered["vl"]["zzz"]
    for key in ("B1", "B2"):
        assert done.rankings[key]["zzz"] == ()
    # fusions have the other leg
    assert len(done.rankings["A"]["zzz"]) == 8
    assert done.rankings["C@0.00"]["zzz"] == done.rankings["A"]["zzz"]
    found = results(done, load(few))
    assert found.values("B2")["zzz"] == 0 < found.values("A")["zzz"]


@pytest.mark.slow
def test_words_are_a_leg_when_asked_for(
    connection: Connection, few: Path, tools: Tools, tmp_path: Path
) -> None:
    here = bench(connection, few, tools, tmp_path / "run")
    named = Query(id="named", text="A1", query_class="name")
    with_name = replace(here.dataset, queries=(*here.dataset.queries, named))
    done = replace(here, dataset=with_name).run(replace(PLAN, words=1.0))
    assert done.rankings["B2"]["named"] == ("Toy A1",)  # by its name, of which sight knows nothing
    assert done.rankings["B1"]["named"] == ()
    assert done.rankings["B2"]["zzz"] == ()  # nor is there a font of these words


def test_only_the_half_that_is_asked_for_is_ranked(
    connection: Connection, few: Path, tools: Tools, tmp_path: Path
) -> None:
    here = bench(connection, few, tools, tmp_path / "run")
    first, *others = here.dataset.queries
    halved = replace(here.dataset, queries=(replace(first, split="dev"), *others))
    done = replace(here, dataset=halved).run(replace(PLAN, split="dev"))
    assert all(set(answers) == {first.id} for answers in done.rankings.values())
    assert list(results(done, halved).values("A")) == [first.id]


@pytest.mark.slow
def test_a_candidate_ranks_as_match_fonts_hybrid_does_to_the_last_digit(
    connection: Connection, toy: Path, tools: Tools, tmp_path: Path
) -> None:
    here = bench(connection, toy, tools, tmp_path / "run")
    # of one look, so that their order hangs on ids alone; and one that has no direction
    connection.execute("""
        update public.fonts f set embedding_vl = g.embedding_vl from public.fonts g
        where g.name = 'Toy A1' and f.name in ('Toy B2', 'Toy C3', 'Toy D4')
    """)
    connection.execute("""
        update public.fonts set embedding_vl = array_fill(0, array[4096])::halfvec
        where name = 'Toy E1'
    """)
    copy = replace(here.singles["B2"].space, text_schema="copy")
    spaces.register(connection, copy, may_serve=False)
    connection.execute(
        """insert into font_index.embeddings (font_id, space_id, input_hash, run_id, embedding)
           select f.id, %s, '', (select max(id) from font_index.runs), f.embedding_vl::vector
           from public.fonts f""",
        [copy.id],
    )
    for query in here.dataset.queries:
        vector = MeasuredTraits().embed_query(query.text)
        served = functions.match(
            connection, text=None, vl=vector, count=50, alpha=0, strategy="exact"
        )
        candidate = rank_candidate(connection, copy, vector, 50)
        assert list(candidate.items()) == [(hit.name, hit.score) for hit in served]
    assert "Toy E1" not in rank_candidate(connection, copy, vector, 200)


def test_no_serving_vector_is_touched_in_a_database_of_others(
    connection: Connection, few: Path, tools: Tools, tmp_path: Path
) -> None:
    bench(connection, few, tools, tmp_path, names=("A", "B2"))
    connection.execute("insert into public.fonts (name, embedding, embedding_vl) "
                       "select 'Stranger', embedding, embedding_vl from public.fonts limit 1")  # fmt: skip
    before = scalar(connection, SERVING)
    dataset = load(few)
    singles = served_singles(connection, PLAN.singles, Settings())
    prepare_served(connection, dataset, singles, tools)
    assert scalar(connection, SERVING) == before
    states = {str(r.space.text_schema)[:5]: r.state for r in spaces.all_spaces(connection)}
    assert states == {"produ": "active", "light": "active", "None": "candidate"}
    done = evaluate(connection, dataset, few, singles, PLAN, tmp_path / "run")
    assert scalar(connection, SERVING) == before
    assert done.about.missing == {}
    # fonts of others compete, unjudged
    stranger = f"{record.FOREIGN}Stranger"
    assert stranger in done.rankings["B2"]["q01"]
    assert results(done, dataset).mean("B2", metric="Judged@10") < 1
    assert done.about.parameters["fonts"] == 9


def test_fonts_that_a_database_of_others_lacks_are_listed(
    connection: Connection, few: Path, tools: Tools, tmp_path: Path
) -> None:
    here = bench(connection, few, tools, tmp_path)
    connection.execute("delete from public.fonts where name in ('Toy A1', 'Toy A3')")
    with pytest.raises(UserError, match="2 of the dataset's 8 fonts are not in the database"):
        prepare_served(connection, here.dataset, here.singles, tools)


def test_a_database_without_vectors_or_with_sheets_alone_is_refused(
    connection: Connection, few: Path, tools: Tools
) -> None:
    dataset = load(few)
    corpus.load(connection, dataset, few, tools.files)
    with pytest.raises(UserError, match="serve on the text leg"):
        served_singles(connection, ["A"], Settings())
    singles = own_singles(["B1"], text=HashedNgrams(), sheets=MeasuredTraits())
    corpus.fill(connection, singles["B1"].space, singles["B1"].embedder, tools, serve=True)
    with pytest.raises(UserError, match="which is B1"):
        served_singles(connection, ["B2"], Settings())
    other = replace(singles["B1"].space, sheet_spec="old", text_schema="light/1")
    spaces.register(connection, other, may_serve=False)
    activate(connection, other.id, force=True)
    assert served_singles(connection, ["B2"], Settings())["B2"].space == other
    with pytest.raises(UserError, match="of other sheets than B2"):
        served_singles(connection, ["B1"], Settings())


def test_tags_that_are_ground_truth_are_looked_for_in_the_rows_themselves(
    connection: Connection, few: Path, tools: Tools, tmp_path: Path
) -> None:
    here = bench(connection, few, tools, tmp_path)
    about = replace(here.dataset.about, ground_truth_tags=("spooky",))
    dataset = replace(here.dataset, about=about)
    prepare_served(connection, dataset, here.singles, tools)
    connection.execute("update public.fonts set tags = '{Spooky}' where name = 'Toy A2'")
    with pytest.raises(UserError, match="Toy A2: spooky"):
        prepare_served(connection, dataset, here.singles, tools)


class Blank(Embedder):
    """An embedder of sheets that sees nothing: another space on the same fonts."""

    @property
    def model(self) -> Model:
        return Model(name="blank", revision="1", dimension=8)

    @property
    def batch_size(self) -> int:
        return 8

    def embed_documents(self, documents: Sequence[Document]) -> list[Vector | FontError]:
        return [normalised(np.ones(8, dtype=np.float32)) for _ in documents]

    def embed_query(self, text: str) -> Vector:
        if text == "xyzzy plugh":
            raise EmbedderUnavailable("The service does not answer.")
        return normalised(np.ones(8, dtype=np.float32))


def test_another_embedder_takes_its_turn_and_the_first_comes_back_without_embedding(
    connection: Connection, few: Path, tools: Tools, tmp_path: Path
) -> None:
    first = bench(connection, few, tools, tmp_path / "measured").run()
    other = bench(connection, few, tools, tmp_path / "blank", sheets=Blank())
    with pytest.raises(EmbedderUnavailable):  # is no fault of the query: the run can go on later
        other.run()
    found = record.load(other.out)
    assert (found.about.unanswered, found.about.finished_at) == ({}, None)
    # all of one score: by the order of ids, which hangs on names alone
    assert found.rankings["B2"]["q01"] == found.rankings["B1"]["q01"]
    jobs = scalar(connection, "select count(*) from font_index.runs")
    again = bench(connection, few, tools, tmp_path / "again").run()
    assert scalar(connection, "select count(*) from font_index.runs") == jobs
    assert again.rankings == first.rankings


def test_a_run_under_which_the_space_is_switched_is_refused(
    connection: Connection, few: Path, tools: Tools, tmp_path: Path
) -> None:
    here = bench(connection, few, tools, tmp_path / "run")
    candidate = next(r.space for r in spaces.all_spaces(connection) if r.state == "candidate")

    def switched(queries: Sequence[Query]) -> Iterable[Query]:
        yield from queries
        activate(connection, candidate.id)

    with pytest.raises(UserError, match="came to serve on the vl leg while B2"):
        here.run(progress=switched)
    assert record.load(here.out).about.finished_at is None


@pytest.mark.slow
def test_fonts_that_fail_are_recorded_and_too_many_of_them_refused(
    connection: Connection, few: Path, tools: Tools, tmp_path: Path
) -> None:
    dataset = load(few)
    broken = tmp_path / "broken.ttf"
    broken.write_bytes(b"not a font")

    def with_broken(count: int) -> Dataset:
        fonts = [replace(font, files={"400": broken.as_uri()}) for font in dataset.fonts[:count]]
        return replace(dataset, fonts=(*fonts, *dataset.fonts[count:]))

    singles = own_singles(PLAN.singles, text=HashedNgrams(), sheets=MeasuredTraits())
    prepare_own(connection, with_broken(1), few, singles, tools)
    done = evaluate(connection, with_broken(1), few, singles, PLAN, tmp_path / "one")
    [(font, why)] = done.about.missing.items()
    assert font == dataset.fonts[0].id
    assert why.startswith("B1: open: ") and "; B2: open: " in why
    assert font not in done.rankings["B2"]["q01"] and font in done.rankings["A"]["q01"]
    prepare_own(connection, with_broken(5), few, singles, tools)  # the vectors of these four stay
    connection.execute(
        "update public.fonts set embedding_vl = null where files::text like '%broken%'"
    )
    with pytest.raises(UserError, match="5 of 8 fonts lack a vector"):
        evaluate(connection, with_broken(5), few, singles, PLAN, tmp_path / "five")


def test_a_changed_font_file_is_another_run(
    connection: Connection, few: Path, tools: Tools, tmp_path: Path
) -> None:
    dataset = load(few)
    file = tmp_path / "few" / "own.ttf"
    source = Path(dataset.fonts[0].files["400"].removeprefix("file://"))
    file.write_bytes(source.read_bytes())
    fonts = (replace(dataset.fonts[0], files={"400": "own.ttf"}), *dataset.fonts[1:])
    save(replace(dataset, fonts=fonts), few)
    bench(connection, few, tools, tmp_path / "run").run()
    other = Path(dataset.fonts[5].files["400"].removeprefix("file://"))
    file.write_bytes(other.read_bytes())
    with pytest.raises(UserError, match=r"dataset\.files"):
        bench(connection, few, tools, tmp_path / "run").run()


def test_no_file_is_read_from_outside_the_dataset(few: Path) -> None:
    dataset = load(few)
    fonts = (replace(dataset.fonts[0], files={"400": "../secret.ttf"}),)
    with pytest.raises(UserError, match="is not inside"):
        corpus.families(replace(dataset, fonts=fonts), few)


@pytest.fixture
def home() -> Iterator[Path]:
    # not in pytest's folder: as root, another pytest would close it to the server's user
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.mark.slow
def test_the_command_keeps_a_postgres_of_its_own_for_each_dataset(
    few: Path, home: Path, tmp_path: Path
) -> None:
    def command(*options: str, expect: int = 0) -> Result:
        environment: Mapping[str, str | None] = {
            "FONTSIGHT_DATA_DIR": str(home), "FONTSIGHT_CACHE_DIR": str(tmp_path / "cache"),
            "DATABASE_URL": "postgresql://nobody@localhost:1/not-asked", "OPENROUTER_API_KEY": "none",
        }  # fmt: skip
        arguments = [f"--dataset={few}", "--variants=a,c,B2", *options]
        done = CliRunner().invoke(run_command, arguments, env=environment)
        assert done.exit_code == expect, done.output
        return done

    done = command(f"--out={tmp_path / 'one'}")
    assert "hashed-ngrams" in done.stderr and "8 embedded" in done.stderr
    assert done.stdout.startswith("| variant | queries | nDCG@10 (95 %)")
    assert "| C at " in done.stdout and "| B1" not in done.stdout
    assert [path.name for path in (home / "eval").iterdir()] == [load(few).corpus_hash[:16]]
    again = command(f"--out={tmp_path / 'two'}")
    assert "8 embedded" not in again.stderr and "0 embedded" in again.stderr
    assert (tmp_path / "one" / record.RANKINGS).read_bytes() == (
        tmp_path / "two" / record.RANKINGS
    ).read_bytes()
    assert "vl leg: 1 queries could not be embedded: zzz" in again.stderr


def test_one_run_at_a_time_decides_what_serves(few: Path, home: Path) -> None:
    place = corpus.own_folder(home, load(few))
    with corpus.own_database(place):
        second = corpus.own_database(place)
        with pytest.raises(UserError, match="Another run is at work"):
            second.__enter__()


def test_the_command_ranks_in_a_database_of_the_users(
    database: Database, connection: Connection, few: Path, tools: Tools, tmp_path: Path
) -> None:
    arguments = [f"--dataset={few}", "--database=env", f"--out={tmp_path / 'run'}"]
    environment = {"DATABASE_URL": database.conninfo, "FONTSIGHT_CACHE_DIR": str(tmp_path / "c")}
    refused = CliRunner().invoke(run_command, arguments, env=environment)
    assert "serve on the text leg" in str(refused.exception)
    bench(connection, few, tools, tmp_path)
    done = CliRunner().invoke(run_command, arguments, env=environment)
    assert done.exit_code == 0, done.output
    assert "| RRF, structure |" in done.stdout
    chosen = CliRunner().invoke(run_command, [*arguments, "--vl-embedder=2b"], env=environment)
    assert "the serving vectors say" in str(chosen.exception)
    unset = CliRunner().invoke(run_command, arguments, env={"DATABASE_URL": ""})
    assert "Set DATABASE_URL" in str(unset.exception)


@pytest.mark.database
def test_the_command_ranks_in_a_container_and_removes_it(
    request: pytest.FixtureRequest, toy: Path, tmp_path: Path
) -> None:
    if request.config.getoption("--db") != "testcontainers":
        pytest.skip("needs Docker: --db=testcontainers")
    import docker
    from testcontainers.core.labels import LABEL_SESSION_ID, SESSION_ID

    def ours() -> set[str]:
        with closing(docker.from_env()) as engine:
            ours = {"label": f"{LABEL_SESSION_ID}={SESSION_ID}", "ancestor": IMAGE}
            return {container.id for container in engine.containers.list(all=True, filters=ours)}

    before = ours()
    environment = {
        "FONTSIGHT_CACHE_DIR": str(tmp_path / "cache"), "FONTSIGHT_DATA_DIR": str(tmp_path / "data"),
    }  # fmt: skip
    out = tmp_path / "run"
    arguments = [f"--dataset={toy}", "--database=testcontainers", "--variants=B2", f"--out={out}"]
    done = CliRunner().invoke(run_command, arguments, env=environment)
    assert done.exit_code == 0, done.output
    assert ours() == before
    assert record.load(out).about.versions["postgres"].startswith("17.")
    expected = json.loads(EXPECTED.read_text())["B2, all, raw nDCG@10"]
    found = results(record.load(out), load(toy)).mean("B2")
    assert found == pytest.approx(expected, abs=TOLERANCE)


def test_without_docker_a_container_is_one_sentence(
    toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    arguments = [f"--dataset={toy}", "--database=testcontainers:some/image", f"--out={tmp_path}"]
    done = CliRunner().invoke(run_command, arguments)
    assert isinstance(done.exception, UserError)
    assert str(done.exception).startswith("No container of some/image could be started: ")
    assert "Start Docker" in str(done.exception)


def test_databases_are_named_as_they_are_known() -> None:
    done = CliRunner().invoke(run_command, ["--dataset=.", "--out=x", "--database=mine"])
    assert done.exit_code == 2
    assert "must be own|env|testcontainers[:IMAGE], not 'mine'" in done.stderr


def test_variants_are_named_as_they_are_known() -> None:
    done = CliRunner().invoke(run_command, ["--dataset=.", "--out=x", "--variants=A,B3"])
    assert done.exit_code == 2
    assert f"some of {','.join(VARIANTS)}" in done.stderr


@pytest.mark.slow
@pytest.mark.network
def test_the_whole_of_it_on_real_families(
    connection: Connection, tmp_path: Path, npm_registry_answers: None, tools: Tools
) -> None:
    """From Google's list to a report with sheets, on whichever server the tests run on."""
    cache = Settings().cache_dir
    files = FontFiles(FileCache(cache / "files"), mode="npm")
    prepared = PreparedCache(cache / "prepared", SheetSpec())
    real = replace(
        tools, files=files, preparer=lambda: Preparer(files, SheetSpec(), prepared, processes=2)
    )

    def done(*arguments: str | Path) -> Result:
        result = CliRunner().invoke(main, [str(argument) for argument in arguments])
        assert result.exit_code == 0, result.output
        return result

    folder, out = tmp_path / "google", tmp_path / "run"
    done("build", "google", "--families", "20", "--out", folder)
    run = bench(connection, folder, real, out).run(RunOptions())
    found = results(run, load(folder))
    vectors = scalar(connection, "select count(embedding_vl) from fonts")
    assert vectors + len(run.about.missing) == 20
    for query, fonts in run.rankings["B2"].items():
        # a script is no word of the lexicon: the other leg ranks it at every alpha
        assert run.rankings["C@0.00"][query] == (fonts or run.rankings["A"][query])
        assert run.rankings["C@1.00"][query] == run.rankings["A"][query]
    assert found.mean("A") > found.mean("B1"), "the answers stand in the text that A reads"
    done("report", out, "--out", tmp_path / "report")
    text = (tmp_path / "report/report.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").partition(" |")[0] for line in text.splitlines() if line[:1] == "|"]
    assert {"A", "B1", "B2", "C, alpha cross-validated"} <= set(rows)
    page = (tmp_path / "report/index.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") >= 18
    done("gate", "--write-baseline", "--baseline", tmp_path / "baseline.json", out)
    done("gate", "--baseline", tmp_path / "baseline.json", out)
