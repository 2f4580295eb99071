"""Font files of a folder, grouped into families by what the files say about themselves.

They are opened in processes of their own, twice: for the names first, and then family by family, so
that a family is whole when it is handed out and what was handed out is done, whatever happens next.
"""

from __future__ import annotations

import os
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

from indexer.bounded import FontProcesses
from indexer.catalog.faces import SUFFIXES, Face, printable, read_faces, read_names
from indexer.catalog.facts import union
from indexer.catalog.family import Family
from indexer.errors import FontError, UserError

BATCH = 50  # families
MAX_SECONDS = 30.0  # of a file; a large CJK family takes three
AHEAD = 4  # files, for each process

Answer = TypeVar("Answer")


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A file that was skipped."""

    path: str  # relative to the folder
    reason: str


@dataclass(frozen=True, kw_only=True)
class Found:
    families: tuple[Family, ...]  # ordered by name
    problems: tuple[Problem, ...]  # ordered by path
    files: int  # font files looked at


class Directory:
    """The families in a folder and everything below it, or in a single file.

    Links are followed, every real file once. A file that is no usable font is a Problem; all are
    known when the last batch is. Raises UserError when the path does not exist or holds no font
    file at all.
    """

    def __init__(self, path: Path, processes: FontProcesses) -> None:
        if not path.exists():
            raise UserError(f"{path} does not exist: give a folder with fonts, or a font file.")
        self._root = path.absolute() if path.is_dir() else path.absolute().parent
        self._files = list(_font_files(path.absolute()))
        if not self._files:
            raise UserError(f"{path} holds no font file ({', '.join(SUFFIXES)}).")
        self._processes = processes
        self._problems: dict[Path, str] = {}

    @property
    def files(self) -> int:
        """Font files looked at."""
        return len(self._files)

    @property
    def problems(self) -> tuple[Problem, ...]:
        found = [
            Problem(path=printable(self._relative(file)), reason=reason)
            for file, reason in self._problems.items()
        ]
        return tuple(sorted(found, key=lambda problem: problem.path))

    def batches(self) -> Iterator[list[Family]]:
        """All families in the order of their names, some at a time."""
        named: dict[str, list[Path]] = defaultdict(list)
        for file, names in self._read(read_names, ((file,) for file in self._files)):
            for name in names:
                named[name].append(file)
        names_left = iter(sorted(named))
        while batch := list(islice(names_left, BATCH)):
            wanted = [(file, self._relative(file), name) for name in batch for file in named[name]]
            faces: dict[str, list[Face]] = defaultdict(list)
            for _, found in self._read(read_faces, wanted):
                for face in found:
                    faces[face.family].append(face)
            yield [_family(name, faces[name]) for name in batch if name in faces]

    def _read(
        self, function: Callable[..., Answer], calls: Iterable[tuple[Path, *tuple[str, ...]]]
    ) -> Iterator[tuple[Path, Answer]]:
        """What the function says of each file, in order, but of those that it cannot read."""
        waiting: deque[tuple[Path, Future[Answer]]] = deque()
        remaining = iter(calls)
        while True:
            for call in islice(remaining, AHEAD * self._processes.count - len(waiting)):
                waiting.append((call[0], self._processes.submit(function, *call)))
            if not waiting:
                return
            file, answer = waiting.popleft()
            try:
                found = answer.result()
            except FontError as error:
                self._problems[file] = error.message
            else:
                yield file, found

    def _relative(self, file: Path) -> str:
        return file.relative_to(self._root).as_posix()


def font_processes() -> FontProcesses:
    """For a Directory."""
    return FontProcesses(max(1, (os.cpu_count() or 2) - 1), seconds=MAX_SECONDS)


def read_directory(path: Path, processes: FontProcesses) -> Found:
    """All at once. Raises UserError as Directory does."""
    directory = Directory(path, processes)
    families = tuple(family for batch in directory.batches() for family in batch)
    return Found(families=families, problems=directory.problems, files=directory.files)


def _font_files(path: Path) -> Iterator[Path]:
    if path.is_file():
        if path.suffix.lower() in SUFFIXES:
            yield path
        return
    seen: set[tuple[int, int]] = set()  # real folders and files, so that no link leads in circles
    for folder, folders, names in os.walk(path, followlinks=True):
        folders[:] = sorted(name for name in folders if _is_new(Path(folder, name), seen))
        for name in sorted(names):
            file = Path(folder, name)
            if file.suffix.lower() in SUFFIXES and _is_new(file, seen):
                yield file


def _is_new(path: Path, seen: set[tuple[int, int]]) -> bool:
    try:
        status = path.stat()
    except OSError:  # a dangling link: a file among them is reported when it is opened
        return True
    identity = status.st_dev, status.st_ino
    if identity in seen:
        return False
    seen.add(identity)
    return True


def _family(name: str, faces: list[Face]) -> Family:
    ranked = sorted(faces, key=lambda face: face.rank)
    upright = [face for face in ranked if face.upright] or ranked
    by_weight: dict[int, Face] = {}
    for face in upright:
        by_weight.setdefault(face.weight, face)
    shown = min(by_weight.values(), key=lambda face: (abs(face.weight - 400), face.weight))
    return Family(
        name=name, category=shown.category, tags=shown.tags, source="Directory",
        license=shown.license,
        files={str(weight): by_weight[weight].url for weight in sorted(by_weight)},
        facts=union(name, (face.facts for face in faces)),
    )  # fmt: skip
