"""How fast sheets are embedded, beside sentence-transformers and the plain upstream loop."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from statistics import mean, median

import torch

from eval.bench import random_checkpoint
from eval.bench.flops import ARCHITECTURES, TEXT_TOKENS, Architecture
from eval.bench.matrix_peak import Peak, matrix_peak
from eval.bench.race import PEER, Race, Subject, Work
from eval.bench.random_checkpoint import Size
from eval.fonts import made
from indexer.embed.protocol import Model
from indexer.embed.qwen.checkpoint import Checkpoint, find
from indexer.embed.qwen.conversation import DOCUMENT_INSTRUCTION, QUERY_INSTRUCTION
from indexer.embed.qwen.loading import processor_of, weights_of
from indexer.errors import UserError
from indexer.sheet.render import SheetSpec

MAX_SECONDS = 1800.0  # seconds; what takes a CPU longer has to be forced
REACHED = 0.4  # of the matrix peak of a CPU, at a guess
PASSES = 3  # of all sheets, for a round and for the warm-up


@dataclass(frozen=True, kw_only=True)
class EmbedTimes:
    """Of one contender. Rates are of the median round, from bytes of sheets to vectors on the host."""

    sheets: int  # of a round
    batch: int  # sheets of a forward pass
    sheets_per_second: float
    rounds: Sequence[float]  # sheets per second of each
    tokens_per_second: float
    flops_per_second: float  # of the model, by formula
    of_peak: float  # that, over the device's measured matrix peak
    over_peer: float | None  # sheets per second, over those of sentence-transformers
    cosine: float | None  # the least with the vector that upstream's loop computes
    peak_bytes: int | None  # of the device's memory, weights included; None on a CPU

    def __str__(self) -> str:
        ratio = "" if self.over_peer is None else f"{self.over_peer:.2f}"
        cosine = "" if self.cosine is None else f"{self.cosine:.5f}"
        memory = "" if self.peak_bytes is None else f"{self.peak_bytes / 2**30:.1f}"
        return (
            f"{self.sheets:8}{self.batch:7}{self.sheets_per_second:10.4g}{self.tokens_per_second:10.0f}"
            f"{self.flops_per_second / 1e12:9.3g}{self.of_peak:9.1%}{ratio:>7}{cosine:>9}{memory:>7}"
        ).rstrip()


HEADING = (
    f"{'sheets':>8}{'batch':>7}{'sheets/s':>10}{'tokens/s':>10}{'TFLOP/s':>9}{'of peak':>9}{'ratio':>7}"
    f"{'cosine':>9}{'GiB':>7}"
)


@dataclass(frozen=True, kw_only=True)
class EmbedBench:
    model: str
    revision: str
    sheets: int
    height: int  # px
    width: int
    tokens: float  # of a sheet with its text, on average
    flops: float  # the same; of causal attention the half that is needed
    device: str
    torch: str
    transformers: str
    sentence_transformers: str
    dtype: str
    attention: str  # of all contenders
    peak: Peak
    load_seconds: float
    warm_up_seconds: float  # of the first pass of ours, compilation included
    read_per_second: float  # sheets, where reading on the CPU is all that is done
    batches: Mapping[int, float]  # of sentence-transformers, with their sheets per second
    unlike: float | None  # the median cosine of two different sheets
    contenders: Mapping[str, EmbedTimes]
    failed: Mapping[str, str]  # contenders that could not run, and why

    def __str__(self) -> str:
        shape = "x".join(map(str, self.peak.shape))
        tried = ", ".join(f"{batch}: {rate:.3g}" for batch, rate in self.batches.items())
        unlike = "" if self.unlike is None else f"; of two different sheets {self.unlike:.3f}"
        lines = [
            f"{self.model} ({self.revision}) on {self.device}: {self.dtype}, {self.attention}; torch {self.torch}, "
            f"transformers {self.transformers}, sentence-transformers {self.sentence_transformers}",
            f"{self.sheets} sheets of {self.width}x{self.height} px, each {self.tokens:.0f} tokens and "
            f"{self.flops / 1e12:.3g} TFLOP; matrix peak {self.peak.flops / 1e12:.4g} TFLOP/s ({shape})",
            f"loaded in {self.load_seconds:.0f} s, first pass {self.warm_up_seconds:.0f} s; "
            f"reading alone {self.read_per_second:.0f} sheets/s",
            f"sentence-transformers by batch size, sheets/s: {tried}",
            f"cosine: the least with upstream's loop{unlike}",
            f"{'':24}{HEADING}",
            *(f"{name:24}{outcome}" for name, outcome in self.contenders.items()),
            *(f"{name} failed: {reason}" for name, reason in self.failed.items()),
        ]
        return "\n".join(lines)


def bench_embed(
    source: str | None,
    *,
    random_weights: bool,
    sheets: int | None,
    spec: SheetSpec,
    device: str = "auto",
    compiled: bool | None = None,
    rounds: int = 3,
    force: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> EmbedBench:
    """Every contender embeds the same sheets with the same weights, in turn, several times.

    `source`: "2b", "8b", a folder or a hub id, or "tiny", which has random weights always. None: tiny
    on a CPU, 2b on a card. `sheets`: 16 on a CPU, 1,024 on a card. `compiled`: also with compiled
    layers; by default on a card. A contender that fails is left out, and the result says why. Raises
    UserError for what this host cannot do, and, unless forced, for what would take its CPU too long.
    """
    place = _device(device)
    on_cpu = place.type == "cpu"
    source = source or ("tiny" if on_cpu else "2b")
    # on a data-centre card 2B takes ten seconds for them, 8B twenty-five
    sheets = sheets or (16 if on_cpu else 1024)
    chosen = _random(source) if random_weights or source == "tiny" else find(source)
    architecture = _architecture(chosen)
    say("Measuring the matrix peak.")
    peak = matrix_peak(place, architecture)
    if on_cpu and not force:
        flops = architecture.flops(spec.height, spec.width, TEXT_TOKENS)
        _refuse_what_takes_long(source, flops / (peak.flops * REACHED), sheets, rounds)
    say(f"Rendering {sheets} sheets.")
    documents = made.documents(sheets, spec)
    say(f"Loading {source}.")
    begin = time.perf_counter()
    subject = _subject(chosen, place)
    load_seconds = time.perf_counter() - begin
    work = Work.of(subject, documents, spec)
    race = Race(subject, work, say)
    race.warm_up(compiled=not on_cpu if compiled is None else compiled)
    for number in range(rounds):
        race.round(number)
    return EmbedBench(
        model=subject.identity.name,
        revision=subject.identity.revision,
        sheets=sheets,
        height=spec.height,
        width=spec.width,
        tokens=mean(work.tokens),
        flops=mean(work.flops),
        device=_name(place),
        torch=torch.__version__,
        transformers=version("transformers"),
        sentence_transformers=version("sentence-transformers"),
        dtype=str(subject.model.dtype).removeprefix("torch."),
        attention=subject.model.config._attn_implementation,
        peak=peak,
        load_seconds=load_seconds,
        warm_up_seconds=race.warm_up_seconds,
        read_per_second=race.read_per_second,
        batches=race.batches,
        unlike=race.unlike(),
        contenders={name: _outcome(race, name, work, peak) for name in race.entries},
        failed=race.failed,
    )


def _outcome(race: Race, name: str, work: Work, peak: Peak) -> EmbedTimes:
    entry = race.entries[name]
    rate = median(entry.rates)
    tokens, flops = (mean(cost[: entry.sheets]) for cost in (work.tokens, work.flops))
    peer = race.entries.get(PEER)
    return EmbedTimes(
        sheets=entry.sheets,
        batch=entry.batch,
        sheets_per_second=rate,
        rounds=entry.rates,
        tokens_per_second=rate * tokens,
        flops_per_second=rate * flops,
        of_peak=rate * flops / peak.flops,
        over_peer=rate / median(peer.rates) if peer else None,
        cosine=race.cosine(name),
        peak_bytes=entry.peak_bytes,
    )


def _device(name: str) -> torch.device:
    """Raises UserError for one that this host does not have."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    place = torch.device(name)
    if place.type == "cuda":
        if not torch.cuda.is_available():
            raise UserError(f"{name!r} is no device of this host: torch sees no GPU.")
        place = torch.device("cuda", place.index or 0)
        torch.cuda.set_device(place)
    return place


def _name(place: torch.device) -> str:
    if place.type == "cuda":
        return torch.cuda.get_device_name(place)
    return f"CPU, {torch.get_num_threads()} threads"


def _random(source: str) -> Size:
    if source not in random_checkpoint.TEXT:
        raise UserError(f"Random weights are for the models tiny, 2b and 8b, not for {source!r}.")
    return source


def _architecture(chosen: Size | Checkpoint) -> Architecture:
    if isinstance(chosen, Checkpoint):
        return Architecture.from_config(json.loads((chosen.folder / "config.json").read_bytes()))
    return ARCHITECTURES[chosen]


def _refuse_what_takes_long(source: str, per_sheet: float, sheets: int, rounds: int) -> None:
    """Raises UserError with the time that it would take; seconds `per_sheet`."""
    seconds = per_sheet * sheets * PASSES * (1 + rounds)
    if seconds > MAX_SECONDS:
        raise UserError(
            f"On this CPU a sheet takes {source} about {per_sheet:.0f} s, and this run up to {seconds / 3600:.1f} "
            "hours. Take fewer sheets or --model tiny, or say --force."
        )


def _subject(chosen: Size | Checkpoint, place: torch.device) -> Subject:
    if isinstance(chosen, Checkpoint):
        folder = chosen.with_weights()
        return Subject(
            model=weights_of(folder, [str(place)]),
            processor=processor_of(folder),
            identity=chosen.model(),
        )
    model = random_checkpoint.build(chosen, str(place))
    identity = Model(
        name=f"Qwen3-VL-Embedding {chosen}",
        revision="random weights",
        dimension=model.config.text_config.hidden_size,
        document_instruction=DOCUMENT_INSTRUCTION,
        query_instruction=QUERY_INSTRUCTION,
        pooled_token=random_checkpoint.CONTROL.index("<|endoftext|>"),
    )
    return Subject(model=model, processor=random_checkpoint.processor(), identity=identity)
