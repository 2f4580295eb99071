"""`python -m eval`: what search is worth, and how fast the parts are."""

from __future__ import annotations

import click

from eval.cli.bench import bench_group, plan_command
from eval.cli.build import build_group
from eval.cli.pictures import pictures_group
from eval.cli.words import words_group
from indexer.cli.commands import Commands, set_up


@click.group(cls=Commands)
def main() -> None:
    """Say what search is worth, on queries whose answers are known, and how fast the parts run.

    \b
    Start with:  python -m eval build toy --out toy
                 python -m eval run --dataset toy --out toy-run
                 python -m eval report toy-run
    """
    set_up()


for command in (build_group, pictures_group, words_group, bench_group, plan_command):
    main.add_command(command)
try:
    from eval.cli.apply import apply_command
    from eval.cli.finished import compare_command, export_command, gate_command
    from eval.cli.report import report_command
    from eval.cli.run import run_command
except ModuleNotFoundError as missing:
    if missing.name not in {"ir_measures", "pytrec_eval"}:
        raise
    main.epilog = "To score rankings: pip install 'fontsight[eval]'."
else:
    for command in (
        run_command,
        report_command,
        compare_command,
        gate_command,
        export_command,
        apply_command,
    ):
        main.add_command(command)
