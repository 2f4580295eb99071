"""What a run leaves behind: every ranking, and all that they depend on.

A folder of two files: `run.json`, one object, and `rankings.jsonl`, one line per setting and query,
written as they come, so that an interrupted run goes on where it was. Scores are not kept: they
follow from the rankings and the dataset (eval/scores/results.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from indexer import atomic
from indexer.errors import UserError

RUN, RANKINGS = "run.json", "rankings.jsonl"

# A: text alone; B1: the sheet alone; B2: sheet and short text; C: A and B2 fused by a weighted sum;
# RRF: A and B2 fused by their ranks
Variant = Literal["A", "B1", "B2", "C", "RRF"]
VARIANTS: tuple[Variant, ...] = get_args(Variant)
SINGLES: tuple[Variant, ...] = ("A", "B1", "B2")  # of one leg each
ALPHAS = tuple(step / 20 for step in range(21))  # the sweep of C

# In rankings, fonts go by their ids in the dataset. Those of the database that the dataset does not have
# are unjudged, and go by this and their name.
FOREIGN = "not of the dataset: "

NOT_COMPARED = {"started_at": "", "finished_at": "", "unanswered": {}}  # these follow from the rest


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One way of ranking."""

    variant: Variant
    alpha: float | None = None  # weight of text in C, from 0 to 1

    @property
    def key(self) -> str:
        """As in "B1" and "C@0.35"."""
        return self.variant if self.alpha is None else f"{self.variant}@{self.alpha:.2f}"

    @classmethod
    def from_key(cls, key: str) -> Setting:
        variant, _, alpha = key.partition("@")
        return cls(variant=variant, alpha=float(alpha) if alpha else None)  # type: ignore[arg-type]


@dataclass(frozen=True, kw_only=True)
class AboutRun:
    """Everything that a number of the run depends on."""

    dataset: Mapping[str, str]  # name, version, hash, folder, files (SHA-256 over the fonts' bytes)
    spaces: Mapping[str, Mapping[str, Any]]  # of A, B1 and B2: id and identity
    functions: Mapping[str, str]  # of the database: name to SHA-256 of its definition
    schema_revision: str
    code: str | None  # git commit, "+" where the tree was changed; None outside a checkout
    versions: Mapping[str, str]  # of Python, Postgres, pgvector and packages
    parameters: Mapping[str, Any]  # see run.Plan; and how many fonts the database holds
    unanswered: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # leg: query: why
    missing: Mapping[str, str] = field(default_factory=dict)  # font without a vector: why
    started_at: str = ""  # ISO 8601, UTC
    finished_at: str | None = None  # None: the run was interrupted


def differences(first: AboutRun, second: AboutRun) -> dict[str, tuple[Any, Any]]:
    """What two runs do not have in common, by a dotted name such as "spaces.B2.identity.model.name".

    Not where the dataset lay, nor the dates. A value that one of them lacks is None.
    """
    ours, theirs = (_flat({**asdict(about), **NOT_COMPARED}) for about in (first, second))
    names = dict.fromkeys([*ours, *theirs])
    names.pop("dataset.folder", None)
    return {
        name: (ours.get(name), theirs.get(name))
        for name in names
        if ours.get(name) != theirs.get(name)
    }


@dataclass(frozen=True, kw_only=True)
class Run:
    about: AboutRun
    rankings: Mapping[str, Mapping[str, tuple[str, ...]]]  # setting's key: query: fonts, best first

    @property
    def alphas(self) -> tuple[float, ...]:
        """Those of the sweep, rising."""
        settings = map(Setting.from_key, self.rankings)
        return tuple(sorted(setting.alpha for setting in settings if setting.alpha is not None))


def load(folder: Path) -> Run:
    """Raises UserError for a folder that holds no run."""
    try:
        about = AboutRun(**json.loads((folder / RUN).read_bytes()))
        lines = (folder / RANKINGS).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"{folder} holds no run of eval ({RUN} and {RANKINGS}).") from error
    rankings: dict[str, dict[str, tuple[str, ...]]] = {}
    for number, line in enumerate(lines, start=1):
        try:
            entry = json.loads(line)
            rankings.setdefault(entry["setting"], {})[entry["query"]] = tuple(entry["fonts"])
        except (ValueError, KeyError, TypeError) as error:
            if number == len(lines):  # cut short by an interruption: it will be ranked again
                break
            raise UserError(f"{folder / RANKINGS} line {number} is not a ranking.") from error
    return Run(about=about, rankings=rankings)


def is_there(folder: Path) -> bool:
    return (folder / RUN).exists()


def start(about: AboutRun, folder: Path) -> None:
    """Begin a run without rankings; one that stood there is gone."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RUN).unlink(missing_ok=True)
    (folder / RANKINGS).write_bytes(b"")
    save_about(about, folder)


def go_on(folder: Path) -> Run:
    """What was ranked so far; a last line that was cut short is taken away, so that more can follow.

    Raises as `load` does.
    """
    load(folder)
    with (folder / RANKINGS).open("r+b") as file:
        whole = file.read().rfind(b"\n") + 1
        file.truncate(whole)
    return load(folder)


def save_about(about: AboutRun, folder: Path) -> None:
    atomic.write(folder / RUN, (json.dumps(asdict(about), indent=2) + "\n").encode())


def append(folder: Path, query: str, rankings: Mapping[Setting, Iterable[str]]) -> None:
    lines = [
        json.dumps({"setting": setting.key, "query": query, "fonts": list(fonts)}) + "\n"
        for setting, fonts in rankings.items()
    ]
    with (folder / RANKINGS).open("a", encoding="utf-8") as file:
        file.writelines(lines)


def _flat(value: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """The leaves of nested mappings, by their path; lists and tuples are alike."""
    leaves: dict[str, Any] = {}
    for name, inner in value.items():
        if isinstance(inner, Mapping):
            leaves |= _flat(inner, f"{above}{name}.")
        else:
            leaves[above + name] = list(inner) if isinstance(inner, tuple) else inner
    return leaves
