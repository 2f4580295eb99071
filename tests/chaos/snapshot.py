"""All rows of a database that a backfill writes, to be compared with those of another one."""

from __future__ import annotations

from psycopg import sql

from indexer.database.connect import Database

Rows = dict[tuple[str, str, str], str]  # table, row, column: value

# without times, and the numbers of runs and transactions
COLUMNS = """
    select table_schema, table_name, array_agg(column_name::text order by ordinal_position)
    from information_schema.columns
    where table_schema || '.' || table_name = 'public.fonts'
       or table_schema = 'font_index' and table_name not in ('runs', 'looks', 'alembic_version')
          and column_name <> 'run_id' and data_type not like 'timestamp%'
    group by 1, 2
"""
KEYS = ("id", "font_id", "space_id", "url")
VALUES = sql.SQL("""
    select jsonb_build_array({keys})::text, value.key, md5(value.value::text)
    from (select {columns} from {table}) t, jsonb_each(to_jsonb(t)) value
""")


def snapshot(database: Database) -> Rows:
    """Every value, as its hash. Rows are known by their keys."""
    rows: Rows = {}
    with database.connect() as connection:
        for schema, table, columns in connection.execute(COLUMNS).fetchall():
            query = VALUES.format(
                keys=sql.SQL(", ").join(sql.Identifier("t", key) for key in KEYS if key in columns),
                columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
                table=sql.Identifier(schema, table),
            )
            for row, column, value in connection.execute(query):
                rows[table, row, column] = value
    return rows


def differences(expected: Rows, found: Rows) -> list[str]:
    """What is missing, too much or not the same, a line each."""
    return [
        f"{' '.join(key)}: {expected.get(key, 'not there')} became {found.get(key, 'not there')}"
        for key in sorted(expected.keys() | found.keys())
        if expected.get(key) != found.get(key)
    ]
