"""Look again at files that were indexed: a changed file makes its fonts pending."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

from indexer.database import Connection
from indexer.errors import FontError
from indexer.fetch.files import FetchedFile, FontFiles
from indexer.store import SAW_FILE
from indexer.workers import seen

AT_A_TIME = 4
DUE = "select url, sha256 from font_index.files where checked_at < now() - %s order by url"


@dataclass(frozen=True, kw_only=True)
class Revalidated:
    checked: int
    changed: int
    unreachable: list[str]  # a sentence each; what was indexed from them stays


def revalidate(connection: Connection, files: FontFiles, max_age: timedelta) -> Revalidated:
    """Fetch every file again that was last looked at longer ago than `max_age`, where it changed."""
    due = connection.execute(DUE, [max_age]).fetchall()
    changed, unreachable = 0, []

    def look(url: str) -> FetchedFile | FontError:
        try:
            return files.fetch(url, refresh=True)
        except FontError as error:
            return error

    with ThreadPoolExecutor(AT_A_TIME) as threads:
        for (url, known), found in zip(
            due, threads.map(look, (url for url, _ in due)), strict=True
        ):
            if isinstance(found, FontError):
                unreachable.append(f"{url}: {found.message}")
                continue
            file = seen(url, found)
            connection.execute(SAW_FILE, [file.url, file.sha256, file.size, file.origin])
            changed += file.sha256 != known
    return Revalidated(checked=len(due), changed=changed, unreachable=unreachable)
