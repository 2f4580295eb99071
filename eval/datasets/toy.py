"""A dataset made by code: fonts drawn from parameters, and queries that the parameters answer.

Fourteen kinds of letters, four fonts of each. Weight, x-height, slant and spacing take turns at
different paces, so that none of them tells another.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.datasets.building import Built, assemble
from eval.datasets.dataset import AboutDataset, Font, Query
from eval.fonts.parametric import ParametricFont

HAIRLINE: Mapping[str, Any] = {"contrast": 0.85, "serifs": 0.7, "serif_weight": 0.15}
SLAB: Mapping[str, Any] = {"contrast": 0.15, "serifs": 0.7, "serif_weight": 0.9}
KINDS: tuple[Mapping[str, Any], ...] = (
    {"contrast": 0.1},  # grotesque
    {"contrast": 0.0, "o_proportion": 1.0, "a_storeys": 1},  # geometric
    {"contrast": 0.0, "o_proportion": 1.0, "a_storeys": 1, "rounded": True},
    {"contrast": 0.1, "squareness": 0.95},  # squared
    {"contrast": 0.1, "o_proportion": 0.72},  # condensed
    {"contrast": 0.1, "o_proportion": 1.35},  # wide
    {"contrast": 0.45, "serifs": 0.8, "serif_weight": 0.45, "g_storeys": 2,
     "oldstyle_figures": True},  # old style
    {**HAIRLINE, "g_storeys": 2},  # Didone
    {**HAIRLINE, "o_proportion": 0.72},  # condensed Didone
    SLAB,
    {**SLAB, "monospaced": True},  # typewriter
    {"contrast": 0.1, "monospaced": True, "g_storeys": 2},  # of terminals
    {"contrast": 0.3, "joined": True, "a_storeys": 1},  # script
    {"contrast": 0.3, "unicase": True},  # capitals only
)  # fmt: skip
WEIGHTS = (0.12, 0.06, 0.12, 0.16)  # stem over cap height
X_HEIGHTS = (0.7, 0.82, 0.7, 0.58)
SLANTS = (0.0, 0.0, 12.0, 0.0)
SPACINGS = (0.6, 0.35, 0.6, 1.1)

Holds = Callable[[ParametricFont], bool]


@dataclass(frozen=True, kw_only=True)
class Ask:
    """A query, and the fonts that answer it: grade 1 where `holds`, 2 where `best` does too."""

    text: str
    holds: Holds
    best: Holds | None = None

    def grade(self, font: ParametricFont) -> int:
        if not self.holds(font):
            return 0
        return 2 if self.best is not None and self.best(font) else 1


def _condensed(font: ParametricFont) -> bool:
    return font.o_proportion <= 0.75


def _light(font: ParametricFont) -> bool:
    return font.weight <= 0.08


def _bold(font: ParametricFont) -> bool:
    return font.weight >= 0.15


def _high_contrast(font: ParametricFont) -> bool:
    return font.contrast >= 0.7


def _slab(font: ParametricFont) -> bool:
    return font.serifs > 0 and font.serif_weight >= 0.7


def _plain(font: ParametricFont) -> bool:
    """Neither serifs nor joints: what is called a sans serif."""
    return font.serifs == 0 and not font.joined


STRUCTURE = (
    Ask(text="large x-height", holds=lambda f: f.x_height >= 0.8 and not f.unicase),
    Ask(text="small x-height", holds=lambda f: f.x_height <= 0.6 and not f.unicase),
    Ask(text="high contrast between thick and thin strokes", holds=_high_contrast),
    Ask(text="monoline strokes of one thickness", holds=lambda f: f.contrast == 0),
    Ask(text="condensed", holds=_condensed),
    Ask(text="wide, extended letters", holds=lambda f: f.o_proportion >= 1.2),
    Ask(text="thin, light strokes", holds=_light),
    Ask(text="bold and heavy", holds=_bold),
    Ask(text="slanted", holds=lambda f: f.slant > 0),
    Ask(text="slab serif", holds=_slab),
    Ask(text="hairline serifs", holds=lambda f: f.serifs > 0 and f.serif_weight <= 0.3),
    Ask(text="rounded terminals", holds=lambda f: f.rounded),
    Ask(text="squared curves", holds=lambda f: f.squareness >= 0.9),
    Ask(text="monospaced", holds=lambda f: f.monospaced),
    Ask(text="all capitals, no lower case", holds=lambda f: f.unicase),
    Ask(text="connected letters", holds=lambda f: f.joined),
    Ask(text="old-style figures", holds=lambda f: f.oldstyle_figures),
    Ask(text="single-storey a", holds=lambda f: f.a_storeys == 1 and not f.unicase),
    Ask(text="two-storey g", holds=lambda f: f.g_storeys == 2),
    Ask(text="high contrast condensed", holds=lambda f: _high_contrast(f) and _condensed(f)),
    Ask(text="bold slab serif", holds=lambda f: _slab(f) and _bold(f)),
    Ask(text="light sans serif with a large x-height",
        holds=lambda f: _light(f) and _plain(f) and f.x_height >= 0.7 and not f.unicase,
        best=lambda f: f.x_height >= 0.8),
)  # fmt: skip
# What such letters are mostly used for. The combination is the whole truth here, and no more than that.
MOOD = (
    Ask(text="elegant headlines for a fashion magazine",
        holds=_high_contrast, best=lambda f: not _bold(f)),
    Ask(text="friendly letters for a children's book",
        holds=lambda f: f.a_storeys == 1 and _plain(f) and not f.unicase,
        best=lambda f: f.rounded),
    Ask(text="old typewriter", holds=lambda f: f.monospaced, best=_slab),
    Ask(text="classical book type for a novel",
        holds=lambda f: f.serifs > 0 and not (_slab(f) or _high_contrast(f)),
        best=lambda f: not _bold(f)),
    Ask(text="futuristic, technical look for a space game",
        holds=lambda f: f.squareness >= 0.9, best=lambda f: not _light(f)),
    Ask(text="loud poster that shouts",
        holds=lambda f: _bold(f) and not _high_contrast(f), best=_plain),
)  # fmt: skip

CLASSES = {"structure": STRUCTURE, "mood": MOOD}

DESCRIPTION = """\
Fonts drawn by code (eval/fonts/parametric.py) from parameters, and queries whose answers are decided by the
same parameters, so that every pair is judged and every judgment is exact. Structure asks for a parameter
or two. Mood asks for what letters of a combination of parameters are mostly used for; the combination is
written down in eval/datasets/toy.py and is all that such a grade means.

It shows that a ranking works, not how good it is: the letters are plain, and much more unlike each
other than real fonts are. The category of a font follows from its parameters too, and stands in its text."""


def toy_fonts() -> dict[str, ParametricFont]:
    """By name, the fonts with their parameters."""
    fonts: dict[str, ParametricFont] = {}
    for kind, own in enumerate(KINDS):
        for turn in range(4):
            fonts[f"Toy {chr(ord('A') + kind)}{turn + 1}"] = ParametricFont(
                weight=WEIGHTS[turn],
                x_height=X_HEIGHTS[(turn + kind) % 4],
                slant=SLANTS[(turn + kind // 4) % 4],
                spacing=SPACINGS[(turn + kind + kind // 4) % 4],
                **own,
            )
    return fonts


def build_toy(folder: Path) -> Built:
    """The dataset, with its font files written into the folder. The same bytes every time."""
    made = toy_fonts()
    fonts = [_written(name, parameters, folder) for name, parameters in made.items()]
    asked = [(ask, kind) for kind, asks in CLASSES.items() for ask in asks]
    queries, judgments = [], {}
    for number, (ask, kind) in enumerate(asked, 1):
        query = Query(id=f"q{number:02}", text=ask.text, query_class=kind)
        queries.append(query)
        judgments[query.id] = {name: ask.grade(font) for name, font in made.items()}
    about = AboutDataset(
        name="toy",
        version="1",
        description=DESCRIPTION,
        license="CC0-1.0",
        made_by="python -m eval build toy",
    )
    return assemble(about, fonts, queries, judgments)


def _written(name: str, parameters: ParametricFont, folder: Path) -> Font:
    """The font, written into the folder, in place of one that an earlier version left there."""
    data = parameters.build()
    stem = name.lower().replace(" ", "-")
    # the path is in the dataset's hash, and with the digest in it so are the bytes
    path = Path("fonts", f"{stem}-{hashlib.sha256(data).hexdigest()[:8]}.ttf")
    (folder / "fonts").mkdir(parents=True, exist_ok=True)
    for old in (folder / "fonts").glob(f"{stem}-*.ttf"):
        old.unlink()
    (folder / path).write_bytes(data)
    return Font(
        id=name,
        name=name,
        category=_category(parameters),
        tags=("latin",),
        license="CC0-1.0",
        source="Toy",
        files={"400": path.as_posix()},
    )


def _category(font: ParametricFont) -> str:
    if font.monospaced:
        return "monospace"
    if font.joined:
        return "handwriting"
    if font.unicase:
        return "display"
    return "serif" if font.serifs else "sans-serif"
