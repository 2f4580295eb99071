"""The sentence says what the measurements say, and nothing that they do not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.fonts.parametric import ParametricFont
from indexer.fontfile import open_font
from indexer.traits import Traits
from indexer.traits.measure import measure
from indexer.traits.wording import describe_traits

PLAIN = ParametricFont(weight=0.12, contrast=0.3, x_height=0.69)


def words(**parameters: object) -> list[str]:
    font = replace(PLAIN, **parameters)  # type: ignore[arg-type]
    return describe_traits(measure(open_font(font.build()))).split(", ")


def test_a_middling_sans_serif_is_only_upright_and_sans_serif() -> None:
    assert words() == ["sans serif", "upright"]


@pytest.mark.parametrize(
    ("parameters", "phrase"),
    [
        ({"o_proportion": 0.45, "weight": 0.08, "spacing": 0.4}, "extra condensed"),
        ({"o_proportion": 0.65, "weight": 0.1}, "condensed"),
        ({"o_proportion": 1.02}, "wide"),
        ({"weight": 0.03}, "thin strokes"),
        ({"weight": 0.2, "o_proportion": 1.1}, "bold weight"),
        ({"weight": 0.28, "o_proportion": 1.3}, "black weight"),
        ({"contrast": 0.0}, "monoline strokes"),
        ({"contrast": 0.7}, "high stroke contrast"),
        ({"contrast": 0.88}, "extreme stroke contrast"),
        ({"x_height": 0.8}, "large x-height"),
        ({"x_height": 0.55}, "small x-height"),
        ({"slant": 12.0}, "slanted"),
        ({"slant": -10.0}, "backslanted"),
        ({"squareness": 0.93}, "squared curves"),
        ({"contrast": 0.1, "o_proportion": 1.0}, "geometric round shapes"),
        ({"rounded": True}, "rounded terminals"),
        ({"a_storeys": 1}, "single-storey a"),
        ({"g_storeys": 2}, "two-storey g"),
        ({"monospaced": True}, "monospaced"),
        ({"joined": True}, "connected script letters"),
        ({"unicase": True}, "all capitals"),
        ({"oldstyle_figures": True}, "old-style figures"),
        ({"serifs": 0.8, "serif_weight": 0.2}, "hairline serif"),
        ({"serifs": 0.8, "serif_weight": 0.5}, "serif"),
        ({"serifs": 0.8, "serif_weight": 0.9}, "slab serif"),
    ],
)
def test_each_parameter_has_its_word(parameters: dict[str, object], phrase: str) -> None:
    assert phrase in words(**parameters)
    assert phrase not in words()


def test_an_italic_is_a_slanted_serif_with_a_single_storey_a() -> None:
    assert "italic" in words(serifs=0.8, slant=12.0, a_storeys=1)
    assert "slanted" in words(slant=12.0, a_storeys=1)


def test_nothing_measured_is_nothing_said() -> None:
    assert describe_traits(Traits()) == ""
    assert describe_traits(Traits(is_text=True)) == ""


def test_a_barcode_is_said_to_be_no_letters_and_no_more() -> None:
    assert describe_traits(Traits(is_text=False, advance_spread=0.0)) == (
        "not letters: bars, blocks or symbols"
    )


BROKEN = Traits(angularity=0.26, contrast=0.71, roughness=0.03, weight=0.13, serifs=0.2, slant=0.0)


def test_broken_strokes_are_blackletter_and_neither_sans_serif_nor_rough() -> None:
    assert describe_traits(BROKEN) == (
        "blackletter-like angular broken strokes, high stroke contrast, upright"
    )


def test_a_broad_nib_without_broken_strokes_is_no_sans_serif() -> None:
    said = describe_traits(replace(BROKEN, angularity=0.1, serifs=0.0))
    assert said == "broad-nib strokes without serifs, high stroke contrast, upright"


def test_uneven_letters_are_no_sans_serif() -> None:
    level = Traits(serifs=0.0, weight=0.13, irregularity=0.01)
    assert describe_traits(level) == "sans serif"
    assert describe_traits(replace(level, irregularity=0.025)) == "uneven informal letters"


@pytest.mark.parametrize(
    ("ink", "said"),
    [
        (0.1, "no Latin letters, thin strokes"),
        (0.4, "no Latin letters"),
        (0.7, "no Latin letters, black weight"),
    ],
)
def test_another_script_is_named_and_weighed_by_its_ink(ink: float, said: str) -> None:
    assert describe_traits(Traits(is_text=True, ink=ink, rectilinear=0.5, roughness=0.01)) == said


@pytest.mark.parametrize(
    "other", [{"roughness": 0.2}, {"joined": 1.0}, {"unicase": 0.9}, {"contrast": 0.3}]
)
def test_rough_script_or_capital_letters_are_no_blackletter(other: dict[str, float]) -> None:
    assert "blackletter" not in describe_traits(replace(BROKEN, **other))  # type: ignore[arg-type]


def test_outlined_letters_are_not_called_heavy() -> None:
    said = describe_traits(Traits(hollow=1.0, weight=0.3, slant=0.0))
    assert said == "outlined letters, upright"


NUMBERS = st.none() | st.floats(-60, 60)


@settings(max_examples=200, derandomize=True)
@given(values=st.fixed_dictionaries({name: NUMBERS for name in vars(Traits())}))
def test_any_measurements_can_be_said_without_repetition(values: dict[str, float | None]) -> None:
    traits = Traits(**values)  # type: ignore[arg-type]
    said = describe_traits(traits)
    assert said == describe_traits(traits)
    phrases = said.split(", ")
    assert len(phrases) == len(set(phrases))
