"""An assistant: the protocol's own client, and `indexer mcp` at the other end of real pipes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
from mcp import Client, StdioServerParameters, stdio_client
from mcp.types import CallToolResult, TextContent

from indexer.database.connect import Database

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
# what the README tells people to put into an assistant's configuration
[CONFIGURED] = json.loads(README.partition("```json\n")[2].partition("```")[0])[
    "mcpServers"
].values()
COMMAND = ["-m", CONFIGURED["command"], *CONFIGURED["args"]]
SECONDS = 60


class Assistant:
    def __init__(self, client: Client) -> None:
        self.client = client

    async def ask(self, tool: str, **arguments: object) -> dict[str, Any]:
        """The structured answer, which is also there as text."""
        result = await self.call(tool, **arguments)
        assert not result.is_error, result.content
        assert result.structured_content is not None
        text = result.content[0]
        assert isinstance(text, TextContent)
        assert json.loads(text.text) == without_nulls(result.structured_content)
        return result.structured_content

    async def call(self, tool: str, **arguments: object) -> CallToolResult:
        return await self.client.call_tool(tool, arguments, read_timeout_seconds=SECONDS)

    async def refused(self, tool: str, **arguments: object) -> str:
        """What is said instead of an answer: a sentence, of the input not much, of the program nothing."""
        result = await self.call(tool, **arguments)
        assert result.is_error and len(result.content) == 1
        text = result.content[0]
        assert isinstance(text, TextContent)
        for foreign in ("Traceback", "Error executing", "pydantic", "psycopg", "x" * 101):
            assert foreign not in text.text
        return text.text


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_nulls(item) for name, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


def environment(database: Database, home: Path) -> dict[str, str]:
    clean = {key: value for key, value in os.environ.items() if "EMBEDDING" not in key}
    return {
        **clean,
        "DATABASE_URL": database.conninfo,
        "FONTSIGHT_CACHE_DIR": str(home / "cache"),
        "FONTSIGHT_DATA_DIR": str(home / "data"),
    }


def converse(
    database: Database, home: Path, conversation: Callable[[Assistant], Awaitable[None]]
) -> str:
    """A session with a server of its own; what that printed for people."""
    log, failed = home / "stderr", list[AssertionError]()

    async def session() -> None:
        command = StdioServerParameters(
            command=sys.executable, args=COMMAND, env=environment(database, home)
        )
        with log.open("w") as stderr:
            async with Client(stdio_client(command, errlog=stderr)) as client:
                try:
                    await conversation(Assistant(client))
                except AssertionError as error:
                    failed.append(error)  # outside, where no group of exceptions hides it

    anyio.run(session)
    for error in failed:
        raise error
    said = log.read_text()
    assert "Traceback" not in said
    return said
