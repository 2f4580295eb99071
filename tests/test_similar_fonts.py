"""similar_fonts: the neighbours of a font."""

from __future__ import annotations

from uuid import UUID, uuid4

import numpy as np
import psycopg
import pytest

from indexer.database.connect import Connection
from indexer.functions import similar
from tests.fix_crowd import Crowd
from tests.fix_rows import add, axis


def ids(connection: Connection) -> dict[str, UUID]:
    return dict(connection.execute("select name, id from public.fonts").fetchall())


def test_neighbours_are_by_appearance_unless_said_otherwise(connection: Connection) -> None:
    add(connection, "Me", text=axis(1, 0), vl=axis(1, 0))
    add(connection, "Lookalike", text=axis(0, 1), vl=axis(9, 1))
    add(connection, "Namesake", text=axis(9, 1), vl=axis(0, 1))
    me = ids(connection)["Me"]
    assert [hit.name for hit in similar(connection, me)] == ["Lookalike", "Namesake"]
    assert [hit.name for hit in similar(connection, me, alpha=1)] == ["Namesake", "Lookalike"]
    mixed = similar(connection, me, alpha=0.5)
    assert [hit.vl_rank for hit in mixed if hit.name == "Lookalike"] == [1]
    assert len(similar(connection, me, match_count=1)) == 1


def test_in_a_large_table_they_are_the_nearest(crowd: Crowd) -> None:
    hits = similar(crowd.connection, crowd.ids[7], match_count=20)
    cosines = crowd.vl @ crowd.vl[7]
    nearest = [crowd.ids[n] for n in np.argsort(-cosines)[1:21]]
    assert len({hit.id for hit in hits} & set(nearest)) >= 17  # of 20, by an index that draws lots
    assert crowd.ids[7] not in {hit.id for hit in hits}


def test_a_filter_goes_with_it(crowd: Crowd) -> None:
    other = str(similar(crowd.connection, crowd.ids[7])[0].id)
    hits = similar(crowd.connection, crowd.ids[7], filter={"category": "serif", "exclude": [other]})
    assert {hit.category for hit in hits} == {"serif"}
    assert other not in {str(hit.id) for hit in hits}
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="filter must be an object"):
        crowd.connection.execute("select similar_fonts(%s, filter => '[]')", [crowd.ids[7]])


def test_what_cannot_be_compared_gets_a_sentence(connection: Connection) -> None:
    add(connection, "Unseen", text=axis(1))
    unseen = ids(connection)["Unseen"]
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="there is no font with the id"):
        similar(connection, uuid4())
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="no appearance vector yet"):
        similar(connection, unseen)
    assert similar(connection, unseen, alpha=1) == []
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="alpha must be between"):
        similar(connection, unseen, alpha=2)
