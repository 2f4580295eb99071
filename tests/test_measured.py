"""Made-up fonts, each the pattern of its kind, rank for words as a typographer would rank them."""

from __future__ import annotations

from dataclasses import replace
from importlib.resources import files

import numpy as np
import pytest

from indexer.embed.measured.axes import AXES, positions
from indexer.embed.measured.embedder import REST, MeasuredTraits
from indexer.embed.measured.lexicon import Lexicon
from indexer.embed.protocol import Document, Embedder, Query, Vector
from indexer.errors import FontError, UserError
from indexer.traits import Traits

MEASURED = MeasuredTraits()

TEXT_SANS = Traits(
    x_height=0.73, ascender=1.04, descender=0.29, width=1.0, o_proportion=0.88, contrast=0.2,
    stress=0.0, weight=0.125, ink=0.37, slant=0.0, advance_spread=0.27, serifs=0.0,
    terminal_roundness=0.0, squareness=0.81, aperture=0.45, spacing=0.65, a_storeys=2, g_storeys=1,
    joined=0.0, unicase=0.22, rectilinear=0.52, angularity=0.03, stepped=0.06, irregularity=0.008,
    roughness=0.008, hollow=0.0, distinct=0.25, flourish=0.004, is_text=True, oldstyle_figures=0.015,
)  # fmt: skip
TEXT_SERIF = replace(
    TEXT_SANS, serifs=0.8, serif_weight=0.5, terminal_roundness=None, contrast=0.5, stress=4.0,
    x_height=0.7, g_storeys=2, aperture=0.42,
)  # fmt: skip
OLD_STYLE = replace(
    TEXT_SERIF, x_height=0.61, contrast=0.45, stress=13.0, ascender=1.1, oldstyle_figures=0.16,
    weight=0.11,
)  # fmt: skip
DIDONE = replace(
    TEXT_SERIF, contrast=0.82, stress=0.0, serif_weight=0.18, x_height=0.69, weight=0.13
)
ELEGANT = replace(DIDONE, x_height=0.58, weight=0.095, ascender=1.08)
SLAB = replace(TEXT_SERIF, serif_weight=0.8, contrast=0.15, stress=None)
GEOMETRIC = replace(TEXT_SANS, o_proportion=0.99, squareness=0.79, contrast=0.08, a_storeys=1)
ROUNDED = replace(TEXT_SANS, terminal_roundness=0.9, contrast=0.08, a_storeys=1, aperture=0.5)
BIG_X = replace(TEXT_SANS, x_height=0.8)
SMALL_X = replace(TEXT_SANS, x_height=0.6)
CONDENSED = replace(TEXT_SANS, width=0.6, o_proportion=0.5, squareness=0.88)
WIDE = replace(TEXT_SANS, width=1.35, o_proportion=1.2)
MONO = replace(TEXT_SANS, advance_spread=0.0, width=1.15, distinct=0.7, contrast=0.12)
THIN = replace(TEXT_SANS, weight=0.03, ink=0.15)
LIGHT = replace(TEXT_SANS, weight=0.08, ink=0.28)
BOLD = replace(TEXT_SANS, weight=0.2, ink=0.5)
BLACK = replace(TEXT_SANS, weight=0.31, ink=0.62, aperture=0.2, spacing=0.9)
ITALIC = replace(TEXT_SERIF, slant=12.0, a_storeys=1)
SCRIPT = Traits(
    x_height=0.5, ascender=1.0, descender=0.45, width=1.0, o_proportion=0.9, contrast=0.4,
    stress=10.0, weight=0.08, ink=0.25, slant=18.0, advance_spread=0.25, serifs=0.0, squareness=0.7,
    joined=1.0, unicase=0.1, rectilinear=0.28, angularity=0.1, stepped=0.01, irregularity=0.02,
    roughness=0.015, hollow=0.0, distinct=0.5, flourish=0.25, is_text=True, oldstyle_figures=0.02,
)  # fmt: skip
PRINT_HAND = replace(
    SCRIPT, joined=0.0, slant=0.0, flourish=0.02, irregularity=0.045, contrast=0.2, x_height=0.68,
    rectilinear=0.33, angularity=0.05, a_storeys=1, terminal_roundness=0.6,
)  # fmt: skip
BLACKLETTER = replace(
    TEXT_SERIF, serifs=0.1, serif_weight=0.4, contrast=0.65, stress=25.0, angularity=0.25,
    rectilinear=0.25, width=0.8, roughness=0.025, irregularity=0.02, weight=0.15,
)  # fmt: skip
PIXEL = replace(
    TEXT_SANS, contrast=None, stress=None, rectilinear=0.92, stepped=0.22, angularity=0.0,
    advance_spread=0.05, width=1.2, weight=0.17, roughness=0.0,
)  # fmt: skip
CAPITALS = replace(
    TEXT_SANS, x_height=1.0, unicase=1.0, aperture=None, spacing=None, a_storeys=None,
    g_storeys=None,
)  # fmt: skip
GRUNGE = replace(TEXT_SERIF, roughness=0.07, irregularity=0.03, rectilinear=0.3)
OUTLINED = replace(TEXT_SANS, hollow=0.9, contrast=None, stress=None)
SQUARED = replace(TEXT_SANS, squareness=0.95, contrast=0.03, rectilinear=0.72, width=1.1)
BARCODE = Traits(is_text=False, advance_spread=0.0)

FONTS = {
    name.lower(): value for name, value in sorted(globals().items()) if isinstance(value, Traits)
}


def embed(document: Document, embedder: Embedder = MEASURED) -> Vector:
    [vector] = embedder.embed_documents([document])
    assert not isinstance(vector, FontError)
    return vector


VECTORS = {name: embed(Document(traits=traits)) for name, traits in FONTS.items()}


def ranking(query: str) -> list[str]:
    asked = MEASURED.embed_query(query)
    return sorted(VECTORS, key=lambda name: (-float(VECTORS[name] @ asked), name))


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("large x-height", {"big_x"}),
        ("high contrast", {"didone", "elegant"}),
        ("condensed", {"condensed"}),
        ("wide letters", {"wide"}),
        ("monospaced", {"mono"}),
        ("thin", {"thin"}),
        ("light", {"light", "script", "print_hand"}),
        ("black", {"black"}),
        ("slab serif", {"slab"}),
        ("geometric sans", {"geometric"}),
        ("elegant high-contrast serif with small x-height", {"elegant"}),
        ("rounded friendly", {"rounded"}),
        ("pixel", {"pixel"}),
        ("8-bit arcade game", {"pixel"}),
        ("handwritten connected script", {"script"}),
        ("wedding invitation", {"script"}),
        ("unconnected handwriting", {"print_hand"}),
        ("children's book", {"print_hand", "rounded"}),
        ("blackletter", {"blackletter"}),
        ("garalde", {"old_style"}),
        ("old-style figures", {"old_style"}),
        ("didone", {"didone", "elegant"}),
        ("italic serif", {"italic"}),
        ("all caps", {"capitals"}),
        ("grunge", {"grunge"}),
        ("outlined", {"outlined"}),
        ("squared curves", {"squared"}),
        ("source code", {"mono"}),
        ("barcode", {"barcode"}),
    ],
)
def test_the_pattern_of_a_kind_ranks_first(query: str, first: set[str]) -> None:
    assert set(ranking(query)[: len(first)]) == first


@pytest.mark.parametrize(
    ("query", "order"),
    [
        ("bold", ["bold", "text_sans", "light", "thin"]),
        ("bold", ["bold", "black", "text_sans"]),
        ("heavy", ["black", "bold", "text_sans", "light", "thin"]),
        ("light", ["light", "thin", "bold", "black"]),
        ("regular weight", ["text_sans", "light", "black"]),
        ("regular weight", ["text_sans", "bold", "thin"]),
        ("normal width", ["text_sans", "wide"]),
        ("normal width", ["text_sans", "condensed"]),
        ("small x-height", ["elegant", "old_style", "text_serif", "text_sans", "big_x"]),
        ("sans serif", ["text_sans", "text_serif"]),
        ("no serifs", ["text_sans", "slab"]),
        ("upright", ["text_serif", "italic"]),
        ("monoline", ["geometric", "text_sans", "text_serif", "didone"]),
        ("not bold", ["thin", "text_sans", "black"]),
    ],
)
def test_fonts_stand_in_the_order_of_the_property(query: str, order: list[str]) -> None:
    ranked = ranking(query)
    assert sorted(order, key=ranked.index) == order


def test_one_property_orders_fonts_whatever_else_they_are() -> None:
    """Extremes of weight, width, slant and shape do not outrank a larger x-height."""
    asked = MEASURED.embed_query("large x-height")
    plain = embed(Document(traits=replace(TEXT_SANS, x_height=0.78)))
    for other in (BLACK, THIN, WIDE, CONDENSED, SLAB, DIDONE, ITALIC, MONO, SQUARED, PIXEL):
        rival = embed(Document(traits=replace(other, x_height=0.76)))
        assert float(plain @ asked) > float(rival @ asked)


def test_no_font_wins_every_query() -> None:
    queries = ("serif", "bold", "playful", "elegant", "book", "code", "poster", "vintage", "swiss")
    winners = [ranking(query)[0] for query in queries]
    assert max(map(winners.count, winners)) <= 3


def test_what_is_not_text_is_last_for_queries_about_letters_that_it_could_be() -> None:
    for query in ("monospaced", "bold", "sans serif", "pixel", "headline"):
        asked = MEASURED.embed_query(query)
        assert float(VECTORS["barcode"] @ asked) < 0 < float(VECTORS[ranking(query)[0]] @ asked)


def test_every_axis_has_its_length_whether_measured_or_not() -> None:
    few = Traits(is_text=True, advance_spread=0.2)
    lengths = [
        float(np.linalg.norm(embed(Document(traits=traits))[: 3 * len(AXES)]))
        for traits in (few, TEXT_SANS, SCRIPT, BLACK)
    ]
    assert lengths == pytest.approx([lengths[0]] * 4, abs=1e-5)


def test_positions_grow_with_what_is_measured() -> None:
    for axis, trait, values in (
        ("x_height", "x_height", (0.5, 0.6, 0.7, 0.8)),
        ("weight", "weight", (0.02, 0.08, 0.12, 0.2, 0.3)),
        ("width", "width", (0.6, 0.9, 1.0, 1.3)),
        ("contrast", "contrast", (0.0, 0.2, 0.5, 0.8)),
        ("monospaced", "advance_spread", (0.3, 0.1, 0.02, 0.0)),
        ("serif", "serifs", (0.0, 0.2, 0.5, 1.0)),
        ("slab", "serif_weight", (0.15, 0.3, 0.5, 0.8)),
        ("rounded", "terminal_roundness", (0.0, 0.3, 0.9)),
        ("aperture", "aperture", (0.1, 0.4, 0.7)),
    ):
        found = [positions(replace(TEXT_SERIF, **{trait: value}))[axis] for value in values]  # type: ignore[arg-type]  # floats, by name
        assert found == sorted(found), axis
        assert -1 <= found[0] < 0 < found[-1] <= 1, axis


def test_words_beside_a_sheet_help_and_measurement_counts_for_more() -> None:
    asked = MEASURED.embed_query("slab serif")
    plain, said, true = (
        float(embed(document) @ asked)
        for document in (
            Document(traits=TEXT_SANS),
            Document(traits=TEXT_SANS, text="Name: Ada. Category: serif. Tags: slab serif"),
            Document(traits=SLAB),
        )
    )
    assert plain < said < true


def test_concepts_are_found_in_words_alone() -> None:
    asked = MEASURED.embed_query("western")
    tagged = embed(Document(traits=SLAB, text="Name: Ada. Tags: wild west, poster"))
    assert float(tagged @ asked) > float(VECTORS["slab"] @ asked) + 0.05


def test_names_and_the_traits_wording_are_not_read() -> None:
    bare = embed(Document(traits=TEXT_SANS))
    named = embed(
        Document(traits=TEXT_SANS, text="Name: Bold Script Display. Appearance: upright, monoline")
    )
    assert np.array_equal(bare, named)


def test_a_long_text_does_not_drown_the_measurements() -> None:
    text = "Tags: elegant, playful, western, bold, script, retro, code, grunge, poster, light"
    asked = MEASURED.embed_query("condensed")
    assert float(embed(Document(traits=CONDENSED, text=text)) @ asked) > 0.1


def test_fonts_without_traits_are_errors_in_their_place() -> None:
    results = MEASURED.embed_documents(
        [Document(text="serif"), Document(traits=Traits()), Document(traits=TEXT_SANS)]
    )
    assert [isinstance(result, FontError) for result in results] == [True, True, False]
    assert isinstance(results[0], FontError)
    assert results[0].stage == "embed"


@pytest.mark.parametrize("query", ["", "please", "something for my uncle"])
def test_an_unknown_query_is_refused_with_words_to_use(query: str) -> None:
    with pytest.raises(UserError, match=r"no word that the lexicon knows.*slab serif"):
        MEASURED.embed_query(query)


def test_what_was_understood_can_be_shown() -> None:
    understanding = MEASURED.explain("A very large x-height, regular weight!")
    assert understanding.phrases == [
        ("very large x-height", {"x_height": 1.2}),
        ("regular weight", {"weight (middle)": 1.0}),
    ]
    assert not understanding.unknown


def test_words_that_say_nothing_are_told_with_known_ones_near_them() -> None:
    understanding = MEASURED.explain("a font with high kontrast and wonky xyzzy serifs for me")
    assert [phrase for phrase, _ in understanding.phrases] == ["wonky", "serifs"]
    unknown = dict(understanding.unknown)
    assert "contrast" in unknown["kontrast"]
    assert unknown["xyzzy"] == unknown["high"] == []
    assert not {"a", "font", "with", "and", "for", "me"} & unknown.keys()


def test_a_picture_that_cannot_be_read_is_refused_beside_one_that_can() -> None:
    good, refused = MEASURED.embed_queries([Query(text="bold"), Query(text="bold", image=b"PNG")])
    assert not isinstance(good, UserError)
    assert isinstance(refused, UserError)
    assert "The picture cannot be read" in str(refused)


def test_the_model_is_told_by_the_lexicon() -> None:
    model = MEASURED.model
    assert (model.name, model.dimension) == ("measured-traits", 256)
    assert model == MeasuredTraits().model
    source = files("indexer.embed.measured").joinpath("lexicon.toml").read_text("utf-8")
    other = MeasuredTraits(Lexicon.parse(f"{source}\n# changed"))
    assert other.model.revision != model.revision
    assert model.dimension > REST


def test_vectors_have_length_one_and_are_repeatable() -> None:
    for name, vector in VECTORS.items():
        assert vector.shape == (256,)
        assert vector.dtype == np.float32
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
        assert np.array_equal(vector, embed(Document(traits=FONTS[name])))
