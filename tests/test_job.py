"""The job: it embeds what is pending, once, and one bad font harms no other."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from eval.fonts.parametric import ParametricFont
from indexer import spaces
from indexer.activate import activate
from indexer.catalog import rows
from indexer.catalog.family import Family
from indexer.database.connect import Connection, Database
from indexer.embed.measured.embedder import MeasuredTraits
from indexer.embed.ngrams import HashedNgrams
from indexer.embed.protocol import Document, Embedder, Model, Vector, normalised
from indexer.errors import EmbedderUnavailable, FontError, UserError
from indexer.fetch.files import FontFiles
from indexer.job import ahead
from indexer.job.ahead import Preparer
from indexer.job.pending import EVERYTHING, Selection, file_urls, pending
from indexer.job.prepare import PreparedCache
from indexer.job.progress import Progress
from indexer.job.revalidate import revalidate
from indexer.job.run import index
from indexer.job.status import read
from indexer.job.store import FIRST_RETRY, MAX_ATTEMPTS, JobRun
from indexer.sheet.render import SheetSpec
from indexer.spaces import Space
from indexer.text import DESCRIBED, LIGHT
from tests.fix_fonts import AddFonts
from tests.fix_servers import Web, versioned

MakePreparer = Callable[[], Preparer]


class Picky(Embedder):
    """An embedder that refuses whole batches because of one document, and can be switched off."""

    def __init__(self, dislikes: str = "", *, batch_size: int = 4, available: bool = True) -> None:
        self.calls = 0
        self._batch_size = batch_size
        self._dislikes = dislikes
        self._available = available

    @property
    def model(self) -> Model:
        return Model(name="picky", revision="1", dimension=8)

    @property
    def batch_size(self) -> int:
        return self._batch_size

    def embed_documents(self, documents: Sequence[Document]) -> list[Vector | FontError]:
        self.calls += 1
        if not self._available:
            raise EmbedderUnavailable("The service does not answer.")
        if self._dislikes and any(
            self._dislikes in (document.text or "") for document in documents
        ):
            raise ValueError("not this one")
        return [normalised(np.ones(8, dtype=np.float32)) for _ in documents]

    def embed_query(self, text: str) -> Vector:
        return normalised(np.ones(8, dtype=np.float32))


class Several(Picky):
    """An embedder that goes on only when so many calls are under way at once."""

    def __init__(self, calls: int, dislikes: str = "") -> None:
        super().__init__(dislikes, batch_size=2)
        self._together = threading.Barrier(calls, timeout=20)

    @property
    def parallel(self) -> int:
        return self._together.parties

    def embed_documents(self, documents: Sequence[Document]) -> list[Vector | FontError]:
        self._together.wait()
        return super().embed_documents(documents)


def vl_space(embedder: Embedder, text: Any = LIGHT) -> Space:
    return spaces.vl_space(embedder, SheetSpec(), text)


def run(
    connection: Connection,
    make_preparer: MakePreparer,
    embedder: Embedder | None = None,
    **options: Any,
) -> Progress:
    embedder = embedder or MeasuredTraits()
    space = vl_space(embedder)
    spaces.register(connection, space)
    with make_preparer() as preparer:
        return index(connection, space, embedder, preparer, **options)


def run_text(connection: Connection, **options: Any) -> Progress:
    embedder = HashedNgrams()
    space = spaces.text_space(embedder)
    spaces.register(connection, space)
    return index(connection, space, embedder, None, **options)


def scalar(connection: Connection, statement: str) -> Any:
    row = connection.execute(statement).fetchone()  # type: ignore[call-overload]
    return row[0]


def test_a_run_fills_vectors_traits_and_bookkeeping(
    connection: Connection, add_fonts: AddFonts, make_preparer: MakePreparer
) -> None:
    add_fonts(connection, 6)
    report = run(connection, make_preparer)
    assert (report.pending, report.embedded, report.failed) == (6, 6, 0)
    assert scalar(connection, "select count(embedding_vl) from fonts") == 6
    assert (
        scalar(connection, "select count(*) from fonts where (traits->>'x_height')::float > 0.4")
        == 6
    )
    assert (
        scalar(connection, "select count(*) from font_index.embeddings where embedding is null")
        == 6
    )
    outcome, counts = (
        connection.execute("select outcome, counts from font_index.runs").fetchone() or ()
    )
    assert (outcome, counts["embedded"]) == ("finished", 6)
    assert scalar(connection, "select count(*) from font_index.leases") == 0


def test_a_rerun_embeds_nothing(
    connection: Connection, add_fonts: AddFonts, make_preparer: MakePreparer
) -> None:
    add_fonts(connection, 3)
    run(connection, make_preparer)
    again = run(connection, make_preparer)
    assert (again.pending, again.embedded) == (0, 0)
    assert scalar(connection, "select count(*) from font_index.runs") == 1


def test_the_text_leg_fills_only_what_is_null(connection: Connection, add_fonts: AddFonts) -> None:
    add_fonts(connection, 3)
    connection.execute(
        "update fonts set embedding = array_fill(1, array[4096])::vector where name = 'Font 01'"
    )
    before = scalar(connection, "select embedding::text from fonts where name = 'Font 01'")
    assert run_text(connection).embedded == 2
    assert scalar(connection, "select embedding::text from fonts where name = 'Font 01'") == before
    assert run_text(connection).embedded == 0


def test_the_products_vectors_are_overwritten_only_when_told(
    connection: Connection, add_fonts: AddFonts
) -> None:
    add_fonts(connection, 2)
    run_text(connection)
    connection.execute(
        "insert into fonts (name, embedding) values ('Theirs', array_fill(1, array[4096])::vector)"
    )
    assert run_text(connection).embedded == 0
    assert run_text(connection, selection=Selection(overwrite=True)).embedded == 1


def test_a_change_re_embeds_just_the_font_and_the_leg_that_it_touches(
    connection: Connection, add_fonts: AddFonts, make_preparer: MakePreparer
) -> None:
    add_fonts(connection, 4)
    run(connection, make_preparer)
    run_text(connection)
    connection.execute("update fonts set tags = '{latin,greek}' where name = 'Font 02'")
    space = vl_space(MeasuredTraits())
    assert [(f.name, f.reason) for f in pending(connection, space)] == [("Font 02", "changed text")]
    assert run(connection, make_preparer).embedded == 1
    assert run_text(connection).embedded == 1
    # the short text beside the sheet holds no description, the text leg's does
    connection.execute("update fonts set description = 'A quiet face.' where name = 'Font 03'")
    assert run(connection, make_preparer).embedded == 0
    assert run_text(connection).embedded == 1


def test_a_changed_file_re_embeds_its_font_after_a_look(
    connection: Connection, add_fonts: AddFonts, make_preparer: MakePreparer, files: FontFiles
) -> None:
    paths = add_fonts(connection, 3)
    run(connection, make_preparer)
    before = scalar(connection, "select traits->>'x_height' from fonts where name = 'Font 01'")
    paths[1].write_bytes(ParametricFont(x_height=0.9).build())
    assert run(connection, make_preparer).embedded == 0  # nobody has looked yet
    looked = revalidate(connection, files, timedelta(0))
    assert (looked.checked, looked.changed, looked.unreachable) == (3, 1, [])
    assert run(connection, make_preparer).embedded == 1
    after = scalar(connection, "select traits->>'x_height' from fonts where name = 'Font 01'")
    assert float(after) > float(before) + 0.2


def test_a_file_that_vanished_keeps_its_vector(
    connection: Connection, add_fonts: AddFonts, make_preparer: MakePreparer, files: FontFiles
) -> None:
    paths = add_fonts(connection, 2)
    run(connection, make_preparer)
    paths[0].unlink()
    looked = revalidate(connection, files, timedelta(0))
    assert len(looked.unreachable) == 1
    assert scalar(connection, "select count(embedding_vl) from fonts") == 2


def test_another_text_schema_is_another_space_and_fills_beside_the_serving_one(
    connection: Connection, add_fonts: AddFonts, make_preparer: MakePreparer
) -> None:
    add_fonts(connection, 3)
    run(connection, make_preparer)
    serving = scalar(
        connection, "select md5(string_agg(embedding_vl::text, '' order by name)) from fonts"
    )
    embedder = MeasuredTraits()
    candidate = vl_space(embedder, DESCRIBED)
    assert spaces.register(connection, candidate) == "candidate"
    with make_preparer() as preparer:
        assert index(connection, candidate, embedder, preparer).embedded == 3
    assert serving == scalar(
        connection, "select md5(string_agg(embedding_vl::text, '' order by name)) from fonts"
    )
    assert scalar(connection, "select count(embedding) from font_index.embeddings") == 3


def test_switching_to_a_candidate_and_back_restores_every_vector(
    connection: Connection, add_fonts: AddFonts, make_preparer: MakePreparer
) -> None:
    add_fonts(connection, 3)
    run(connection, make_preparer)
    digest = "select md5(string_agg(embedding_vl::text, '' order by name)) from fonts"
    first, before = vl_space(MeasuredTraits()), scalar(connection, digest)
    embedder = Picky()
    candidate = vl_space(embedder)
    spaces.register(connection, candidate)
    with make_preparer() as preparer:
        index(connection, candidate, embedder, preparer, limit=2)
    with pytest.raises(UserError, match="vectors for 2 fonts"):
        activate(connection, candidate.id[:10])
    with make_preparer() as preparer:
        index(connection, candidate, embedder, preparer)
    activate(connection, candidate.id[:10])
    assert spaces.active(connection, "vl") == candidate
    assert scalar(connection, digest) != before
    with make_preparer() as preparer:
        assert index(connection, candidate, embedder, preparer).pending == 0
    activate(connection, first.id)
    assert scalar(connection, digest) == before


def test_a_corrupted_file_among_others_is_one_recorded_failure(
    connection: Connection, add_fonts: AddFonts, make_preparer: MakePreparer
) -> None:
    paths = add_fonts(connection, 6)
    paths[3].write_bytes(paths[3].read_bytes()[:2000])
    report = run(connection, make_preparer)
    assert (report.embedded, report.failed) == (5, 1)
    assert scalar(connection, "select count(embedding_vl) from fonts") == 5
    [failure] = read(connection).failures
    assert (failure["name"], failure["stage"], failure["attempts"]) == ("Font 03", "open", 1)
    assert failure["next_try_at"] is not None


@pytest.mark.slow
def test_a_failed_font_waits_for_its_next_try_and_is_quarantined_after_the_last(
    connection: Connection, add_fonts: AddFonts, make_preparer: MakePreparer
) -> None:
    [path] = add_fonts(connection, 1)
    path.write_bytes(b"not a font")
    assert run(connection, make_preparer).failed == 1
    assert run(connection, make_preparer).pending == 0
    for attempt in range(2, MAX_ATTEMPTS + 1):
        connection.execute("update font_index.failures set next_try_at = now()")
        assert run(connection, make_preparer).failed == 1
        assert scalar(connection, "select attempts from font_index.failures") == attempt
    assert scalar(connection, "select next_try_at from font_index.failures") is None
    assert read(connection).legs["vl"]["pending"] == {"quarantined": 1}
    assert run(connection, make_preparer).pending == 0
    again = run(connection, make_preparer, selection=Selection(retry_failed=True))
    assert again.failed == 1


def test_a_changed_font_starts_its_attempts_anew(
    connection: Connection, add_fonts: AddFonts, make_preparer: MakePreparer
) -> None:
    [path] = add_fonts(connection, 1)
    path.write_bytes(b"not a font")
    run(connection, make_preparer)
    connection.execute("update font_index.failures set attempts = 4, next_try_at = now()")
    connection.execute("update fonts set tags = '{greek}'")
    assert run(connection, make_preparer).failed == 1
    attempts, wait = (
        connection.execute(
            "select attempts, next_try_at - last_at from font_index.failures"
        ).fetchone()
        or ()
    )
    assert (attempts, wait) == (1, FIRST_RETRY)


def test_a_mended_file_is_tried_at_once_and_its_failure_forgotten(
    connection: Connection, add_fonts: AddFonts, make_preparer: MakePreparer, files: FontFiles
) -> None:
    [path] = add_fonts(connection, 1)
    whole = path.read_bytes()
    path.write_bytes(b"not a font")
    run(connection, make_preparer)
    path.write_bytes(whole)
    revalidate(connection, files, timedelta(0))
    assert run(connection, make_preparer).embedded == 1
    assert read(connection).failures == []


def test_a_font_without_a_file_is_a_recorded_failure(
    connection: Connection, make_preparer: MakePreparer
) -> None:
    connection.execute(
        "insert into fonts (name, files) values ('A', null), ('B', '{}'), ('C', '[1]')"
    )
    assert run(connection, make_preparer).failed == 3
    stages = {failure["stage"] for failure in read(connection).failures}
    assert stages == {"fetch"}


def test_the_file_of_the_weight_nearest_to_regular_stands_for_the_family(
    connection: Connection,
) -> None:
    for name, files in {
        "Usual": {"700": "bold", "400": "regular", "300": "light"},
        "Heavy": {"900": "black", "700": "bold"},
        "Slanted too": {"400italic": "italic", "500": "medium"},
        "Named": {"regular": "regular", "700": "bold"},
    }.items():
        connection.execute("insert into fonts (name, files) values (%s, %s)", [name, Jsonb(files)])
    fonts = pending(connection, vl_space(MeasuredTraits()))
    assert {font.name: font.url for font in fonts} == {
        "Usual": "regular", "Heavy": "bold", "Slanted too": "medium", "Named": "regular",
    }  # fmt: skip


KEYS = [
    "400",
    "400italic",
    "italic",
    "regular",
    "700",
    "100italic",
    "wght",
    "Medium 500",
    "300",
    "500",
]


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(keys=st.sets(st.sampled_from(KEYS), min_size=1))
def test_python_and_sql_agree_on_the_regular_file(connection: Connection, keys: set[str]) -> None:
    family = Family(
        name="Any", category=None, tags=(), source="Google Fonts", license=None,
        files={key: f"https://fonts.example/{key}" for key in keys},
    )  # fmt: skip
    with connection.transaction(force_rollback=True):
        rows.add(connection, [family])
        assert list(file_urls(connection).values()) == [family.regular_file]


def test_a_batch_that_fails_is_halved_down_to_its_culprit(
    connection: Connection, add_fonts: AddFonts, make_preparer: MakePreparer
) -> None:
    add_fonts(connection, 8)
    embedder = Picky("Font 05", batch_size=8)
    report = run(connection, make_preparer, embedder)
    assert (report.embedded, report.failed) == (7, 1)
    [failure] = read(connection).failures
    assert (failure["name"], failure["stage"]) == ("Font 05", "embed")
    assert "not this one" in failure["error"]


def test_an_embedder_that_does_not_answer_blames_no_font(
    connection: Connection, add_fonts: AddFonts, make_preparer: MakePreparer
) -> None:
    add_fonts(connection, 2)
    with pytest.raises(EmbedderUnavailable):
        run(connection, make_preparer, Picky(available=False))
    assert read(connection).failures == []
    assert scalar(connection, "select outcome from font_index.runs") == "failed"
    assert scalar(connection, "select count(*) from font_index.leases") == 0


def test_an_interrupted_run_keeps_its_batches_and_the_next_does_the_rest(
    connection: Connection, add_fonts: AddFonts, make_preparer: MakePreparer
) -> None:
    add_fonts(connection, 10)

    def interrupt(report: Progress) -> None:
        if report.embedded >= 4:
            raise KeyboardInterrupt

    embedder = Picky(batch_size=4)
    with pytest.raises(KeyboardInterrupt):
        run(connection, make_preparer, embedder, show=interrupt)
    assert scalar(connection, "select outcome from font_index.runs") == "interrupted"
    saved = scalar(connection, "select count(embedding_vl) from fonts")
    assert saved >= 4
    assert run(connection, make_preparer, embedder).embedded == 10 - saved
    assert embedder.calls == 3, "what was embedded was saved"


def test_workers_at_the_same_moment_never_claim_the_same_font(
    database: Database, connection: Connection, add_fonts: AddFonts
) -> None:
    add_fonts(connection, 30)
    space = vl_space(MeasuredTraits())
    spaces.register(connection, space)
    work = pending(connection, space)
    ready = threading.Barrier(4)

    def worker() -> list[str]:
        with database.open() as own:
            run = JobRun.start(own, space, {})
            taken: list[str] = []
            ready.wait()
            for start in range(0, 30, 3):
                part = work[start : start + 3]
                taken += [f.name for f in run.claim(part, EVERYTHING)]
            return taken

    with ThreadPoolExecutor(4) as threads:
        claims = [future.result() for future in [threads.submit(worker) for _ in range(4)]]
    names = [name for taken in claims for name in taken]
    assert len(names) == len(set(names)) == 30


def test_a_vector_that_the_product_put_in_place_of_ours_is_the_products(
    connection: Connection, add_fonts: AddFonts
) -> None:
    add_fonts(connection, 2)
    run_text(connection)
    connection.execute(
        "update fonts set embedding = array_fill(1, array[4096])::vector, description = 'Theirs.'"
        " where name = 'Font 01'"
    )
    theirs = scalar(connection, "select embedding::text from fonts where name = 'Font 01'")
    assert run_text(connection).embedded == 0
    assert scalar(connection, "select embedding::text from fonts where name = 'Font 01'") == theirs
    assert spaces.foreign_vectors(connection, "text") == 1
    assert run_text(connection).pending == 0


def test_a_vector_that_was_lost_is_made_again(
    connection: Connection, add_fonts: AddFonts, make_preparer: MakePreparer
) -> None:
    add_fonts(connection, 2)
    run(connection, make_preparer)
    connection.execute("update fonts set embedding_vl = null where name = 'Font 01'")
    assert read(connection).legs["vl"]["pending"] == {"lost": 1}
    assert run(connection, make_preparer).embedded == 1


def test_a_stale_cache_does_not_undo_what_another_host_has_seen(
    connection: Connection, tmp_path: Path, files: FontFiles, web: Web, make_preparer: MakePreparer
) -> None:
    old, new = ParametricFont(x_height=0.6).build(), ParametricFont(x_height=0.8).build()
    web.pages["/font.ttf"] = versioned(old, '"1"')
    url = web.url("/font.ttf")
    connection.execute("insert into fonts (name, files) values ('F', %s)", [Jsonb({"400": url})])
    run(connection, make_preparer)
    web.pages["/font.ttf"] = versioned(new, '"2"')
    digest = hashlib.sha256(new).hexdigest()
    connection.execute("update font_index.files set sha256 = %s", [digest])  # the other host's look
    assert run(connection, make_preparer).embedded == 1
    assert scalar(connection, "select file_sha256 from font_index.embeddings") == digest
    assert scalar(connection, "select sha256 from font_index.files") == digest


def test_a_prepared_sheet_that_was_cut_short_is_made_again(
    connection: Connection, add_fonts: AddFonts, make_preparer: MakePreparer, tmp_path: Path
) -> None:
    [path] = add_fonts(connection, 1)
    with make_preparer() as preparer:
        sheet = preparer.sheet(path.as_uri())
    for kept in (tmp_path / "prepared").rglob("*.json"):
        kept.write_bytes(b"")
    with make_preparer() as preparer:
        assert preparer.sheet(path.as_uri()) == sheet


def test_a_run_that_was_stopped_within_a_query_gives_its_fonts_back(
    database: Database, connection: Connection, add_fonts: AddFonts
) -> None:
    add_fonts(connection, 2)
    space = vl_space(MeasuredTraits())
    spaces.register(connection, space)
    with database.open() as own:
        run = JobRun.start(own, space, {})
        run.claim(pending(own, space), EVERYTHING)
        with suppress(KeyboardInterrupt), own.transaction():
            own.execute("update font_index.leases set expires_at = expires_at")
            own.pgconn.send_query(b"select pg_sleep(60)")  # as Ctrl-C leaves it: not answered yet
            raise KeyboardInterrupt
        run.finish("interrupted", {}, {})
    assert {f.reason for f in pending(connection, space)} == {"new"}
    assert connection.execute("select outcome from font_index.runs").fetchone() == ("interrupted",)


def test_a_font_deleted_meanwhile_is_skipped(
    connection: Connection, add_fonts: AddFonts, make_preparer: MakePreparer
) -> None:
    add_fonts(connection, 3)

    def delete(report: Progress) -> None:
        connection.execute("delete from fonts where name = 'Font 01'")

    assert run(connection, make_preparer, show=delete).embedded == 2


def test_only_and_limit_narrow_the_work(
    connection: Connection, add_fonts: AddFonts, make_preparer: MakePreparer
) -> None:
    add_fonts(connection, 5)
    chosen = Selection(only=("Font 03", "Font 04"))
    assert run(connection, make_preparer, selection=chosen, limit=1).embedded == 1
    assert scalar(connection, "select name from fonts where embedding_vl is not null") == "Font 03"


class Bomb:
    """Stands for the sheet spec, and goes off when the renderer asks for its width."""

    identity = "bomb"

    def __init__(self, call: Callable[[int], object], argument: int) -> None:
        self._call, self._argument = call, argument

    @property
    def width(self) -> object:
        return self._call(self._argument)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bomb", "message"),
    [(Bomb(os._exit, 9), "crashed the renderer"), (Bomb(time.sleep, 60), "not rendered within")],
    ids=["crash", "hang"],
)
def test_a_font_that_takes_its_process_along_is_a_failure_of_that_font(
    bomb: Any, message: str, tmp_path: Path, files: FontFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "font.ttf"
    path.write_bytes(ParametricFont().build())
    monkeypatch.setattr(ahead, "MAX_SECONDS_PER_FONT", 3)
    cache = PreparedCache(tmp_path / "prepared", bomb)
    with (
        Preparer(files, bomb, cache, processes=1) as preparer,
        pytest.raises(FontError, match=message),
    ):
        preparer.sheet(path.as_uri())


def test_status_agrees_with_a_count_of_the_rows(
    connection: Connection, add_fonts: AddFonts, make_preparer: MakePreparer
) -> None:
    add_fonts(connection, 5)
    run(connection, make_preparer, limit=3)
    found = read(connection)
    assert found.fonts == scalar(connection, "select count(*) from fonts")
    vectors = scalar(connection, "select count(*) from fonts where embedding_vl is not null")
    assert found.legs["vl"]["vectors"] == vectors == 3
    assert found.legs["vl"]["pending"] == {"new": 2}
    assert found.legs["text"]["vectors"] == 0


def test_calls_of_an_embedder_run_at_once_and_each_font_is_saved_once(
    connection: Connection, add_fonts: AddFonts, make_preparer: MakePreparer
) -> None:
    add_fonts(connection, 12)
    embedder = Several(3)
    report = run(connection, make_preparer, embedder)
    assert (report.embedded, report.failed, embedder.calls) == (12, 0, 6)
    assert scalar(connection, "select count(embedding_vl) from fonts") == 12
    assert scalar(connection, "select count(*) from font_index.leases") == 0


def test_where_one_of_several_calls_fails_the_others_are_saved(
    connection: Connection, add_fonts: AddFonts, make_preparer: MakePreparer
) -> None:
    add_fonts(connection, 8)

    class Dying(Several):
        def embed_documents(self, documents: Sequence[Document]) -> list[Vector | FontError]:
            if any("Font 07" in (document.text or "") for document in documents):
                raise EmbedderUnavailable("No card is left that embeds.")
            return super().embed_documents(documents)

    with pytest.raises(EmbedderUnavailable):
        run(connection, make_preparer, Dying(3))
    assert scalar(connection, "select count(embedding_vl) from fonts") >= 2
    assert scalar(connection, "select outcome from font_index.runs") == "failed"
    assert run(connection, make_preparer, Picky()).failed == 0
    assert scalar(connection, "select count(embedding_vl) from fonts") == 8
