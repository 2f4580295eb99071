"""The fonts for assistants: tools of the Model Context Protocol, over stdin and stdout."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

import psycopg
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult, InputRequiredResult, TextContent, ToolAnnotations
from pydantic import ValidationError

from indexer.database.connect import Database
from indexer.errors import FontError, UserError
from indexer.fetch.files import FontFiles
from indexer.serve.mcp import stdin
from indexer.serve.mcp.tools import Tools
from indexer.serve.mcp.types import glossary
from indexer.serve.reading import Reader
from indexer.serve.refusals import Refusal, refusal_of
from indexer.serve.search.columns import Trait, read_traits
from indexer.serve.search.searching import warm_up
from indexer.serve.service import Service, ServiceOptions
from indexer.serve.specimens.specimens import Specimens
from indexer.settings import Settings

INSTRUCTIONS = (
    "Fonts of one database, found by what they look like. Start with search_fonts; look at candidates "
    "by their glyph sheets (sheets=3, or font_details) before you recommend one; similar_fonts finds "
    "alternatives to a font. Check the license of what you recommend. Nothing can be changed here."
)
READ_ONLY = ToolAnnotations(
    read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)


class FontServer(MCPServer[None]):
    """Says what a tool cannot do in a sentence; a defect of ours is logged, and reported without details."""

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[None, Any] | None = None
    ) -> CallToolResult | InputRequiredResult:
        try:
            await self._check_names(name, arguments)
            return await super().call_tool(name, arguments, context)
        except ToolError as error:
            sentence = _sentence(error)
            if sentence is None:
                raise
            return CallToolResult(content=[TextContent(text=sentence)], is_error=True)

    async def _check_names(self, name: str, arguments: Mapping[str, Any]) -> None:
        """Raises ToolError for an argument that the tool does not have; it would be ignored."""
        for tool in await self.list_tools():
            known = tool.input_schema["properties"]
            for argument in arguments:
                if tool.name == name and argument not in known:
                    raise ToolError(
                        f"{name} has no argument {argument[:100]!r}. It has {', '.join(known)}."
                    )


def server(service: Service, specimens: Specimens, traits: list[Trait]) -> FontServer:
    """Of one event loop: service and specimens begin and end with it."""

    @asynccontextmanager
    async def lifespan(_: MCPServer[None]) -> AsyncIterator[None]:
        with specimens:  # its processes begin where stdout is no longer the protocol's
            service.embedders.start(lambda: warm_up(service))
            try:
                yield
            finally:
                await service.embedders.close()

    fonts = FontServer(
        "fontsight", title="fontsight", version=version("fontsight"), instructions=INSTRUCTIONS,
        lifespan=lifespan, log_level="WARNING", subscriptions=False,
    )  # fmt: skip
    tools = Tools(service, specimens)
    fonts.add_tool(
        tools.search_fonts, title="Find fonts by looks", annotations=READ_ONLY,
        description=f"{_written(tools.search_fonts)}\n\n{glossary(traits)}",
    )  # fmt: skip
    fonts.add_tool(
        tools.similar_fonts, title="Find fonts like one", annotations=READ_ONLY,
        description=_written(tools.similar_fonts),
    )  # fmt: skip
    fonts.add_tool(
        tools.font_details, title="Look at one font", annotations=READ_ONLY,
        description=_written(tools.font_details),
    )  # fmt: skip
    return fonts


def run(settings: Settings, database: Database, say: Callable[[str], None]) -> None:
    """Serve until stdin ends, or SIGTERM or Ctrl-C comes. Raises UserError where nobody could read by the rules."""
    files = FontFiles.from_settings(settings, notice=say)
    with Reader.from_settings(settings, database, say) as reader:
        with reader.visitor() as connection:
            traits = read_traits(connection)
        stdin.end_with_signals()
        service = Service(reader, settings, ServiceOptions(), say)
        server(service, Specimens(files, processes=1), traits).run("stdio")


def _sentence(error: ToolError) -> str | None:
    """None for what is no fault of the caller."""
    match error.__cause__:
        case ValidationError() as wrong:
            fields = (
                f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"[:200]
                for problem in wrong.errors()
            )
            return f"The arguments are not valid. {'; '.join([*fields][:5])}."
        case Refusal() | UserError() | FontError() | psycopg.Error() as known:
            return refusal_of(known).message
        case None:  # no such tool, or argument
            return str(error)
    return None


def _written(tool: Callable[..., Any]) -> str:
    """The docstring, as a person would read it."""
    return inspect.cleandoc(tool.__doc__ or "")
