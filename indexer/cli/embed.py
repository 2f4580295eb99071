"""indexer embed"""

from __future__ import annotations

import json
from pathlib import Path

import click

from indexer.cli.options import IMAGE
from indexer.search import Fonts
from indexer.terminal import notice


@click.command("embed")
@click.argument("text", required=False)
@IMAGE
def embed_command(text: str | None, image: Path | None) -> None:
    """Print the vector of a query, of a text, an image or both, as a JSON array.

    It is of the vl space that serves, with as many numbers as that has dimensions. POST /embed of
    `indexer serve` gives the same, padded with zeros to the 4096 that match_fonts_hybrid takes.

    \b
    Example:  indexer embed "elegant high-contrast serif"
              indexer embed "like this, but bold" --image letters.png
    """
    picture = image.read_bytes() if image else None
    with Fonts(say=notice) as fonts:
        notice(f"Using {fonts.database.label}.")
        vector = fonts.embed(text, image=picture)
    # NumPy writes the shortest digits that give the same float32
    click.echo(json.dumps([float(str(number)) for number in vector]))
