"""Queries and graded labels from what people have tagged families with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from eval.datasets.building import Built, as_fonts, assemble, halved, indexed_texts
from eval.datasets.dataset import AboutDataset, Query, leaked_tags
from eval.datasets.importers import PLAIN_WEIGHT, Tags
from indexer.catalog.family import Family

MIN_RELEVANT = 3  # relevant fonts of a query

# Each tag as a person would ask for it. Structure: whether a font has it can be seen in the letters
# alone. A tag is asked for in its own word where that is what people say.
STRUCTURE: Mapping[str, str] = {
    "antiqua": "an antiqua typeface",
    "barcode": "a font that makes barcodes",
    "blackletter": "blackletter",
    "block": "block letters",
    "brush": "letters painted with a brush",
    "calligraphic": "calligraphic letters written with a broad pen",
    "caps": "a font with capitals only",
    "color": "a color font with letters in several colors",
    "compact": "a compact font that saves space",
    "condensed": "condensed letters",
    "connected": "script with connected letters",
    "copperplate": "letters like those of copperplate engraving",
    "curls": "letters with curls",
    "cursive": "cursive handwriting",
    "didone": "a Didone with hairline serifs",
    "distressed": "distressed, worn letters",
    "dotted": "letters made of dots",
    "egyptian": "an Egyptian slab serif",
    "engraved": "letters that look engraved, with lines cut into the strokes",
    "eurostile": "square-rounded letters like Eurostile",
    "expanded": "expanded, very wide letters",
    "fat": "fat letters",
    "fat face": "a fat face, very heavy with thin hairlines",
    "fraktur": "a Fraktur typeface",
    "fuzzy": "letters with fuzzy edges",
    "geometric": "geometric letters built from circles and straight lines",
    "glitch": "letters broken by glitches",
    "gradient": "letters filled with a gradient",
    "grotesque": "a grotesque sans serif",
    "grunge": "grunge letters, rough and dirty",
    "handwritten": "letters written by hand",
    "heavy": "a heavy typeface",
    "high contrast": "high contrast between thick and thin strokes",
    "humanist": "a humanist typeface",
    "light": "a light typeface",
    "lines": "letters drawn with several lines",
    "looped": "letters with loops",
    "loopless": "letters without loops",
    "low contrast": "low contrast between thick and thin strokes",
    "marker": "letters written with a marker",
    "monolinear": "monolinear strokes of even thickness",
    "narrow": "narrow letters",
    "old style": "an old-style serif",
    "outline": "outlined, hollow letters",
    "pixel": "pixel letters",
    "roman": "letters with the forms of Roman inscriptions",
    "round": "round letters",
    "scrawl": "scrawled handwriting",
    "script": "a script typeface",
    "shadow": "letters with a shadow",
    "sketch": "sketched letters",
    "slab": "a slab serif",
    "slanted": "slanted letters",
    "small caps": "small capitals in place of lower case",
    "square": "square letters",
    "stencil": "stencil letters",
    "swash": "letters with swashes",
    "swirl": "letters with swirls",
    "tall": "tall letters",
    "tapered": "tapered strokes",
    "thin": "thin strokes",
    "transitional": "a transitional serif",
    "typewriter": "letters like those of a typewriter",
    "uneven": "uneven letters",
    "unicase": "unicase, where small and capital letters are equally high",
    "wide": "wide letters",
    "wireframe": "letters like wireframes",
}
# Mood: what letters are felt to be, or are known for: a feeling, a time, a place, a use.
MOOD: Mapping[str, str] = {
    "1700s": "letters of the 18th century",
    "1900s": "letters from the beginning of the 20th century",
    "1920s": "something from the 1920s",
    "1930s": "something from the 1930s",
    "1940s": "something from the 1940s",
    "1950s": "something from the 1950s",
    "1960s": "something from the 1960s",
    "1970s": "something from the 1970s",
    "1980s": "something from the 1980s",
    "1990s": "something from the 1990s",
    "ancient": "ancient-looking letters",
    "art deco": "Art Deco",
    "art nouveau": "Art Nouveau",
    "bamboo": "letters that look made of bamboo",
    "bubbly": "bubbly letters",
    "cartoon": "cartoon lettering",
    "celtic": "Celtic letters",
    "code": "a font for writing code",
    "collegiate": "a collegiate font for a sports team",
    "comic": "comic book lettering",
    "cute": "cute letters",
    "decorative": "decorative letters",
    "disco": "disco letters",
    "elegant": "an elegant typeface",
    "formal": "a formal font for invitations",
    "french": "something French",
    "friendly": "a friendly typeface",
    "fun": "a fun font",
    "funky": "funky letters",
    "futuristic": "futuristic letters",
    "game": "a font for a video game",
    "german": "something German",
    "gothic": "gothic letters",
    "graffiti": "graffiti lettering",
    "groovy": "groovy letters",
    "halloween": "a font for Halloween",
    "headlines": "a font for headlines",
    "hearts": "letters with hearts",
    "kids": "a font for kids",
    "large sizes": "a font for large sizes",
    "legibility": "a very legible font",
    "literacy": "a font for learning to read and write",
    "literature": "a font for literature",
    "love": "a font for love letters",
    "manga": "a font for manga",
    "modern": "a modern typeface",
    "neoclassical": "a neoclassical typeface",
    "playful": "a playful font",
    "pulp": "a pulp fiction cover",
    "retro": "a retro font",
    "rock": "a font for a rock band",
    "romantic": "a romantic font",
    "signage": "a font for signage",
    "small sizes": "a font for small sizes",
    "speed": "letters that look fast",
    "spicy": "spicy, hot letters",
    "surf": "surf lettering",
    "tattoo": "lettering for a tattoo",
    "techno": "techno letters",
    "urban": "something urban",
    "vintage": "a vintage font",
    "western": "a Western font",
    "whimsical": "a whimsical font",
}
CLASSES = {"structure": STRUCTURE, "mood": MOOD}
NOT_ASKED = {
    "cambodian": "names a script, as subsets do",
    "hinted": "about the file, not about the letters",
    "icons": "no font of letters",
}
# In the CSV form tags stand in groups. "Sans/Humanist" and "Serif/Humanist" are two:
OF_GROUP: Mapping[str, str] = {
    "sans": "{} sans serif",
    "serif": "{} serif",
    "slab": "{} slab serif",
    "script": "{} script",
}
FELT_GROUPS = {"expressive", "feeling", "seasonal", "theme"}  # mood, where no wording says else
UNWORDED = "{} letters"

DESCRIPTION = """\
Real families of Google Fonts, and people's tags as queries: a family answers a query when it was tagged
with what the query asks for. {grades} Of {fonts} families {tagged} are tagged; they are judged for every
query, and the others for none.

So who tagged a family is supposed to have thought of every tag, which is not quite so: most have one
to three, and many that fit a tag lack it. A number by itself says little; the same number for two
rankings says which goes along better with people. Structure (seen in the letters alone) agrees well
between people, mood (a feeling, a time, a use) does not: they are not to be added up. A tag that is
Google's category or subset of a font stands in the text that fonts are found by, and is not asked for;
no other does, except in names."""
PLAIN_GRADES = "The tags have no weights; relevant is grade 1."
WEIGHED_GRADES = "Grades 3, 2 and 1 are weights from 75, 50 and 25 % of the largest one."


def build_tags(
    families: Sequence[Family],
    tags: Tags,
    *,
    made_by: str,
    license_: str,
    collapsed: bool = False,
) -> Built:
    """The dataset of these families, and of what they were tagged with.

    made_by, license_: as in About; the license is that of the tags.
    """
    fonts = as_fonts(families)
    tagged = {font.name: tags[font.name] for font in fonts if tags.get(font.name)}
    queries = tag_queries(tags)
    known = [query.id for query in queries]
    texts = indexed_texts(fonts)
    leaked = {
        tag for found in leaked_tags(fonts, texts, map(_word, known)).values() for tag in found
    }
    dropped = {tag: NOT_ASKED[_word(tag)] for tag in known if _word(tag) in NOT_ASKED}
    dropped |= {tag: "stands in the indexed text" for tag in known if _word(tag) in leaked}
    grade = _grading(tags)
    judgments = {
        tag: {name: grade(weights.get(tag, 0.0)) for name, weights in tagged.items()}
        for tag in known
    }
    about = AboutDataset(
        name="tags",
        version="1",
        description=DESCRIPTION.format(
            grades=PLAIN_GRADES if _plain(tags) else WEIGHED_GRADES,
            fonts=len(fonts),
            tagged=len(tagged),
        ),
        license=license_,
        made_by=made_by,
        ground_truth_tags=tuple(sorted({_word(tag) for tag in known if tag not in dropped})),
    )
    return assemble(
        about,
        fonts,
        [query for query in queries if query.id not in dropped],
        judgments,
        least=MIN_RELEVANT,
        collapsed=collapsed,
        dropped=dropped,
    )


def tag_queries(tags: Tags) -> list[Query]:
    """A query for each tag, the most frequent first, with the half that it belongs to."""
    counts = Counter(tag for weights in tags.values() for tag in weights)
    known = sorted(counts, key=lambda tag: (-counts[tag], tag))  # like counts stand side by side
    return halved(map(_query, known))


def _word(tag: str) -> str:
    """The tag without its group."""
    return tag.rpartition("/")[2].strip().casefold()


def _query(tag: str) -> Query:
    group, word = tag.strip("/").rpartition("/")[0].casefold(), _word(tag)
    if form := OF_GROUP.get(group):
        return Query(id=tag, text=form.format(word), query_class="structure")
    for name, wording in CLASSES.items():
        if word in wording:
            return Query(id=tag, text=wording[word], query_class=name)
    return Query(
        id=tag,
        text=UNWORDED.format(word),
        query_class="mood" if group in FELT_GROUPS else "other",
    )


def _plain(tags: Tags) -> bool:
    return all(weight == PLAIN_WEIGHT for weights in tags.values() for weight in weights.values())


def _grading(tags: Tags) -> Callable[[float], int]:
    """From weight to grade."""
    if _plain(tags):
        return lambda weight: int(weight > 0)
    largest = max(weight for weights in tags.values() for weight in weights.values())
    return lambda weight: min(3, int(4 * weight / largest)) if largest else 0
