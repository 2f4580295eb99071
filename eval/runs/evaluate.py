"""A run: every query of a dataset, ranked in every way that was asked for, by the real Postgres.

Variants are A, the text leg alone; B1, glyph sheets alone; B2, the sheet leg as it serves, with a short text;
C, A and B2 fused at each alpha; RRF, A and B2 fused by their ranks. A and B2 are the serving vectors, ranked
through the function that the app calls. B1 is a candidate space beside them: no serving vector is touched.
"""

from __future__ import annotations

import platform
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from eval.datasets.dataset import Dataset, Query, Split, of_split, refusal
from eval.runs import corpus, record
from eval.runs.ranking import CANDIDATES, RRF_K, EmbeddedQuery, Way, rank, rank_candidate
from eval.runs.record import ALPHAS, FOREIGN, SINGLES, VARIANTS, AboutRun, Run, Setting, Variant
from eval.runs.variants import Singles, refuse_switched
from indexer import choose, legs
from indexer.database import schema
from indexer.database.connect import Connection
from indexer.embed import protocol as embed
from indexer.embed.protocol import Vector
from indexer.errors import EmbedderUnavailable, UserError
from indexer.functions import Normalization

NEEDS: Mapping[Variant, tuple[Variant, ...]] = {
    "A": ("A",), "B1": ("B1",), "B2": ("B2",), "C": ("A", "B2"), "RRF": ("A", "B2"),
}  # fmt: skip
PACKAGES = (
    "fontsight",
    "numpy",
    "pillow",
    "fonttools",
    "psycopg",
    "ir-measures",
    "pytrec-eval-terrier",
)
MODEL_PACKAGES = ("torch", "transformers")
CODE = ("eval", "indexer", "migrations", "sql")  # folders of a checkout
GIT_SECONDS = 10

SERVER = """select current_setting('server_version'), extversion, (select count(*) from public.fonts)
    from pg_extension where extname = 'vector'"""
# Ours: the private schema's, and what the app calls. pg_get_functiondef shows arguments, settings and body;
# of several with one name, all count.
FUNCTIONS = """
    select n.nspname || '.' || p.proname,
           encode(sha256(convert_to(string_agg(pg_get_functiondef(p.oid), '' order by p.oid), 'UTF8')), 'hex')
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where p.prokind = 'f' and (
      n.nspname = 'font_index'
      or n.nspname = 'public' and p.proname in ('match_fonts_hybrid', 'similar_fonts'))
    group by 1 order by 1
"""


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What a user decides. It is stored with the run."""

    variants: tuple[Variant, ...] = VARIANTS
    alphas: tuple[float, ...] = ALPHAS  # of C
    depth: int = 200  # fonts of a ranking; match_fonts_hybrid gives no more at once
    words: float = 0.0  # share of the full-text leg, for all variants but B1
    normalization: Normalization = "raw"  # of similarities in C
    split: Split | None = None  # rank only these queries

    @property
    def settings(self) -> list[Setting]:
        return [
            Setting(variant=variant, alpha=alpha)
            for variant in self.variants
            for alpha in (self.alphas if variant == "C" else (None,))
        ]

    @property
    def singles(self) -> list[Variant]:
        """The single legs that the variants are made of."""
        needed = {single for variant in self.variants for single in NEEDS[variant]}
        return [single for single in SINGLES if single in needed]


def evaluate(
    connection: Connection,
    dataset: Dataset,
    folder: Path,
    singles: Singles,
    plan: RunOptions,
    out: Path,
    *,
    fresh: bool = False,
    say: Callable[[str], None] = lambda line: None,
    progress: Callable[[Sequence[Query]], Iterable[Query]] = lambda queries: queries,
) -> Run:
    """Rank what the run in `out` does not have yet. Interrupted, it goes on when called again.

    Raises UserError where the run there is of something else (unless `fresh`, which drops it),
    where most fonts lack a vector, and where another space came to serve meanwhile.
    """
    about = describe(connection, dataset, folder, singles, plan)
    corpus.refuse_mostly_missing(dataset, about.missing)
    done: Mapping[str, Mapping[str, object]] = {}
    if fresh or not record.is_there(out):
        record.start(about, out)
    else:
        before = record.go_on(out)
        _refuse_another(before.about, about, out)
        about, done = before.about, before.rankings
    if about.finished_at is not None:
        say(f"{out} is finished already (--fresh ranks again).")
        return record.load(out)
    ids = corpus.names_to_ids(dataset)
    way = Way(depth=plan.depth, words=plan.words, normalization=plan.normalization)
    for query in progress(of_split(dataset.queries, plan.split)):
        settings = [s for s in plan.settings if query.id not in done.get(s.key, {})]
        if not settings:
            continue
        asked, unanswered = _embedded(query, folder, singles)
        if unanswered:
            about = replace(about, unanswered=_with(about.unanswered, query, unanswered))
            record.save_about(about, out)
        rankings = {
            setting: [
                ids.get(name, FOREIGN + name)
                for name in _ranked(connection, setting, asked, way, singles)
            ]
            for setting in settings
        }
        record.append(out, query.id, rankings)
    refuse_switched(connection, singles)
    record.save_about(replace(about, finished_at=_now()), out)
    return record.load(out)


def describe(
    connection: Connection, dataset: Dataset, folder: Path, singles: Singles, plan: RunOptions
) -> AboutRun:
    """All that the numbers depend on, as it is now."""
    server = connection.execute(SERVER).fetchone()
    assert server is not None
    postgres, pgvector, fonts = server
    spaces_of = {name: single.space for name, single in singles.items()}
    with_files = next((s for s in spaces_of.values() if s.sheet_spec), None)
    revision = schema.current(connection)
    assert revision is not None  # a connection is opened at head only
    offline = all(
        space.model.name == choose.OFFLINE for space in spaces_of.values() if space.leg == "vl"
    )
    packages = PACKAGES if offline else PACKAGES + MODEL_PACKAGES
    return AboutRun(
        dataset={
            "name": dataset.about.name,
            "version": dataset.about.version,
            "hash": dataset.hash,
            "folder": str(folder.resolve()),
            "files": corpus.files_hash(connection, dataset, with_files) if with_files else "",
        },
        spaces={
            name: {"id": space.id, "identity": space.identity()}
            for name, space in spaces_of.items()
        },
        functions=dict(connection.execute(FUNCTIONS).fetchall()),
        schema_revision=revision,
        code=_commit(),
        versions={
            "python": platform.python_version(),
            "postgres": postgres,
            "pgvector": pgvector,
            **_versions(packages),
        },
        parameters={
            **asdict(plan),
            "vocabulary": next(
                (s.embedder.vocabulary for s in singles.values() if s.embedder.vocabulary), None
            ),
            "rrf_k": RRF_K,
            "candidates": CANDIDATES,
            "fonts": fonts,
        },
        missing=corpus.missing(connection, dataset, spaces_of),
        started_at=_now(),
    )


def _embedded(query: Query, folder: Path, singles: Singles) -> tuple[EmbeddedQuery, dict[str, str]]:
    """The query's vectors, and why a leg has none."""
    asked = embed.Query(text=query.text)
    if query.image is not None:
        asked = embed.Query(image=corpus.inside(folder, query.image).read_bytes())
    parts = legs.asked(asked)
    vectors: dict[str, Vector] = {}
    unanswered: dict[str, str] = {}
    for single in singles.values():
        # B1 and B2 share an embedder, and a query's vector has nothing to do with documents' texts
        if single.space.leg in vectors or single.space.leg in unanswered:
            continue
        try:
            if single.space.leg not in parts:
                raise UserError("A picture says nothing to the text leg.")
            vectors[single.space.leg] = embed.only(
                single.embedder.embed_queries([parts[single.space.leg]])
            )
        except EmbedderUnavailable:
            raise
        except UserError as error:
            unanswered[single.space.leg] = str(error)
    return EmbeddedQuery(
        words=asked.text or "", text=vectors.get("text"), vl=vectors.get("vl")
    ), unanswered


def _ranked(
    connection: Connection, setting: Setting, asked: EmbeddedQuery, way: Way, singles: Singles
) -> Iterable[str]:
    if setting.variant != "B1":
        return rank(connection, setting, asked, way)
    if asked.vl is None:
        return ()
    return rank_candidate(connection, singles["B1"].space, asked.vl, way.depth)


def _refuse_another(before: AboutRun, now: AboutRun, out: Path) -> None:
    if other := record.differences(before, now):
        changes = [f"{name}: {before} then, {now} now" for name, (before, now) in other.items()]
        raise refusal(
            f"The run in {out} is of something else; choose another --out, or drop it with --fresh",
            changes,
        )


def _with(
    unanswered: Mapping[str, Mapping[str, str]], query: Query, reasons: Mapping[str, str]
) -> dict[str, dict[str, str]]:
    legs = {leg: dict(queries) for leg, queries in unanswered.items()}
    for leg, why in reasons.items():
        legs.setdefault(leg, {})[query.id] = why
    return legs


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _versions(packages: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # of an extra
            continue
    return found


def _commit() -> str | None:
    """The commit of the checkout that this code stands in, with "+" where it was changed since."""
    root = Path(__file__).resolve().parent.parent
    git = shutil.which("git")
    if git is None or not (root / ".git").exists():  # installed, perhaps inside another's checkout
        return None

    def output(*arguments: str) -> str:
        done: Any = subprocess.run(  # noqa: S603 - a constant command
            [git, "-C", root, *arguments],
            capture_output=True,
            text=True,
            check=True,
            timeout=GIT_SECONDS,
        )
        return str(done.stdout).strip()

    try:
        changed = output("status", "--porcelain", "--", *CODE)
        return output("rev-parse", "HEAD") + "+" * bool(changed)
    except (OSError, subprocess.SubprocessError):
        return None
