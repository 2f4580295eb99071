"""Pictures of words in fonts made by code."""

from __future__ import annotations

from typing import Any

from eval.fonts.parametric import ParametricFont
from eval.pictures.draw import ASKED, draw
from indexer.fontfile import open_font


def letters(**parameters: Any) -> bytes:
    """Some words in a ParametricFont of these parameters, black on white."""
    drawn = draw(open_font(ParametricFont(**parameters).build()), "letters", "clean", ASKED)
    assert drawn is not None
    return drawn.data
