"""The weights that search takes where its caller names none: deployed for a pair of spaces, by an evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from psycopg.types.json import Jsonb

from indexer.database.connect import Connection
from indexer.embed.ngrams import HashedNgrams
from indexer.errors import UserError

Fusion = Literal["convex", "rrf"]

SERVING = """
    select w.alpha, w.fusion, w.full_text_weight, serving.deployed, serving.text_model
    from font_index.serving_weights() w, (
      select max(s.identity #>> '{model,name}') filter (where s.leg = 'text') as text_model,
             exists (
               select from font_index.deployed_weights d
               where d.text_space is not distinct from max(s.id) filter (where s.leg = 'text')
                 and d.vl_space is not distinct from max(s.id) filter (where s.leg = 'vl')) as deployed
      from font_index.spaces s where s.state = 'active') serving
"""
SPELLING = HashedNgrams().model.name
NAMED_ALPHA = 0.5
IS_NAME = """
    select exists (
      select from public.fonts f
      where f.fts @@ plainto_tsquery('english', %(name)s) and lower(f.name) = lower(%(name)s))
"""
UNKNOWN = """
    select wanted from unnest(%s::text[], %s::text[]) as given (leg, wanted)
    where wanted is not null
      and not exists (select from font_index.spaces s where s.id = given.wanted and s.leg = given.leg)
"""
DEPLOY = """
    insert into font_index.deployed_weights (text_space, vl_space, alpha, fusion, full_text_weight, evidence)
    values (%(text_space)s, %(vl_space)s, %(alpha)s, %(fusion)s, %(full_text_weight)s, %(evidence)s)
"""
UNDO = """
    delete from font_index.deployed_weights where id = (
      select d.id from font_index.deployed_weights d
      where d.text_space is not distinct from (
              select id from font_index.spaces where leg = 'text' and state = 'active')
        and d.vl_space is not distinct from (
              select id from font_index.spaces where leg = 'vl' and state = 'active')
      order by d.id desc limit 1)
"""


@dataclass(frozen=True, kw_only=True)
class Weights:
    """What alpha, fusion and full_text_weight of match_fonts_hybrid are by default."""

    alpha: float
    fusion: Fusion
    full_text_weight: float
    deployed: bool = field(default=True, compare=False)  # by an evaluation; else by rule

    def __str__(self) -> str:
        return f"alpha {self.alpha:g}, fusion {self.fusion}, words {self.full_text_weight:g}"


def serving(connection: Connection) -> Weights:
    """Those of the pair of spaces that serves now, as every command, the service and its page take them.

    Where an evaluation deployed none and the text leg only compares spelling, that leg has no weight:
    its cosines stand above those of sight, and say that "Sans" is spelt like "sans".
    """
    found = connection.execute(SERVING).fetchone()
    assert found is not None
    alpha, fusion, full_text_weight, deployed, text_model = found
    if not deployed and text_model == SPELLING:
        alpha = 0.0
    return Weights(alpha=alpha, fusion=fusion, full_text_weight=full_text_weight, deployed=deployed)


def fitting(connection: Connection, usual: Weights, query: str | None) -> Weights:
    """Who types the name of a font that the connection's role sees wants that font: spelling counts.

    Of 120 names it brings 118 to the top, without it 99.
    """
    if usual.deployed or usual.alpha or not query:
        return usual
    row = connection.execute(IS_NAME, {"name": query.strip()}).fetchone()
    assert row is not None
    return replace(usual, alpha=NAMED_ALPHA) if row[0] else usual


def deploy(
    connection: Connection,
    weights: Weights,
    *,
    text_space: str | None,
    vl_space: str | None,
    evidence: Mapping[str, Any],
) -> None:
    """Search takes these weights whenever the pair of spaces serves; earlier ones are kept for `undo`.

    Raises UserError for a space that the database does not know.
    """
    wanted = [text_space, vl_space]
    if unknown := connection.execute(UNKNOWN, [["text", "vl"], wanted]).fetchall():
        raise UserError(
            f"This database has no space {unknown[0][0][:12]}, by whose vectors the run was ranked. "
            "Fill it first: indexer backfill"
        )
    connection.execute(
        DEPLOY,
        {
            **asdict(weights),
            "text_space": text_space,
            "vl_space": vl_space,
            "evidence": Jsonb(dict(evidence)),
        },
    )


def undo(connection: Connection) -> None:
    """Back to what the serving pair had before. Raises UserError where nothing was deployed for it."""
    if connection.execute(UNDO).rowcount == 0:
        raise UserError("No weights are deployed for the spaces that serve now.")
