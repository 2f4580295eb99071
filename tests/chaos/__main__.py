"""python -m tests.chaos: by hand, for as long as you like, what CI does a little of."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import click

from tests.chaos.corrupted import corrupt
from tests.chaos.kills import kill
from tests.chaos.migrations import kill_migrations
from tests.chaos.sandbox import Server
from tests.chaos.soak import soak

COUNT = click.IntRange(min=1)


@click.command()
@click.option("--kills", type=COUNT, metavar="N", help="Kill backfills N times.")
@click.option("--migrations", type=COUNT, metavar="N", help="Kill N migrations under load.")
@click.option("--corrupted", type=COUNT, metavar="N", help="Index N damaged fonts.")
@click.option(
    "--fonts", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="FOLDER",
    help="Damage copies of the fonts in a folder, instead of small ones made by code.",
)  # fmt: skip
@click.option(
    "--soak", "hours", type=click.FloatRange(min=0.01), metavar="HOURS",
    help="Let watch and serve run while rows change; exit 1 if memory or connections grow, or a row "
    "waits longer than 10 s.",
)  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True, help="Draws what happens.")
def main(
    kills: int | None,
    migrations: int | None,
    corrupted: int | None,
    fonts: Path | None,
    hours: float | None,
    seed: int,
) -> None:
    """Disturb the job on a Postgres of its own, and see that nothing is lost.

    \b
    Example:  python -m tests.chaos --kills 1000
              python -m tests.chaos --soak 8
    """
    with tempfile.TemporaryDirectory(prefix="fontsight") as name:
        folder = Path(name)
        if kills:
            kill(folder, kills, seed, click.echo)
        if migrations:
            server = Server(folder / "migrated")
            try:
                kill_migrations(server.conninfo, folder, migrations, seed, click.echo)
            finally:
                server.close()
        if corrupted:
            given = [path.read_bytes() for path in sorted(fonts.glob("*.*"))] if fonts else []
            corrupt(folder, corrupted, seed, click.echo, given)
        if hours:
            wrong = soak(folder / "soak", 3600 * hours, seed, click.echo)
            for sentence in wrong or ["Neither grew, and no row waited long."]:
                click.echo(sentence)
            if wrong:
                sys.exit(1)


if __name__ == "__main__":
    main()
