"""Packages through the npm program: its own configuration decides address, proxy and keys."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from indexer.errors import FontError, UserError
from indexer.fetch.cache import CHUNK

TIED = Path(__file__).with_name("tied.py")
NAME = re.compile(r"(@[a-z0-9][a-z0-9._-]*/)?[a-z0-9][a-z0-9._-]*")
VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+-]*")
MISSING = frozenset({"E404", "ETARGET", "ENOVERSIONS"})
NO_ROOM = frozenset({"ENOSPC", "EDQUOT", "EROFS", "EACCES", "EMFILE", "ENFILE"})
ROOM = 8 * 1024 * 1024  # bytes that a package may well take
# npm has already retried these by its own rules: one is bad luck, several in a row the network.
MAX_NETWORK_FAILURES = 3


@dataclass(frozen=True, kw_only=True)
class Package:
    name: str
    version: str
    integrity: str  # "sha512-<base64>", as the registry publishes it
    unpacked_size: int | None

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


class Npm:
    """`npm view` and `npm pack`, one call at a time. Nothing is installed and no script is run.

    Every method raises UserError when npm is absent or its registry cannot be used at all, and
    FontError (stage "fetch") when one package is at fault; OSError where the scratch folder has no
    room. npm's own words never reach a message:
    they may hold the registry's address with a key in it.
    """

    def __init__(
        self,
        *,
        seconds: float = 300.0,
        max_bytes: int = 512 * 1024 * 1024,
        unpacked_bytes: int = 1024 * 1024 * 1024,
        env: Mapping[str, str] | None = None,
        program: str = "npm",
    ) -> None:
        self._seconds = seconds
        self._max_bytes = max_bytes
        self._unpacked_bytes = unpacked_bytes
        self._env = dict(env) if env is not None else None  # None: the environment as it is
        self._program = program
        self._network_failures = 0
        self._one_at_a_time = threading.Lock()

    def resolve(self, name: str, version: str, scratch: Path) -> Package:
        """What the registry publishes as a version, which may be a tag such as "latest"."""
        spec = _spec(name, version)
        answer = self._run("view", spec, "name", "version", "dist", scratch=scratch)
        if isinstance(answer, list) and answer:  # a tag or range that fits several versions
            answer = answer[-1]
        if not isinstance(answer, dict) or not isinstance(answer.get("dist"), dict):
            raise FontError("fetch", f"npm knows no package {spec}.")
        found, dist = str(answer.get("version", "")), answer["dist"]
        sha512 = [part for part in str(dist.get("integrity", "")).split() if part[:7] == "sha512-"]
        if answer.get("name") != name or not VERSION.fullmatch(found) or not sha512:
            raise FontError("fetch", f"The package {spec} is published without a sha512 checksum.")
        unpacked = dist.get("unpackedSize")
        if isinstance(unpacked, int) and unpacked > self._unpacked_bytes:
            raise FontError(
                "fetch", f"The package {spec} unpacks to {unpacked:,} bytes: too large."
            )
        return Package(
            name=name, version=found, integrity=sha512[0],
            unpacked_size=unpacked if isinstance(unpacked, int) else None,
        )  # fmt: skip

    def pack(self, package: Package, scratch: Path) -> Path:
        """The package's tarball in `scratch`, with the checksum the registry published."""
        target = scratch / "tarball"
        target.mkdir()
        self._run(
            "pack", _spec(package.name, package.version), "--ignore-scripts",
            "--pack-destination", str(target), scratch=scratch,
        )  # fmt: skip
        tarballs = list(target.glob("*.tgz"))
        if len(tarballs) != 1:
            raise FontError("fetch", f"npm gave no archive for the package {package}.")
        if tarballs[0].stat().st_size > self._max_bytes:
            raise FontError(
                "fetch", f"The package {package} is larger than {self._max_bytes:,} bytes."
            )
        digest = hashlib.sha512()
        with tarballs[0].open("rb") as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
        if (
            "sha512-" + base64.b64encode(digest.digest()).decode()
            != package.integrity.split("?")[0]
        ):
            raise FontError(
                "fetch",
                f"The archive of the package {package} does not have its published checksum.",
            )
        return tarballs[0]

    def _run(self, *arguments: str, scratch: Path) -> Any:
        env = self._env if self._env is not None else dict(os.environ)
        program = shutil.which(self._program, path=env.get("PATH"))
        if program is None:
            raise UserError(
                "npm is not installed, and the font files are to come from npm packages. Install "
                "Node.js with npm, or take the files from their URLs instead."
            )
        command = [
            program, *arguments, "--json", "--loglevel=silent", "--update-notifier=false",
            # Its own cache would keep a second copy of every package: here it goes with the folder.
            f"--cache={scratch / 'npm-cache'}",
        ]  # fmt: skip
        with self._one_at_a_time:
            code, output = self._call(command, scratch, env)
        try:
            answer = json.loads(output or "null")
        except ValueError:
            answer = None
        if code == 0:
            self._network_failures = 0
            return answer
        error_code = _code(answer)
        if error_code is None:
            _require_room(scratch)
        raise self._failure(arguments[1], error_code or "no code given")

    def _call(self, command: list[str], scratch: Path, env: dict[str, str]) -> tuple[int, str]:
        tied = [sys.executable, "-I", str(TIED), str(self._max_bytes), *command]
        reader, writer = os.pipe()
        # In a folder of its own, so that no package.json or .npmrc of the caller's folder counts.
        with subprocess.Popen(  # noqa: S603  # a checked name and version, and no shell
            tied, cwd=scratch, env=env, text=True, encoding="utf-8", errors="replace",
            stdin=reader, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as process:  # fmt: skip
            os.close(reader)
            try:
                output, _ = process.communicate(timeout=self._seconds)
            except subprocess.TimeoutExpired:
                return 1, '{"error": {"code": "ETIMEDOUT"}}'
            finally:
                os.close(writer)  # out of time, or interrupted from the keyboard: ends all of it
            return process.returncode, output

    def _failure(self, spec: str, code: str) -> Exception:
        if code in MISSING:
            return FontError("fetch", f"npm knows no package {spec} ({code}).")
        if code in ("E401", "E403", "ENEEDAUTH"):
            return UserError(
                f"npm may not read the package {spec} ({code}). Check the login and the registry "
                "in npm's configuration (npm config list), then run again."
            )
        if code in NO_ROOM:
            return UserError(
                f"npm could not write into the cache ({code}). No font is to blame. Free space there, "
                "or set FONTSIGHT_CACHE_DIR to another folder; then run again."
            )
        if code == "EINTEGRITY":
            return FontError(
                "fetch", f"The archive of {spec} does not have its published checksum."
            )
        self._network_failures += 1
        if self._network_failures >= MAX_NETWORK_FAILURES:
            return UserError(
                f"npm failed {self._network_failures} times in a row ({code}). Check the network "
                "and the registry in npm's configuration (npm ping), then run again."
            )
        return FontError("fetch", f"npm could not get the package {spec} ({code}).")


def _code(answer: Any) -> str | None:
    error = answer.get("error") if isinstance(answer, dict) else None
    code = str(error.get("code", "")) if isinstance(error, dict) else ""
    return code if re.fullmatch(r"E[A-Z0-9_]{1,40}", code) else None


def _require_room(folder: Path) -> None:
    """Where npm does not say why it failed, its disk may be full. Raises OSError then."""
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(bytes(ROOM))
        file.flush()


def _spec(name: str, version: str) -> str:
    """A package and version that npm cannot take for an option, a path, a URL or a range."""
    if not NAME.fullmatch(name) or not VERSION.fullmatch(version):
        raise FontError("fetch", "The address names no valid npm package.")
    return f"{name}@{version}"
