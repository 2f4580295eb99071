"""The one way to a font's bytes: a URL in, a checked file of the cache out."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urldefrag, urlsplit

from indexer.errors import AbsentError, FontError, UserError
from indexer.fetch.cache import CachedFile, FileCache, hash_file
from indexer.fetch.folders import FontFolders, file_name
from indexer.fetch.http import Downloader, UnreachableError, redacted
from indexer.fetch.npm import Npm
from indexer.fetch.packages import PackageFiles
from indexer.machine import TOO_MANY, stopped, usable
from indexer.settings import Settings

Mode = Literal["auto", "cdn", "npm"]

CDN = "https://cdn.jsdelivr.net/fontsource/fonts/"
METADATA_FILE = "metadata.json"
PROMISED = "latin"  # the subset that addresses name by default
# the same whether or not there is such a file: whoever writes a row learns nothing of this machine
OUTSIDE = (
    "The address names no file below this machine's font folders; "
    "FONTSIGHT_FONT_DIRS lists those that fonts may be read from."
)
# what stands behind an address is noted by it, and an index of Postgres takes 2,704 bytes
MAX_ADDRESS_BYTES = 2600
ON_CDN = re.compile(
    r"(?P<id>[a-z0-9][a-z0-9-]*)@(?P<version>latest|\d+(?:\.\d+){0,2})"
    r"/(?P<subset>[a-z0-9-]+)-(?P<weight>\d{1,4})-(?P<style>normal|italic)\.(?:ttf|woff2?)"
)


@dataclass(frozen=True, kw_only=True)
class FetchedFile:
    path: Path  # in the cache, or the file itself for file: URLs; not to be changed
    sha256: str
    size: int
    face_index: int  # of a collection: from the URL's "#face=N", else 0
    origin: str  # "npm @fontsource/abel@5.3.0", "https://host/path", "file"
    cached: bool  # no network was needed


class FontFiles:
    """Fetches the files that `fonts.files` points to. Thread-safe; call it from a few threads.

    `mode` says where Fontsource CDN addresses are taken from: the CDN (.ttf), the npm packages
    `@fontsource/<id>` (.woff2), or "auto": the CDN, unless it cannot be reached at all when it is
    first needed; then npm for the rest of this object's life, and `notice` gets one sentence
    about it. Whatever an earlier run fetched by either way is used without asking the network.
    file: addresses are read below `folders` alone.
    """

    def __init__(
        self,
        cache: FileCache,
        *,
        mode: Mode = "auto",
        folders: FontFolders | None = None,
        downloader: Downloader | None = None,
        npm: Npm | None = None,
        notice: Callable[[str], None] = lambda sentence: None,
        cdn: str = CDN,
    ) -> None:
        self.cache = cache
        self.downloader = downloader or Downloader()
        self.npm = npm or Npm()
        self._packages = PackageFiles(cache, self.npm)
        self._mode = mode
        self._folders = folders or FontFolders()
        self.notice = notice
        self._cdn = cdn
        self._cdn_answers: bool | None = None  # not known yet
        self._probing = threading.Lock()

    @classmethod
    def from_settings(
        cls,
        settings: Settings,
        mode: Mode = "auto",
        *,
        notice: Callable[[str], None],
        folders: Iterable[Path] = (),
    ) -> Self:
        """Of the cache folder, and of the web and this machine by the user's rules.

        folders: that the user has named for this command, besides those of the settings.
        """
        return cls(
            FileCache(settings.cache_dir / "files"),
            mode=mode,
            folders=FontFolders.from_settings(settings, *folders),
            downloader=Downloader(
                allow_private=settings.allow_private_addresses, proxy=settings.proxy
            ),
            notice=notice,
        )

    def fetch(self, url: str, *, refresh: bool = False) -> FetchedFile:
        """The file at a URL: from the cache if it was ever fetched, else from the network.

        With `refresh` the source is asked whether it has changed (ETag, Last-Modified, or the
        package's version), and only a change is downloaded.

        Raises FontError (stage "fetch") when this one file cannot be had, with a sentence that
        shows no credentials; UserError when npm is needed and cannot be used.
        """
        address, scheme, face_index = _parts(url)
        if scheme == "file":
            return self._local(address, face_index)
        on_cdn = self._on_cdn(address)
        if on_cdn:
            found, cached = self._fontsource(address, on_cdn, refresh)
        else:
            found, cached = self._http(address, refresh)
        return _fetched(found, face_index, cached=cached)

    def cached(self, url: str) -> FetchedFile | None:
        """The file at a URL where no network is needed; None where it was never fetched.

        Raises FontError as `fetch` does.
        """
        address, scheme, face_index = _parts(url)
        if scheme == "file":
            return self._local(address, face_index)
        found = self.cache.lookup(_url_key(address)) if self._asks_cdn(address) else None
        if found is None and (on_cdn := self._on_cdn(address)):
            found = self._in_package(on_cdn)
        return _fetched(found, face_index, cached=True) if found else None

    def _on_cdn(self, address: str) -> re.Match[str] | None:
        """The parts of an address that npm packages answer, too, and may be asked for."""
        if self._mode == "cdn" or not address.startswith(self._cdn):
            return None
        return ON_CDN.fullmatch(address.removeprefix(self._cdn))

    def _asks_cdn(self, address: str) -> bool:
        return self._mode != "npm" or self._on_cdn(address) is None

    def package_metadata(self, family_id: str) -> bytes:
        """The metadata.json of a family's npm package, which is kept with its font files.

        Errors as for `fetch`.
        """
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", family_id):
            raise FontError("fetch", "The family's id names no npm package.")
        name, keep = f"@fontsource/{family_id}", _whole_scripts(family_id)
        found = self._packages.cached(name, "latest", METADATA_FILE)
        found = found or self._packages.fetch(name, "latest", METADATA_FILE, keep=keep)
        return found.path.read_bytes()

    def _fontsource(self, url: str, parts: re.Match[str], refresh: bool) -> tuple[CachedFile, bool]:
        if self._mode != "auto":
            return self._by_npm(parts, refresh)
        try:
            found = self._by_cdn(url, parts, refresh)
        except AbsentError as absent:
            if parts["subset"] != PROMISED:
                raise
            try:
                return self._by_npm(parts, refresh)
            except (FontError, UserError):  # what the CDN said is the reason
                raise absent from None
        return found or self._by_npm(parts, refresh)

    def _by_cdn(
        self, url: str, parts: re.Match[str], refresh: bool
    ) -> tuple[CachedFile, bool] | None:
        """The file by way of the CDN in mode "auto"; None when npm is the way."""
        here = self.cache.lookup(_url_key(url))
        if here and not refresh:
            return here, True
        if not refresh and self._in_package(parts):
            return None
        with self._probing:  # the others wait for the first answer
            if self._cdn_answers is None:
                try:
                    found = self._http(url, refresh, probe=True)
                except UnreachableError as error:
                    self._cdn_answers = False
                    self.notice(f"{error.message} Fontsource files come from npm packages instead.")
                except FontError:
                    self._cdn_answers = True
                    raise
                else:
                    self._cdn_answers = True
                    return found
        return self._http(url, refresh) if self._cdn_answers else None

    def _by_npm(self, parts: re.Match[str], refresh: bool) -> tuple[CachedFile, bool]:
        if not refresh and (here := self._in_package(parts)):
            return here, True
        name, version, member = _npm_file(parts)
        keep = _whole_scripts(parts["id"])
        try:
            return self._packages.fetch(name, version, member, keep=keep, refresh=refresh), False
        except AbsentError:
            if other := self._in_package(parts):
                return other, False
            raise

    def _in_package(self, parts: re.Match[str]) -> CachedFile | None:
        """A file of a package in the cache; of a family without Latin, of the subset it has.

        Lists promise Latin of some families (GFS Neohellenic) whose package has Greek alone.
        """
        name, version, member = _npm_file(parts)
        found = self._packages.cached(name, version, member)
        if found or parts["subset"] != PROMISED:
            return found
        names = self._packages.names(name, version)
        if member in names:
            return None
        form = (
            f"files/{parts['id']}-(?P<subset>[a-z][a-z-]*)-{parts['weight']}-{parts['style']}.woff2"
        )
        others = filter(None, (re.fullmatch(form, name) for name in names))
        # an extension lacks the letters of what it extends
        best = min(others, key=lambda one: (one["subset"].endswith("-ext"), one[0]), default=None)
        return self._packages.cached(name, version, best[0]) if best else None

    def _http(self, url: str, refresh: bool, *, probe: bool = False) -> tuple[CachedFile, bool]:
        key = _url_key(url)
        if not refresh and (here := self.cache.lookup(key)):
            return here, True
        with self.cache.lock(key), usable(self.cache.root):
            here = self.cache.lookup(key)
            if here and not refresh:  # another process was faster
                return here, True
            limits = self.downloader.quick if probe else None
            part = self.cache.part(key)
            done = self.downloader.download(
                url, part, limits=limits,
                etag=here.etag if here else None,
                last_modified=here.last_modified if here else None,
            )  # fmt: skip
            if done is None and here is not None:
                return here, False
            if done is None or done.size == 0:
                raise FontError("fetch", f"{redacted(url)} is empty.")
            stored = self.cache.store(
                key,
                done.path,
                origin=redacted(url),
                etag=done.etag,
                last_modified=done.last_modified,
            )
            return stored, False

    def _local(self, url: str, face_index: int) -> FetchedFile:
        path = self._folders.file(url)
        if path is None:
            raise FontError("fetch", OUTSIDE)
        name = file_name(path)
        limit = self.downloader.limits.max_bytes
        try:
            if not path.is_file():  # also a device or a pipe, which has no end
                raise FontError("fetch", f"The file {name} is not there, or not a plain file.")
            if (
                path.stat().st_size == 0
            ):  # as those of /proc are told to be, some of which have no end
                raise FontError("fetch", f"The file {name} is empty.")
            if path.stat().st_size > limit:
                raise FontError("fetch", f"The file {name} is larger than {limit:,} bytes.")
            digest, size = hash_file(path)
        except OSError as error:
            if error.errno in TOO_MANY:
                raise stopped(error) from error
            raise FontError("fetch", f"{name} cannot be read: {error.strerror}.") from error
        return FetchedFile(
            path=path, sha256=digest, size=size, face_index=face_index, origin="file", cached=True
        )


def _parts(url: str) -> tuple[str, str, int]:
    """Address, scheme, and the face of a collection. Raises FontError for what is never fetched."""
    if len(url.encode(errors="replace")) > MAX_ADDRESS_BYTES:
        raise FontError("fetch", f"The address has more than {MAX_ADDRESS_BYTES:,} bytes.")
    try:
        address, fragment = urldefrag(url)
        scheme = urlsplit(address).scheme.lower()
    except ValueError:  # square brackets that hold no IPv6 address
        raise FontError("fetch", "The address is not a valid URL.") from None
    if scheme not in ("file", "http", "https"):
        raise FontError("fetch", "The address is neither http nor https; only these are fetched.")
    face = re.fullmatch(r"face=(\d{1,4})", fragment)
    return address, scheme, int(face[1]) if face else 0


def _fetched(found: CachedFile, face_index: int, *, cached: bool) -> FetchedFile:
    return FetchedFile(
        path=found.path, sha256=found.sha256, size=found.size, face_index=face_index,
        origin=found.origin, cached=cached,
    )  # fmt: skip


def _url_key(url: str) -> str:
    # By hash: the cache's index is readable, and a URL may hold a key.
    return f"url:{hashlib.sha256(url.encode()).hexdigest()}"


def _npm_file(parts: re.Match[str]) -> tuple[str, str, str]:
    """Package, version and file in it. Packages hold .woff2 where the CDN also has .ttf."""
    name = "{id}-{subset}-{weight}-{style}.woff2".format(**parts.groupdict())
    return f"@fontsource/{parts['id']}", parts["version"], f"files/{name}"


def _whole_scripts(family: str) -> Callable[[str], bool]:
    """What to keep of a tarball: whole scripts, not the numbered slices that browsers load.

    Keeping every weight and script means that no tarball is ever needed again. Of Noto Sans JP's
    2,300 files in 79 MB this keeps 45 in 10 MB.
    """
    pattern = re.compile(rf"files/{re.escape(family)}-[a-z][a-z-]*-\d+-(?:normal|italic)\.woff2")
    return lambda name: name == METADATA_FILE or pattern.fullmatch(name) is not None
