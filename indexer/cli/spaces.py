"""indexer spaces"""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from indexer.activate import activate, under_way
from indexer.cli.options import AS_JSON
from indexer.database.connect import opened
from indexer.settings import Settings
from indexer.spaces import all_spaces
from indexer.terminal import notice


@click.group("spaces")
def spaces_group() -> None:
    """See the embedding spaces, and switch search from one to another.

    \b
    Example:  indexer spaces list
              indexer spaces activate 3f9a2c
    """


@spaces_group.command("list")
@AS_JSON
def list_spaces(as_json: bool) -> None:
    """List the spaces: id, leg, state, model and how many fonts have a vector.

    \b
    Example:  indexer spaces list
    """
    with opened(Settings(), notice) as connection:
        records, switch = all_spaces(connection), under_way(connection)
    if switch:
        notice(f"A switch of the {switch.leg} space is under way, or was interrupted.")
    if as_json:
        found = [{"id": record.space.id, **asdict(record)} for record in records]
        click.echo(json.dumps(found, indent=2))
        return
    for record in records:
        space = record.space
        made_of = " + ".join(filter(None, [space.sheet_spec, space.text_schema]))
        click.echo(
            f"{space.id[:12]}  {space.leg:4}  {record.state:9}  {record.fonts:6} fonts  "
            f"{space.model.name} {space.model.revision[:12]}  ({made_of})"
        )


@spaces_group.command("activate")
@click.argument("space_id")
@click.option("--force", is_flag=True, help="Also where it has fewer fonts than the serving space.")
@AS_JSON
def activate_space(space_id: str, force: bool, as_json: bool) -> None:
    """Let search use the space whose id starts with SPACE_ID.

    Its vectors and their index are made next to those that serve, while search and writers go on;
    the switch itself is a moment. The space that served until then is kept; activating it again
    switches back. Interrupted, run it again; or activate the space that serves to give it up.

    \b
    Example:  indexer spaces activate 3f9a2c
    """
    with opened(Settings(), notice, writes=True) as connection:
        space = activate(connection, space_id, force=force, say=notice)
    if as_json:
        click.echo(json.dumps({"id": space.id, "space": asdict(space)}, indent=2))
        return
    click.echo(f"Search now uses {space}.")
