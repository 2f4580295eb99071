"""What this host brings for embedding sheets, and what is known to be slow or wrong about it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from PIL import features

from indexer.embed.qwen.devices import GIB, Host


def described(host: Host) -> Iterator[tuple[str, str]]:
    """(what, value) in the order in which a person asks."""
    built = f"for CUDA {host.cuda}" if host.cuda else "for CPUs"
    yield "torch", f"{host.torch}, {built}; transformers {host.transformers}"
    for card in host.cards:
        capability = ".".join(map(str, card.capability or ()))
        yield (
            card.device,
            f"{card.name}, {card.free / GIB:.1f} of {card.total / GIB:.1f} GiB free"
            + (f", compute capability {capability}" if capability else ""),
        )
    if not host.cards:
        yield "cards", f"none; CPU: {host.processor}"
    flash = f"; flash-attn {host.flash_attention} with --shard" if host.flash_attention else ""
    yield "attention", f"sdpa, torch's own{flash}"


def warnings(host: Host) -> Iterator[str]:
    """Of the host; those of the database are `database_advice`."""
    if host.torch.startswith("2.9."):
        yield (
            "torch 2.9 computes Conv3d 10 to 20 times slower than others. The fast path does without "
            "it, a model spread over cards (--shard) does not: install 2.10 or later."
        )
    if any(card.device == "mps" for card in host.cards):
        yield "Embedding on Apple's GPU was never tried; what it computes is checked at each start."
    elif host.cards and host.cuda is None:  # a build for ROCm reports its cards as CUDA's
        yield "torch was not built for CUDA; nothing here was tried on such a build."
    for card in host.cards:
        if card.capability and card.capability < (8, 0):
            yield f"{card.device} ({card.name}) has no bfloat16 units: it will be slow."
    if len({card.name for card in host.cards}) > 1:
        yield "The cards differ: each takes as much of the work as it gets done."
    if not features.check("raqm"):
        yield "Pillow lacks raqm (FriBiDi is missing), so sheets of complex scripts cannot be drawn."
    if shutil.which("npm") is None:
        yield "npm is not installed: files of Fontsource can be fetched from its CDN only."
