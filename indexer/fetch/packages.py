"""Single files out of npm packages, each package fetched once and its useful files kept."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection

from indexer.errors import AbsentError, FontError
from indexer.fetch.archive import ArchiveLimits, read_members
from indexer.fetch.cache import CachedFile, FileCache
from indexer.fetch.npm import Npm, Package


class PackageFiles:
    """Files of npm packages in the cache. Thread-safe; across processes one package at a time."""

    def __init__(self, cache: FileCache, npm: Npm, *, limits: ArchiveLimits | None = None) -> None:
        self._cache = cache
        self._npm = npm
        self._limits = limits or ArchiveLimits()
        self._asked_again: set[str] = set()  # packages whose tag this object has asked about
        self._asking = threading.Lock()

    def cached(self, name: str, version: str, member: str) -> CachedFile | None:
        """The file if it is here already; no network."""
        package = self._remembered(name, version)
        return self._cache.lookup(_file_key(package, member)) if package else None

    def fetch(
        self,
        name: str,
        version: str,
        member: str,
        *,
        keep: Callable[[str], bool],
        refresh: bool = False,
    ) -> CachedFile:
        """A file of a package, which is fetched if need be; files that `keep` names stay, too.

        A tag such as "latest" means the version it meant the first time, until `refresh` asks
        again, once per object and package. Raises AbsentError where the package has no such file,
        FontError (stage "fetch") when the package does not exist or is damaged, UserError when npm
        cannot be used.
        """
        with self._cache.lock("npm"):
            package = self._remembered(name, version)
            if package is None or (refresh and self._first_question(name, version)):
                package = self._ask(name, version)
            found = self._cache.lookup(_file_key(package, member))
            if found:
                return found
            names = self._cache.recall(_names_key(package))
            if names is None or member in names["names"]:
                self._unpack(package, lambda name: name == member or keep(name))
        found = self._cache.lookup(_file_key(package, member))
        if found is None:
            raise AbsentError("fetch", f"The package {package} has no file {member}.")
        return found

    def names(self, name: str, version: str) -> Collection[str]:
        """Of all files of a package, where one of them was ever fetched; no network."""
        package = self._remembered(name, version)
        facts = self._cache.recall(_names_key(package)) if package else None
        return facts["names"] if facts else ()

    def read(self, name: str, version: str, members: Collection[str]) -> dict[str, bytes]:
        """The named files of a package, past the cache. Errors as for `fetch`."""
        with self._cache.lock("npm"), self._cache.scratch() as scratch:
            package = self._npm.resolve(name, version, scratch)
            tarball = self._npm.pack(package, scratch)
            files = read_members(tarball, lambda name: name in members, limits=self._limits)
            found = {name: data for name, data in files if data is not None}
        for member in members:
            if member not in found:
                raise FontError("fetch", f"The package {package} has no file {member}.")
        return found

    def _remembered(self, name: str, version: str) -> Package | None:
        facts = self._cache.recall(_version_key(name, version))
        if facts is None:
            return None
        return Package(
            name=name, version=facts["version"], integrity=facts["integrity"],
            unpacked_size=facts["unpacked_size"],
        )  # fmt: skip

    def _first_question(self, name: str, version: str) -> bool:
        with self._asking:
            return f"{name}@{version}" not in self._asked_again

    def _ask(self, name: str, version: str) -> Package:
        with self._cache.scratch() as scratch:
            package = self._npm.resolve(name, version, scratch)
        self._cache.remember(
            _version_key(name, version),
            version=package.version,
            integrity=package.integrity,
            unpacked_size=package.unpacked_size,
        )
        with self._asking:
            self._asked_again.add(f"{name}@{version}")
        return package

    def _unpack(self, package: Package, keep: Callable[[str], bool]) -> None:
        names = []
        with self._cache.scratch() as scratch:
            tarball = self._npm.pack(package, scratch)
            for name, data in read_members(tarball, keep, limits=self._limits):
                names.append(name)
                if data is not None:
                    key = _file_key(package, name)
                    self._cache.store(key, data, origin=f"npm {package}")
        self._cache.remember(_names_key(package), names=names)


def _version_key(name: str, version: str) -> str:
    return f"npm-version:{name}@{version}"


def _file_key(package: Package, member: str) -> str:
    return f"npm-file:{package}/{member}"


def _names_key(package: Package) -> str:
    return f"npm-names:{package}"
