"""Look again at files that were indexed: a changed file makes its fonts pending."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

from indexer.database.connect import Connection
from indexer.errors import FontError
from indexer.fetch.files import FetchedFile, FontFiles
from indexer.job import store
from indexer.job.ahead import seen
from indexer.job.pending import file_urls

AT_A_TIME = 4
BATCH = 100  # files noted at once
FORGET_UNUSED = "delete from font_index.files where not url = any(%s)"
# a local file costs no request
DUE = """
    select url, sha256 from font_index.files
    where checked_at < now() - %s or url like 'file:%%' order by url
"""


@dataclass(frozen=True, kw_only=True)
class Revalidated:
    checked: int
    changed: int
    unreachable: list[str]  # a sentence each; what was indexed from them stays


def revalidate(connection: Connection, files: FontFiles, max_age: timedelta) -> Revalidated:
    """Fetch again, where it changed, every file in use that is local or was looked at long ago."""
    connection.execute(FORGET_UNUSED, [list(file_urls(connection).values())])
    due = connection.execute(DUE, [max_age]).fetchall()
    changed, unreachable = 0, []

    def look(url: str) -> FetchedFile | FontError:
        try:
            return files.fetch(url, refresh=True)
        except FontError as error:
            return error

    with ThreadPoolExecutor(AT_A_TIME) as threads:
        for start in range(0, len(due), BATCH):
            batch = due[start : start + BATCH]
            found = threads.map(look, [url for url, _ in batch])
            now = []
            for (url, known), file in zip(batch, found, strict=True):
                if isinstance(file, FontError):
                    unreachable.append(f"{url}: {file.message}")
                    continue
                changed += file.sha256 != known
                now.append(seen(url, file))
            store.saw_files(connection, now)
    return Revalidated(checked=len(due), changed=changed, unreachable=unreachable)
