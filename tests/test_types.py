"""sql/types.ts, by the TypeScript compiler: what apps write is accepted, and what would fail is not.

Beside it the types that Supabase generates for the same database, to show what they refuse.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from psycopg import conninfo

from indexer.database import schema
from indexer.database.connect import Connection, Database
from tests.fix_postgrest import NpmPackages

ROOT = Path(__file__).parent.parent
TYPES = ROOT / "sql/types.ts"
# supabase-js is the last that Node 20 runs; the generator is what `supabase gen types` calls, taken out of the CLI
PACKAGES = (
    "typescript@5.9.3",
    "@supabase/supabase-js@2.109.0",
    "@supabase/postgrest-typegen@0.2.2",
    "pg@8.16.3",
)
COMPILER = {
    "strict": True,
    "noEmit": True,
    "target": "es2022",
    "module": "esnext",
    "moduleResolution": "bundler",
    "moduleDetection": "force",  # each file by itself, with an await at its top level
    "lib": ["es2022", "dom"],
    "types": [],
    "skipLibCheck": True,
}
# What a client of each kind of types is. The generator's rules, of which 0.2.2 has: vector is string and halfvec
# unknown; an argument with a default is optional, and none may be null; no column of an answer is null.
CLIENT = """
    import type {{ SupabaseClient }} from "@supabase/supabase-js";
    import type {{ Database as Generated }} from "./database.types";
    import type {{ FontFilter, FoundFont, WithFontSearch }} from "./fontsight";
    type Database = {database};
    declare const supabase: SupabaseClient<Database>;
    declare const query_embedding: number[] | null, query_embedding_vl: number[] | null;
"""

# a call, and whether it compiles with the generated types
CALLS = {
    "match_fonts_hybrid {}": True,
    "match_fonts_hybrid { query_text: 'wide' }": True,
    "match_fonts_hybrid { query_embedding: '[1,2,3]' }": True,
    "match_fonts_hybrid { query_embedding: [1, 2, 3] }": False,
    "match_fonts_hybrid { query_embedding: null }": False,
    "match_fonts_hybrid { query_embedding }": False,
    "match_fonts_hybrid { query_embedding: undefined }": True,
    "match_fonts_hybrid { query_embedding_vl: '[1,2,3]' }": True,
    "match_fonts_hybrid { query_embedding_vl: [1, 2, 3] }": True,
    "match_fonts_hybrid { query_embedding_vl: null }": True,
    "match_fonts_hybrid { query_text: null, query_embedding_vl }": False,
    "match_fonts_hybrid { query_text: 'wide', match_threshold: null }": False,
    "match_fonts_hybrid { query_text: 'wide', filter: null }": True,
    "match_fonts_hybrid { query_text: 'wide', candidates: null }": False,
    "match_fonts_hybrid { query_text: 'wide', alpha: null, fusion: null, full_text_weight: null }": False,
    "match_fonts_hybrid { query_text: 'wide', match_count: 20, match_offset: 20, alpha: 0.5, fusion: 'rrf',"
    " full_text_weight: 0.1, candidates: 50, normalization: 'raw', rrf_k: 60, strategy: 'auto' }": True,
    "match_fonts_hybrid { query_text: 'wide', filter: { category: 'serif', license: ['OFL'],"
    " subsets: 'latin', tags: { any: ['a', 'b'], all: 'c' }, covers: 'ß', collapse: true, exclude: [],"
    " traits: { x_height: { gte: 0.6, lt: 0.7 }, is_text: { eq: true } },"
    " styles: { weights: [400, 700], italic: true, axes: ['wdth'] } } }": True,
    "similar_fonts { font_id: 'an id' }": True,
    "similar_fonts { font_id: 'an id', match_threshold: null, filter: null }": False,
    "similar_fonts { font_id: 'an id', match_count: 5, alpha: 0.2, filter: { collapse: true } }": True,
}
# what the database would refuse. A key that does not exist is found by supabase-js only where no other is given.
MISTAKES = {
    "match_fonts_hybrid { query: 'wide' }": False,
    "match_fonts_hybrid { query_text: 3 }": False,
    "match_fonts_hybrid { query_embedding: ['1'] }": False,
    "match_fonts_hybrid { query_text: 'wide', match_count: null }": False,
    "match_fonts_hybrid { query_text: 'wide', fusion: 'magic' }": True,
    "match_fonts_hybrid { query_text: 'wide', strategy: 'fast' }": True,
    "match_fonts_hybrid { query_text: 'wide', filter: { colour: 'red' } }": True,
    "match_fonts_hybrid { query_text: 'wide', filter: { tags: ['a'] } }": True,
    "match_fonts_hybrid { query_text: 'wide', filter: { traits: { xheight: { gte: 1 } } } }": True,
    "match_fonts_hybrid { query_text: 'wide', filter: { traits: { width: { min: 1 } } } }": True,
    "match_fonts_hybrid { query_text: 'wide', filter: { covers: ['a'] } }": True,
    "match_fonts_hybrid { query_text: 'wide', filter: { styles: { weights: ['400'] } } }": True,
    "similar_fonts {}": False,
    "similar_fonts { font_id: null }": False,
}
ROWS = """
    const { data, error } = await supabase.rpc("match_fonts_hybrid", { query_text: "wide" });
    if (error) throw error;
    const [row] = data;
    const name: string = row.name;
    const honest: "scanned" | "likely" | "unproven" = row.exactness;
    const file: string | undefined = row.files?.["400"];
    const rows: FoundFont[] = data;
    const rest: null extends (typeof row)["text_similarity"] ? true : never = true;
    const alike = await supabase.rpc("similar_fonts", { font_id: row.id }).limit(3);
    const same: typeof data = alike.data ?? [];
    // what the generated types have beside is still there
    const other = await supabase.from("searches").select("query_text").single();
    const text: string | undefined = other.data?.query_text;
    const filter = { category: "serif", collapse: true } satisfies FontFilter;
    await supabase.rpc("match_fonts_hybrid", { query_text: "wide", filter });
    // @ts-expect-error
    const misspelt = { category: "serif", colour: "red" } satisfies FontFilter;
    await supabase.rpc("match_fonts", { query_embedding: "[1]", match_threshold: 0, match_count: 1 });
    // @ts-expect-error
    await supabase.rpc("match_fonts", { query_embedding: "[1]" });
"""


def call(written: str) -> str:
    function, arguments = written.split(" ", 1)
    return f'await supabase.rpc("{function}", {arguments});'


def expecting(calls: dict[str, bool]) -> str:
    """The calls, in TypeScript; the compiler is to refuse those that do not compile, and no other."""
    return "\n".join(
        call(written) if compiles else f"// @ts-expect-error\n{call(written)}"
        for written, compiles in calls.items()
    )


Compile = Callable[..., list[str]]


@pytest.fixture(scope="module")
def packages(npm_packages: NpmPackages) -> Path:
    return npm_packages(*PACKAGES)


@pytest.fixture
def generated(empty_database: Database, packages: Path) -> str:
    """What Supabase makes of a database at head that keeps pgvector where Supabase does."""
    with empty_database.connect() as connection:
        connection.execute("create schema extensions")
    schema.upgrade(empty_database.conninfo)
    names = {"host": "host", "port": "port", "user": "user", "password": "password"}
    given = conninfo.conninfo_to_dict(empty_database.conninfo)
    where = {ours: given[theirs] for theirs, ours in names.items() if theirs in given}
    script = Path(__file__).with_name("generate_types.mjs")
    done = subprocess.run(
        ["node", script, packages, json.dumps({**where, "database": given["dbname"]})],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return done.stdout


@pytest.fixture
def compile(tmp_path: Path, packages: Path, generated: str) -> Compile:
    """Compiles pieces of TypeScript, each a file beside the generated types and ours."""

    def errors(*pieces: str, database: str = "WithFontSearch<Generated>") -> list[str]:
        (tmp_path / "node_modules").symlink_to(packages / "node_modules")
        (tmp_path / "database.types.ts").write_text(generated, "utf-8")
        (tmp_path / "fontsight.ts").write_text(TYPES.read_text("utf-8"), "utf-8")
        for number, piece in enumerate(pieces):
            text = piece if "import " in piece else CLIENT.format(database=database) + piece
            (tmp_path / f"piece{number}.ts").write_text(text, "utf-8")
        options = {"compilerOptions": COMPILER, "include": ["*.ts"]}
        (tmp_path / "tsconfig.json").write_text(json.dumps(options), "utf-8")
        compiler = packages / "node_modules/typescript/bin/tsc"
        done = subprocess.run(
            ["node", compiler, "--project", tmp_path], capture_output=True, text=True, check=False
        )
        return done.stdout.splitlines()

    return errors


def code(path: str) -> list[str]:
    """The TypeScript in a document, without whole files: test_app_side.py compiles these, and runs them."""
    found = re.findall(r"```ts\n(.*?)```", (ROOT / path).read_text("utf-8"), re.DOTALL)
    return [piece for piece in found if not re.match(r"// \S+\.ts\n", piece)]


def test_the_traits_are_those_of_the_database(connection: Connection) -> None:
    [listed] = re.findall(r"type Trait =((?:\s*\| \"\w+\")+);", TYPES.read_text("utf-8"))
    measured = connection.execute("select name from font_index.traits()").fetchall()
    assert re.findall(r"\w+", listed) == [name for (name,) in measured]


def test_the_arguments_are_those_of_the_functions(connection: Connection) -> None:
    text = TYPES.read_text("utf-8")
    for function, name in (
        ("match_fonts_hybrid", "MatchFontsHybrid"),
        ("similar_fonts", "SimilarFonts"),
    ):
        [body] = re.findall(rf"type {name}Args = {{(.*?)}};", text, re.DOTALL)
        optional = {argument: mark == "?" for argument, mark in re.findall(r"(\w+)(\??):", body)}
        [(names, defaults)] = connection.execute(
            "select proargnames[:pronargs], pronargdefaults from pg_proc where proname = %s",
            [function],
        ).fetchall()
        required = len(names) - defaults
        assert optional == {argument: at >= required for at, argument in enumerate(names)}


@pytest.mark.slow
@pytest.mark.network
class TestCompiled:
    def test_the_generated_types_refuse_what_works(self, compile: Compile) -> None:
        assert compile(expecting(CALLS), expecting(MISTAKES), database="Generated") == []

    def test_ours_accept_what_works_and_refuse_mistakes(self, compile: Compile) -> None:
        works = expecting(dict.fromkeys(CALLS, True))
        mistakes = expecting(dict.fromkeys(MISTAKES, False))
        assert compile(works, mistakes, ROWS) == []

    def test_the_code_of_the_documents_compiles(self, compile: Compile) -> None:
        pieces = [piece for path in ("README.md", "sql/README.md") for piece in code(path)]
        assert pieces
        assert compile(*pieces) == []


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.parametrize("argument", ["query_embedding?: string", "query_embedding_vl?: unknown"])
def test_the_generator_has_the_rules_that_ours_make_up_for(generated: str, argument: str) -> None:
    assert f"          {argument}\n" in generated
