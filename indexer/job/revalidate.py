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
from indexer.job.facts import is_local
from indexer.job.pending import file_urls

AT_A_TIME = 4
BATCH = 100  # files noted at once
# Not what a font that is gone was made from: if it comes back, its vector is still right.
UNUSED = """
    select x.url from font_index.files x
    where not x.url = any(%s) and not exists (
      select from font_index.embeddings e
      where e.file_sha256 = x.sha256 and not exists (select from public.fonts where id = e.font_id))
"""
FORGET = "delete from font_index.files where url = any(%s)"
# facts about a local family are made from its files, those of others from a list
FORGET_FACTS = "delete from font_index.facts where font_id = any(%s)"
# a local file costs no request
DUE = """
    select url, sha256 from font_index.files
    where url = any(%s) and (checked_at < now() - %s or url like 'file:%%') order by url
"""


@dataclass(frozen=True, kw_only=True)
class Revalidated:
    checked: int
    changed: int
    unreachable: list[str]  # a sentence each; what was indexed from them stays


def revalidate(connection: Connection, files: FontFiles, max_age: timedelta) -> Revalidated:
    """Fetch again, where it changed, every file in use that is local or was looked at long ago."""
    with connection.transaction():  # one picture: nothing is unused because its font has just gone
        connection.execute("set transaction isolation level repeatable read read only")
        used = file_urls(connection)
        addresses = list(used.values())
        unused = [url for (url,) in connection.execute(UNUSED, [addresses])]
    connection.execute(FORGET, [unused])
    due = connection.execute(DUE, [addresses, max_age]).fetchall()
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
            now, rewritten = [], set()
            for (url, known), file in zip(batch, found, strict=True):
                if isinstance(file, FontError):
                    unreachable.append(f"{url}: {file.message}")
                    continue
                now.append(seen(url, file))
                if file.sha256 != known:
                    changed += 1
                    rewritten.add(url)
            store.saw_files(connection, now)
            local = [font for font, url in used.items() if url in rewritten and is_local(url)]
            connection.execute(FORGET_FACTS, [local])
    return Revalidated(checked=len(due), changed=changed, unreachable=unreachable)
