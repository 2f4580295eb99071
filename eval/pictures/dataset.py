"""A dataset whose queries are pictures: words set in a font find its family."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from eval.datasets.building import Built, as_fonts, assemble, family_half
from eval.datasets.dataset import AboutDataset, Query
from eval.pictures.draw import ASKED, MANNERS, draw
from indexer import atomic
from indexer.catalog.family import Family
from indexer.catalog.near_duplicates import representatives
from indexer.errors import FontError
from indexer.fetch.files import FontFiles
from indexer.fontfile import open_font

FOLDER = "pictures"
A_FAMILY = 3  # pictures of each, in manners that take turns
DESCRIPTION = """\
Real families of Google Fonts, and pictures as queries: one to five words set in a family, clean or
small, grey, coloured, light on dark, noisy, turned by up to 6 degrees, in uneven light, or on two
lines. The family answers, and near-duplicates of it (the same design in other scripts) do. The words
stand on no sheet. The families of the split dev may have taught the offline embedder to read
pictures; those of test have not."""


@dataclass(frozen=True, kw_only=True)
class _Asked:
    query: Query
    data: bytes


def build_pictures(
    families: Sequence[Family], files: FontFiles, out: Path, *, made_by: str
) -> Built:
    """The dataset of these families; the pictures are written into `out`."""
    standing = representatives({family.name: family.name for family in families})
    asked: list[_Asked] = []
    judgments: dict[str, dict[str, int]] = {}
    dropped: dict[str, str] = {}
    for place, family in enumerate(families):
        pictures = _of(family, place, files)
        if not pictures:
            dropped[family.name] = "the font cannot set the words"
        asked += pictures
        alike = [other for other in standing if standing[other] == standing[family.name]]
        judgments |= {one.query.id: dict.fromkeys(alike, 1) for one in pictures}
    for one in asked:
        assert one.query.image is not None
        (out / FOLDER).mkdir(parents=True, exist_ok=True)
        atomic.write(out / one.query.image, one.data)
    about = AboutDataset(
        name="pictures", version="1", description=DESCRIPTION, license="Apache-2.0", made_by=made_by,
    )  # fmt: skip
    return assemble(
        about, as_fonts(families), [one.query for one in asked], judgments, dropped=dropped
    )


def _of(family: Family, place: int, files: FontFiles) -> list[_Asked]:
    try:
        font = open_font(files.fetch(family.regular_file).path.read_bytes())
    except FontError:
        return []
    found = []
    for turn in range(A_FAMILY):
        manner = MANNERS[(place * A_FAMILY + turn) % len(MANNERS)]
        picture = draw(font, family.name, manner, ASKED)
        if picture is None:
            continue
        kind = "jpg" if picture.data.startswith(b"\xff\xd8") else "png"
        # the name holds the content, so that the dataset's hash does
        file = f"{FOLDER}/{hashlib.sha256(picture.data).hexdigest()[:20]}.{kind}"
        query = Query(
            id=f"{family.name}, {manner}",
            text=" ".join(picture.words.split()),
            image=file,
            query_class=manner,
            split=family_half(family.name),
        )
        found.append(_Asked(query=query, data=picture.data))
    return found
