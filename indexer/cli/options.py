"""Options that several commands share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import click

from indexer.choose import VLOptions
from indexer.embed.qwen.messages import Attention

DIMENSIONS = "Dimensions of the vl vectors (Matryoshka). Default: the model's own."
IMAGE = click.option(
    "--image", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
    help="A picture of letters: PNG, JPEG, WebP or GIF, a word or more in one font.",
)  # fmt: skip
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def vl_options(command: Callable[..., Any], *, dim: str = DIMENSIONS) -> Callable[..., Any]:
    """Choose the embedder of sheets; the command gets one argument `vl` for all of them.

    dim: what --dim means to this command, where it is something else.
    """

    @functools.wraps(command)
    def collected(
        vl_embedder: str | None,
        vl_revision: str | None,
        dim: int | None,
        devices: str | None,
        shard: bool,
        attention: Attention | None,
        batch_size: int | None,
        **others: Any,
    ) -> Any:
        vl = VLOptions(
            embedder=vl_embedder, revision=vl_revision, dimension=dim, devices=devices, shard=shard,
            attention=attention, batch_size=batch_size,
        )  # fmt: skip
        return command(vl=vl, **others)

    for option in reversed(_vl_options(dim)):
        collected = option(collected)
    return collected


def _vl_options(dim: str) -> tuple[Callable[..., Any], ...]:
    return (
        click.option(
            "--vl-embedder", metavar="MODEL",
            help="What embeds sheets: 8b, 2b (Qwen3-VL-Embedding), another checkpoint (folder or hub id), "
            "remote, measured-traits, or auto: by the free memory of the GPUs. Default: what made the "
            "serving vectors; auto at first.",
        ),
        click.option("--vl-revision", metavar="COMMIT", help="Of the checkpoint. Default: a pinned one."),
        click.option("--dim", type=click.IntRange(64, 4096), help=dim),
        click.option(
            "--devices", metavar="LIST",
            help="cuda:0,cuda:1, mps or cpu. Default: the GPUs with room for the model.",
        ),
        click.option(
            "--shard", is_flag=True,
            help="Spread one model over all devices if it fits none: its layers then run in turn.",
        ),
        click.option(
            "--attention", type=click.Choice(get_args(Attention)),
            help="torch's own, or the package flash-attn. Default: flash with --shard, if installed.",
        ),
        click.option(
            "--batch-size", type=click.IntRange(1, 256),
            help="Sheets of a forward pass. Default: the fastest, found by measurement.",
        ),
    )  # fmt: skip
