"""How the index stands, as far as a visitor may know: spaces, the last run, and failures of visible fonts."""

from __future__ import annotations

from typing import Any

from psycopg.rows import dict_row

from indexer.serve.reading import Reader

MAX_FAILURES = 50  # reasons

VISIBLE = """
    select count(*), count(embedding_vl), coalesce(array_agg(id), '{}')::text from public.fonts
"""
SPACES = """
    select s.leg, s.identity -> 'model' ->> 'name' as model,
           s.identity -> 'model' ->> 'revision' as revision,
           (s.identity -> 'model' ->> 'dimension')::int as dimension, s.id, s.state,
           count(e.font_id) as fonts
      from font_index.spaces s
      left join font_index.embeddings e on e.space_id = s.id and e.font_id = any(%s::uuid[])
     group by s.id order by s.leg, s.created_at, s.id
"""
# No counts: those of a run include fonts that not every visitor sees.
LAST_RUN = """
    select s.leg, r.started_at, r.finished_at, r.outcome,
           extract(epoch from r.finished_at - r.started_at)::float as seconds
      from font_index.runs r join font_index.spaces s on s.id = r.space_id
     order by r.id desc limit 1
"""
# Sentences that differ in numbers are one reason.
FAILURES = """
    select s.leg, x.stage, min(x.error) as reason, count(*) as count
      from font_index.failures x
      join font_index.spaces s on s.id = x.space_id and s.state <> 'retired'
     where x.font_id = any(%s::uuid[])
     group by s.leg, x.stage, regexp_replace(x.error, '[0-9][0-9,.]*', '0', 'g')
     order by count(*) desc, s.leg, x.stage, min(x.error) limit %s
"""


def read(reader: Reader) -> dict[str, Any]:
    """Everything of GET /panel that the database knows, from one snapshot."""
    with reader.owner() as connection, connection.cursor(row_factory=dict_row) as cursor:
        with connection.transaction(force_rollback=True):  # a savepoint, which gives the role back
            reader.become_visitor(connection)
            row = connection.execute(VISIBLE).fetchone()
        assert row is not None
        fonts, with_vl, ids = row
        spaces = cursor.execute(SPACES, [ids]).fetchall()
        failures = cursor.execute(FAILURES, [ids, MAX_FAILURES]).fetchall()
        last_run = cursor.execute(LAST_RUN).fetchone()
    return {
        "spaces": spaces,
        "fonts": fonts,
        "with_vl": with_vl,
        "without_vl": fonts - with_vl,
        "last_run": last_run,
        "failures": failures,
        "role": reader.role,
    }
