"""indexer render"""

from __future__ import annotations

import json
from pathlib import Path

import click

from indexer.errors import FontError, UserError
from indexer.fontfile import face_count, open_font
from indexer.sheet.render import render_sheet
from indexer.traits.measure import measure
from indexer.traits.wording import describe_traits


@click.command("render")
@click.argument("font", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True,
    help="Where to write the sheet, a PNG.",
)  # fmt: skip
@click.option("--face", default=0, show_default=True, help="Which face of a collection (.ttc).")
@click.option("--traits", is_flag=True, help="Print what was measured, as JSON.")
def render_command(font: Path, output: Path, face: int, traits: bool) -> None:
    """Render the glyph sheet of one font file.

    \b
    Example:  indexer render Inter.ttf -o sheet.png --traits
    """
    try:
        data = font.read_bytes()
        if face >= face_count(data):
            raise UserError(f"{font.name} has {face_count(data)} faces; --face counts from 0.")
        opened = open_font(data, face_index=face)
        sheet = render_sheet(opened)
        measured = measure(opened) if traits else None
    except FontError as error:
        raise UserError(f"{font.name}: {error.message}") from error
    output.write_bytes(sheet)
    if measured:
        values = {**measured.to_json(), "words": describe_traits(measured)}
        click.echo(json.dumps(values, indent=2))
