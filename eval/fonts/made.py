"""Fonts made by code, no two alike: as files and rows of a table, and as documents of an embedder."""

from __future__ import annotations

import multiprocessing
import os
import random
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from eval.fonts.parametric import ParametricFont
from indexer.embed.protocol import Document
from indexer.job.prepare import prepare
from indexer.sheet.render import SheetSpec
from indexer.text import LIGHT

Made = TypeVar("Made")

SUBSETS = ("latin-ext", "vietnamese", "cyrillic", "cyrillic-ext", "greek", "greek-ext", "hebrew")


@dataclass(frozen=True, kw_only=True)
class MadeFont:
    """A row of public.fonts, as the catalog makes them, and its file."""

    name: str
    category: str
    tags: list[str]
    data: bytes


def made_fonts(count: int) -> list[MadeFont]:
    """The same ones each time; a few have all subsets, and so longer texts."""
    return _in_processes(made_font, count)


def documents(count: int, spec: SheetSpec) -> list[Document]:
    """What the job makes of these fonts: the sheet, and the short text of text schema light/1."""
    return _in_processes(partial(_document, spec=spec), count)


def made_font(number: int) -> MadeFont:
    draw = random.Random(number)  # noqa: S311
    serifs = draw.choice([0.0, 0.35])
    font = ParametricFont(
        x_height=draw.uniform(0.55, 0.85),
        contrast=draw.uniform(0.0, 0.7),
        weight=draw.uniform(0.05, 0.16),
        o_proportion=draw.uniform(0.75, 1.1),
        slant=draw.choice([0.0, 0.0, 10.0]),
        serifs=serifs,
        spacing=draw.uniform(0.4, 0.8),
    )
    return MadeFont(
        name=f"Made {number}",
        category="serif" if serifs else "sans-serif",
        tags=["latin", *draw.sample(SUBSETS, draw.randrange(len(SUBSETS)))],
        data=font.build(),
    )


def _document(number: int, spec: SheetSpec) -> Document:
    font = made_font(number)
    prepared = prepare(font.data, 0, spec)
    text = LIGHT.compose(
        name=font.name,
        category=font.category,
        tags=font.tags,
        description=None,
        traits=prepared.traits,
    )
    return Document(text=text, sheet=prepared.sheet)


def _in_processes(make: Callable[[int], Made], count: int) -> list[Made]:
    """Of the numbers from 0; a font and its sheet take a sixth of a second."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(count, os.cpu_count() or 1), mp_context=context) as pool:
        return list(pool.map(make, range(count), chunksize=4))
