"""Which cards this host has, and which model they can hold."""

from __future__ import annotations

import multiprocessing
import platform
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from indexer.embed.qwen import LARGE, SMALL
from indexer.errors import UserError

GIB = 1024**3
# free memory of a card: weights in bfloat16 (16.3 and 4.3 GB) and room to work in
NEEDS = {LARGE: 20 * GIB, SMALL: 6 * GIB}
EXTRA = "Qwen3-VL needs the extra vl: pip install 'fontsight[vl]'."
ELSEWHERE = (
    "Embed by measurements, with no GPU (--vl-embedder measured-traits); or on another host "
    "(--vl-embedder remote, with VL_EMBEDDING_URL); or, slowly, on the CPU (--vl-embedder 2b "
    "--devices cpu)."
)


@dataclass(frozen=True, kw_only=True)
class Card:
    """A CUDA device, or Apple's GPU."""

    device: str  # "cuda:0", "mps"
    name: str
    free: int  # bytes
    total: int  # bytes
    capability: tuple[int, int] | None  # of CUDA


@dataclass(frozen=True, kw_only=True)
class Host:
    """What decides how fast this host embeds."""

    torch: str
    transformers: str
    cuda: str | None  # that torch was built for; None: for CPUs
    cards: tuple[Card, ...]
    flash_attention: str | None  # version
    processor: str


def named(devices: str | None) -> tuple[str, ...]:
    """The devices of a list such as "cuda:0,cuda:1"."""
    return tuple(name.strip() for name in (devices or "").split(",") if name.strip())


def look() -> Host:
    """Ask torch, in a process that ends with the answer: a CUDA context takes memory of every card.

    Raises UserError where torch is not installed, or cannot be imported.
    """
    context = multiprocessing.get_context("spawn")
    try:
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            return pool.submit(_look).result()
    except ModuleNotFoundError as error:
        raise UserError(f"{EXTRA} {ELSEWHERE}") from error
    except (ImportError, OSError, RuntimeError, BrokenProcessPool) as error:
        raise UserError(f"torch does not work here: {str(error)[:300]}. {ELSEWHERE}") from error


def choose(cards: Sequence[Card]) -> str:
    """The largest model that a card has room for. Raises UserError where none has."""
    for name, needed in NEEDS.items():
        if any(card.free >= needed for card in cards):
            return name
    found = ", ".join(f"{card.name} with {card.free / GIB:.1f} GiB free" for card in cards)
    raise UserError(
        f"No card has {NEEDS[SMALL] / GIB:.0f} GiB free for {SMALL} (found: {found or 'no GPU'}). "
        f"{ELSEWHERE}"
    )


def fitting(cards: Sequence[Card], name: str) -> tuple[str, ...]:
    """The cards with room for a model; all of them for a model of unknown size. Raises UserError."""
    found = tuple(card.device for card in cards if card.free >= NEEDS.get(name, 0))
    if not found:
        needed = f" {NEEDS[name] / GIB:.0f} GiB free on a card" if name in NEEDS else " a GPU"
        raise UserError(f"{name} needs{needed}, which is not to be had here. {ELSEWHERE}")
    return found


def _look() -> Host:
    import torch  # noqa: PLC0415 - not in the process that asks
    import transformers  # noqa: PLC0415

    cards = []
    for index in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(index)
        properties = torch.cuda.get_device_properties(index)
        cards.append(
            Card(
                device=f"cuda:{index}",
                name=properties.name,
                free=free,
                total=total,
                capability=(properties.major, properties.minor),
            )
        )
    if torch.backends.mps.is_available():  # its memory is the host's
        total = torch.mps.recommended_max_memory()
        free = total - torch.mps.driver_allocated_memory()
        cards.append(Card(device="mps", name="Apple GPU", free=free, total=total, capability=None))
    return Host(
        torch=torch.__version__,
        transformers=transformers.__version__,
        cuda=torch.version.cuda,
        cards=tuple(cards),
        flash_attention=_installed("flash-attn"),
        processor=f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads",
    )


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
