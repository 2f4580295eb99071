"""`indexer import fontsource` of families that are named."""

from __future__ import annotations

import json
from pathlib import Path

from indexer.database.connect import Connection, Database
from tests.fix_cli import runner
from tests.fix_servers import Registry
from tests.test_catalog import publish_metadata


def test_what_is_known_of_a_file_of_families_is_imported_and_the_rest_is_reported(
    database: Database, connection: Connection, registry: Registry, tmp_path: Path
) -> None:
    publish_metadata(registry)
    indexer = runner(tmp_path, DATABASE_URL=database.conninfo, **registry.env)
    (tmp_path / "families.txt").write_text("lato\n\nNo Such Font\n", "utf-8-sig")
    done = indexer(
        "import", "fontsource", "--list", "npm", "--ids", "abel", "--ids-file", "families.txt",
        expect=3,
    )  # fmt: skip
    assert done.stdout.splitlines() == [
        "fonts: 2 new, 0 updated, 0 unchanged",
        "ids: 1 of 3 skipped",
    ]
    assert "skipped No Such Font: no family of this id or name" in done.stderr
    import_again = ["import", "fontsource", "--list", "npm", "--ids", "lato,zzz", "--json"]
    told = json.loads(indexer(*import_again, expect=3).stdout)
    assert (told["unchanged"], [one["family"] for one in told["skipped"]]) == (1, ["zzz"])
    names = connection.execute("select name from public.fonts order by name").fetchall()
    assert names == [("Abel",), ("Lato",)]
    (tmp_path / "empty.txt").write_text("\n")
    empty = indexer("import", "fontsource", "--ids-file", "empty.txt", expect=1)
    assert "names no family" in empty.stderr
