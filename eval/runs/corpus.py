"""A dataset's fonts in a database: imported and embedded in one of the evaluation's own, found in another."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import urldefrag

from psycopg import sql

from eval.datasets.dataset import Dataset, refusal, refuse_leaked_tags
from eval.runs.record import Variant
from indexer import spaces
from indexer.activate import activate
from indexer.catalog import rows
from indexer.catalog.family import Family
from indexer.database import local, schema
from indexer.database.connect import Connection, Database
from indexer.embed.protocol import Embedder
from indexer.errors import UserError
from indexer.fetch.files import FontFiles
from indexer.job import run
from indexer.job.ahead import Preparer
from indexer.job.pending import Selection
from indexer.job.progress import Progress
from indexer.job.revalidate import revalidate
from indexer.spaces import SERVING_COLUMN, Space
from indexer.text import DESCRIBED

# Fonts of one score stand in the order of their ids: by name, rankings are the same on every machine.
NAME_IDS = "update public.fonts set id = md5(name)::uuid where id <> md5(name)::uuid"
LOCK = "select pg_try_advisory_lock(hashtext('fontsight eval'))"
MAX_MISSING_SHARE = 0.5
LOCAL_FILES_ONLY = timedelta(days=36_500)  # since others were looked at

ROWS = "select name, category, tags, description from public.fonts where name = any(%s)"
STORED = sql.SQL("""
    select f.name, e.file_sha256,
           case s.state when 'active' then f.{column} is not null else e.embedding is not null end,
           x.stage || ': ' || x.error
    from public.fonts f
    join font_index.spaces s on s.id = %(space)s
    left join font_index.embeddings e on e.font_id = f.id and e.space_id = s.id
    left join font_index.failures x on x.font_id = f.id and x.space_id = s.id
    where f.name = any(%(names)s)
""")


@dataclass(frozen=True, kw_only=True)
class Tools:
    """What it takes to embed fonts, and to say how it goes."""

    files: FontFiles
    preparer: Callable[[], Preparer]  # of sheets
    progress_bar: Callable[[str], AbstractContextManager[Callable[[Progress], None]]]
    say: Callable[[str], None]


def own_folder(data_dir: Path, dataset: Dataset) -> Path:
    """Where the evaluation keeps its Postgres for a dataset's fonts. May be deleted at any time."""
    return data_dir / "eval" / dataset.corpus_hash[:16]


@contextmanager
def own_database(place: Path) -> Iterator[Connection]:
    """The embedded Postgres in that folder, for one run at a time."""
    database = Database(conninfo=local.start(place), label=f"the embedded Postgres in {place}")
    try:
        schema.upgrade(database.conninfo)
        with database.open() as connection:
            if connection.execute(LOCK).fetchone() != (True,):
                raise UserError(
                    "Another run is at work on these fonts: it decides which vectors serve."
                )
            yield connection
    finally:
        local.stop(place)  # where no other process uses it


def load(connection: Connection, dataset: Dataset, folder: Path, files: FontFiles) -> None:
    """Import what the database does not have, and look again at local files.

    Raises UserError for a path that leads out of the dataset's folder.
    """
    with connection.transaction():
        rows.add(connection, families(dataset, folder), update=True)
        connection.execute(NAME_IDS)
    revalidate(connection, files, LOCAL_FILES_ONLY)


def families(dataset: Dataset, folder: Path) -> list[Family]:
    """The corpus as rows of public.fonts; paths inside the dataset's folder become addresses."""
    return [
        Family(
            name=font.name,
            category=font.category,
            tags=font.tags,
            description=font.description,
            license=font.license,
            source=font.source,
            files={weight: _address(place, folder) for weight, place in font.files.items()},
        )
        for font in dataset.fonts
    ]


def fill(
    connection: Connection, space: Space, embedder: Embedder, tools: Tools, *, serve: bool
) -> None:
    """Embed what the space lacks. Where it is to serve and another does, that one is put aside."""
    state = spaces.register(connection, space, may_serve=serve)
    ahead = tools.preparer() if space.sheet_spec else nullcontext()
    with tools.progress_bar(space.leg) as show, ahead as preparer:
        report = run.index(
            connection, space, embedder, preparer,
            selection=Selection(retry_failed=True), show=show,
        )  # fmt: skip
    tools.say(f"{space}: {report.embedded} embedded, {report.failed} failed")
    if serve and state != "active":
        activate(connection, space.id, force=True)


def refuse_absent(connection: Connection, dataset: Dataset) -> None:
    """Raises UserError unless the database has every font of the dataset."""
    there = {name for (name, *_) in connection.execute(ROWS, [_names(dataset)])}
    if absent := [font.name for font in dataset.fonts if font.name not in there]:
        raise refusal(
            f"{len(absent)} of the dataset's {len(dataset.fonts)} fonts are not in the database",
            absent,
        )


def refuse_leaks(connection: Connection, dataset: Dataset) -> None:
    """Raises UserError where the text of a row, as it may be embedded, holds a ground-truth tag."""
    ids = names_to_ids(dataset)
    refuse_leaked_tags(
        dataset,
        {
            ids[name]: DESCRIBED.compose(
                name=name, category=category, tags=tags or (), description=description, traits=None
            )
            for name, category, tags, description in connection.execute(ROWS, [_names(dataset)])
        },
    )


def missing(
    connection: Connection, dataset: Dataset, legs: Mapping[Variant, Space]
) -> dict[str, str]:
    """Fonts (ids) that lack a vector in a space, and why, by the variant that the space is for."""
    ids = names_to_ids(dataset)
    found: defaultdict[str, list[str]] = defaultdict(list)
    for variant, space in legs.items():
        for name, _, has_vector, failure in _stored(connection, dataset, space):
            if not has_vector:
                found[ids[name]].append(f"{variant}: {failure or 'no vector'}")
    return {font: "; ".join(why) for font, why in sorted(found.items())}


def refuse_mostly_missing(dataset: Dataset, missing: Mapping[str, str]) -> None:
    """Raises UserError where most fonts lack a vector: the rankings would say nothing of the rest."""
    if len(missing) > MAX_MISSING_SHARE * len(dataset.fonts):
        problems = [f"{font}: {why}" for font, why in missing.items()]
        raise refusal(f"{len(missing)} of {len(dataset.fonts)} fonts lack a vector", problems)


def files_hash(connection: Connection, dataset: Dataset, space: Space) -> str:
    """SHA-256, in hex, over the dataset's fonts and the files that their vectors were made from."""
    files = [(name, sha256) for name, sha256, *_ in _stored(connection, dataset, space)]
    return hashlib.sha256(json.dumps(sorted(files)).encode()).hexdigest()


def names_to_ids(dataset: Dataset) -> dict[str, str]:
    return {font.name: font.id for font in dataset.fonts}


def _stored(
    connection: Connection, dataset: Dataset, space: Space
) -> list[tuple[str, str | None, bool, str | None]]:
    """Name, hash of the file, whether there is a vector, and what failed."""
    statement = STORED.format(column=SERVING_COLUMN[space.leg])
    return connection.execute(statement, {"space": space.id, "names": _names(dataset)}).fetchall()


def _names(dataset: Dataset) -> list[str]:
    return [font.name for font in dataset.fonts]


def _address(place: str, folder: Path) -> str:
    if "://" in place:
        return place
    path, fragment = urldefrag(place)
    return inside(folder, path).as_uri() + (f"#{fragment}" if fragment else "")


def inside(folder: Path, place: str) -> Path:
    """A file of a dataset's folder. Raises UserError for a path that leads out of it."""
    file = (folder / place).resolve()
    if not file.is_relative_to(folder.resolve()):
        raise UserError(f"The file {place[:100]!r} is not inside {folder}.")
    return file
