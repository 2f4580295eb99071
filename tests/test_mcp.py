"""`indexer mcp`: the tools that assistants get, called over real pipes by the protocol's own client."""

from __future__ import annotations

import base64
import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

pytest.importorskip("mcp", reason="needs the extra serve: pip install -e '.[test]'")

from mcp.types import CallToolResult, ImageContent, TextContent
from psycopg.types.json import Jsonb

from eval.fonts.parametric import ParametricFont
from indexer.database.connect import Database
from indexer.embed.measured.embedder import MeasuredTraits
from indexer.embed.ngrams import HashedNgrams
from indexer.fontfile import open_font
from indexer.functions import match
from indexer.sheet.render import render_sheet
from tests.fix_mcp import COMMAND, Assistant, converse, environment
from tests.fix_pictures import letters
from tests.fix_service import fill
from tests.fix_visitors import hide

SQL_README = (Path(__file__).parent.parent / "sql/README.md").read_text(encoding="utf-8")
pytestmark = pytest.mark.slow  # each starts a server

QUERY = "high contrast serif"
HELLO = {
    "jsonrpc": "2.0", "id": 1, "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18", "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}  # fmt: skip


def test_the_tools_are_read_only_and_say_what_may_be_asked(
    filled: Database, tmp_path: Path
) -> None:
    async def conversation(assistant: Assistant) -> None:
        listed = await assistant.client.list_tools()
        tools = {tool.name: tool for tool in listed.tools}
        assert list(tools) == ["search_fonts", "similar_fonts", "font_details"]
        for tool in tools.values():
            hints = tool.annotations
            assert hints is not None and hints.read_only_hint and not hints.destructive_hint
            assert tool.output_schema is not None
        with filled.connect() as connection:
            traits = connection.execute("select name, meaning from font_index.traits()").fetchall()
        said = tools["search_fonts"].description or ""
        assert all(f"- {name} (" in said and meaning in said for name, meaning in traits)
        allowed = tools["search_fonts"].input_schema["properties"]["filter"]["properties"]
        with filled.connect() as connection:
            for key in allowed:
                value = {"tags": {}, "traits": {}, "styles": {}, "collapse": True}.get(key, "x")
                connection.execute("select font_index.check_filter(%s)", [Jsonb({key: value})])
        section = SQL_README.partition("## Filter")[2].partition("### Traits")[0]
        assert sorted(allowed) == sorted(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))

    assert "Using " in converse(filled, tmp_path, conversation)


def test_search_says_what_fits_how_well_and_why(filled: Database, tmp_path: Path) -> None:
    async def conversation(assistant: Assistant) -> None:
        found = await assistant.ask("search_fonts", query=f"{QUERY} kontrast", count=3)
        with filled.open() as connection:
            words = f"{QUERY} kontrast"
            text, vl = HashedNgrams().embed_query(words), MeasuredTraits().embed_query(words)
            looked_up = "high contrast kontrast"  # what has serifs is seen
            hits = match(connection, text=text, vl=vl, query_text=looked_up, alpha=0, count=3)
        assert [font["id"] for font in found["fonts"]] == [str(hit.id) for hit in hits]
        for font, hit in zip(found["fonts"], hits, strict=True):
            assert font["score"] == pytest.approx(hit.score, abs=1e-4)
            assert font["vl_similarity"] == pytest.approx(hit.vl_similarity, abs=1e-4)
            assert font["license"] == "OFL-1.1"
        best = found["fonts"][0]
        assert {"phrase": "high contrast", "trait": "contrast"}.items() <= best["why"][0].items()
        assert "high stroke contrast" in best["appearance"]
        [unknown] = found["not_understood"]
        assert unknown["word"] == "kontrast" and unknown["near"][0] == "contrast"

        serifs = await assistant.ask(
            "search_fonts", filter={"category": "serif"}, count=2, offset=1
        )
        assert [font["name"] for font in serifs["fonts"]] == ["Family 3", "Family 5"]
        # some clients write objects as strings
        same = await assistant.ask(
            "search_fonts", filter='{"category": "serif"}', count=2, offset=1
        )
        assert same == serifs

        by_name = await assistant.ask("similar_fonts", font="Family 2", count=2)
        [first] = (await assistant.ask("search_fonts", query="Family 2", count=1, alpha=1))["fonts"]
        assert first["name"] == "Family 2"
        assert by_name == await assistant.ask("similar_fonts", font=first["id"], count=2)
        assert first["id"] not in [font["id"] for font in by_name["fonts"]]

    converse(filled, tmp_path, conversation)


def test_sheets_come_as_pictures(filled: Database, tmp_path: Path) -> None:
    sheets = {
        f"Family {number}": render_sheet(
            open_font((tmp_path / "fonts" / f"{number}.ttf").read_bytes())
        )
        for number in (0, 1, 3)
    }
    broken = tmp_path / "broken.ttf"
    broken.write_bytes(ParametricFont().build()[:200])
    with filled.connect() as admin:
        admin.execute(
            "insert into public.fonts (name, files) values ('Broken', %s), ('Without', '{}')",
            [Jsonb({"400": broken.as_uri()})],
        )

    def pictures(result: CallToolResult) -> dict[str, bytes]:
        above, drawn = result.content[1::2], result.content[2::2]
        return {
            name.text.removesuffix(":"): base64.b64decode(picture.data)
            for name, picture in zip(above, drawn, strict=True)
            if isinstance(name, TextContent) and isinstance(picture, ImageContent)
        }

    async def conversation(assistant: Assistant) -> None:
        details = await assistant.ask("font_details", font="Family 3")
        assert details["name"] == "Family 3"
        assert details["traits"]["contrast"] == pytest.approx(0.45, abs=0.05)
        assert details["percentiles"]["contrast"] == pytest.approx(3.5 / 6, abs=0.01)
        assert details["css"] is None, "the file of a folder is nobody's to load"
        assert pictures(await assistant.call("font_details", font="Family 3")) == {
            "Family 3": sheets["Family 3"]
        }
        assert not pictures(await assistant.call("font_details", font="Family 3", sheet=False))
        found = await assistant.call(
            "search_fonts", filter={"category": ["serif", "sans-serif"]}, count=3, sheets=2
        )
        assert pictures(found) == {name: sheets[name] for name in ("Family 0", "Family 1")}
        for name, why in (("Broken", "cannot be read"), ("Without", "names no file")):
            result = await assistant.call("font_details", font=name)
            assert not pictures(result) and not result.is_error
            assert result.structured_content is not None
            [notice] = result.structured_content["notices"]
            assert notice.startswith(f"{name}: ") and why in notice

    converse(filled, tmp_path, conversation)


def test_mistakes_get_a_sentence_and_the_session_goes_on(filled: Database, tmp_path: Path) -> None:
    blank, picture = tmp_path / "blank.png", tmp_path / "letters.png"
    Image.new("L", (300, 200), 255).save(blank)
    picture.write_bytes(letters(weight=0.2))

    async def conversation(assistant: Assistant) -> None:
        found = await assistant.ask("search_fonts", image_file=str(picture))
        assert "black" in [seen["word"] for seen in found["seen"]]
        said = await assistant.refused("search_fonts", query="bold", filter={"colour": "red"})
        assert said.startswith("filter has an unknown key: colour.")
        said = await assistant.refused("search_fonts", filter={"traits": {"height": {"gte": 1}}})
        assert "unknown trait: height. There are x_height, " in said
        for tool in ("similar_fonts", "font_details"):
            said = await assistant.refused(tool, font="No" + "x" * 150)
            assert said.startswith("There is no font 'Noxxx")
        said = await assistant.refused("search_fonts", count=1000, alpha="much", sheets=-1)
        assert all(f"{name}: Input should be" in said for name in ("count", "alpha", "sheets"))
        assert "font: Field required" in await assistant.refused("similar_fonts")
        said = await assistant.refused("search_fonts", query="bold", limit=3)
        assert said.startswith("search_fonts has no argument 'limit'. It has query, image_file, ")
        assert "Unknown tool" in await assistant.refused("delete_fonts", font="Family 0")
        for file, why in (
            (blank, "No letters were found in the picture"),
            (tmp_path / "fonts" / "0.ttf", "none of these formats"),
            (tmp_path / "nowhere.png", "There is no file"),
            (Path("/dev/zero"), "There is no file"),
        ):
            assert why in await assistant.refused("search_fonts", image_file=str(file))
        assert (await assistant.ask("font_details", font="Family 0", sheet=False))["name"]

    converse(filled, tmp_path, conversation)


def test_a_font_hidden_by_a_policy_appears_in_no_answer(visited: Database, tmp_path: Path) -> None:
    fill(visited, tmp_path / "fonts")
    with visited.connect() as admin:
        hide(admin, "Family 1")
        [hidden] = admin.execute("select id from fonts where name = 'Family 1'").fetchone() or ()
        [shown] = admin.execute("select id from fonts where name = 'Family 2'").fetchone() or ()

    async def conversation(assistant: Assistant) -> None:
        for arguments in ({}, {"query": "Family 1"}, {"query": QUERY, "alpha": 0}):
            found = await assistant.ask("search_fonts", count=50, **arguments)
            assert len(found["fonts"]) == 5
            assert "Family 1" not in json.dumps(found["fonts"])
        alike = await assistant.ask("similar_fonts", font=str(shown), count=50)
        assert len(alike["fonts"]) == 4
        for tool in ("similar_fonts", "font_details"):
            for font in ("Family 1", str(hidden)):
                absent = await assistant.refused(tool, font=font)
                assert absent == (await assistant.refused(tool, font="Nobody")).replace(
                    "Nobody", font
                )

    converse(visited, tmp_path, conversation)


def test_nothing_can_be_written_even_by_a_policy_that_tries(
    visited: Database, tmp_path: Path
) -> None:
    fill(visited, tmp_path / "fonts", count=2)
    with visited.connect() as admin:
        admin.execute("grant all on public.fonts to anon")
        admin.execute("create table public.visits (at timestamptz)")
        admin.execute("grant all on public.visits to anon")
        admin.execute(
            "create function public.visit() returns boolean language sql volatile"
            " as 'insert into public.visits values (now()) returning true'"
        )
        content = "select md5(string_agg(f::text, '' order by id)) from public.fonts f"
        before = admin.execute(content).fetchone()

        async def conversation(assistant: Assistant) -> None:
            injected = "'; delete from public.fonts; --"
            await assistant.refused("font_details", font=injected)
            await assistant.ask("search_fonts", query=injected, filter={"category": injected})
            await assistant.ask("search_fonts", query=QUERY, sheets=2)
            await assistant.ask("similar_fonts", font="Family 0")
            admin.execute(
                "create policy visits on public.fonts as restrictive for select"
                " using (public.visit())"
            )
            for tool in ("similar_fonts", "font_details"):
                await assistant.refused(tool, font="Family 0")
            await assistant.refused("search_fonts", query=QUERY)

        converse(visited, tmp_path, conversation)
        assert admin.execute("select count(*) from public.visits").fetchone() == (0,)
        assert admin.execute(content).fetchone() == before


@pytest.mark.parametrize(
    "end", [None, signal.SIGTERM, signal.SIGINT], ids=["end of stdin", "SIGTERM", "SIGINT"]
)
def test_stdout_is_the_protocols_and_the_end_is_orderly(
    end: signal.Signals | None, filled: Database, tmp_path: Path
) -> None:
    call = {
        "jsonrpc": "2.0", "id": 2, "method": "tools/call",
        "params": {"name": "font_details", "arguments": {"font": "Family 0"}},
    }  # fmt: skip
    server = subprocess.Popen(
        [sys.executable, *COMMAND], env=environment(filled, tmp_path), text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert server.stdin is not None and server.stdout is not None
        for message in (HELLO, {"jsonrpc": "2.0", "method": "notifications/initialized"}, call):
            server.stdin.write(json.dumps(message) + "\n")
            server.stdin.flush()
        answers = [json.loads(server.stdout.readline()) for _ in range(2)]
        assert [answer["id"] for answer in answers] == [1, 2]
        assert [part["type"] for part in answers[1]["result"]["content"]] == [
            "text",
            "text",
            "image",
        ]
        began = time.monotonic()
        if end is not None:
            server.send_signal(end)
            assert server.wait(20) == 0
        rest, said = server.communicate(timeout=20)
    finally:
        server.kill()
        server.wait()
    assert server.returncode == 0
    assert rest == "", "nothing but the protocol"
    assert "Using " in said and "Traceback" not in said
    assert time.monotonic() - began < 10


def test_without_the_extra_it_says_what_to_install() -> None:
    script = "import sys; sys.modules['mcp'] = None; from indexer.cli import main; main(['mcp'])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "pip install 'fontsight[serve]'" in done.stderr
