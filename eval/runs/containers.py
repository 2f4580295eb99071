"""A Postgres in a container of its own, for one run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from secrets import token_hex

from indexer.database import schema
from indexer.database.connect import Connection, Database
from indexer.errors import UserError
from indexer.fontfile import reason

TESTCONTAINERS = "testcontainers"
IMAGE = "pgvector/pgvector:pg17"


@contextmanager
def container_database(image: str, say: Callable[[str], None]) -> Iterator[Connection]:
    """A migrated database on a server of that image, which is removed in the end.

    Raises UserError without Docker, and for an image that gives no Postgres with pgvector.
    """
    try:
        from docker.errors import DockerException  # noqa: PLC0415 - half a second, for this alone
        from testcontainers.community.postgres import PostgresContainer  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise UserError(
            f"--database {TESTCONTAINERS} needs the extra eval: pip install 'fontsight[eval]'."
        ) from error
    try:
        container = PostgresContainer(
            image, username="eval", password=token_hex(), dbname="eval", driver=None
        ).start()
    except (DockerException, TimeoutError) as error:
        raise UserError(
            f"No container of {image[:100]} could be started: {reason(error)}. Start Docker and check the "
            "image's name, or choose another --database."
        ) from error
    try:
        conninfo = container.get_connection_url()
        say(f"Using a container of {image}.")
        schema.upgrade(conninfo)
        with Database(conninfo=conninfo, label=f"a container of {image}").open() as connection:
            yield connection
    finally:
        container.stop()
