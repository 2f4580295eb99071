"""indexer spaces"""

from __future__ import annotations

import click

from indexer import spaces as index_spaces
from indexer.cli.common import opened
from indexer.settings import Settings


@click.group()
def spaces() -> None:
    """See the embedding spaces, and switch search from one to another.

    \b
    Example:  indexer spaces list
              indexer spaces activate 3f9a2c
    """


@spaces.command("list")
def list_() -> None:
    """List the spaces: id, leg, state, model and how many fonts have a vector.

    \b
    Example:  indexer spaces list
    """
    with opened(Settings()) as connection:
        for record in index_spaces.all_spaces(connection):
            space = record.space
            made_of = " + ".join(filter(None, [space.sheet_spec, space.text_schema]))
            click.echo(
                f"{space.id[:12]}  {space.leg:4}  {record.state:9}  {record.fonts:6} fonts  "
                f"{space.model.name} {space.model.revision[:12]}  ({made_of})"
            )


@spaces.command()
@click.argument("space_id")
@click.option("--force", is_flag=True, help="Also where it has fewer fonts than the serving space.")
def activate(space_id: str, force: bool) -> None:
    """Let search use the space whose id starts with SPACE_ID, in one transaction.

    The space that served until then is kept; activating it again switches back.

    \b
    Example:  indexer spaces activate 3f9a2c
    """
    with opened(Settings()) as connection:
        space = index_spaces.activate(connection, space_id, force=force)
    click.echo(f"Search now uses {space}.")
