"""What a device makes of the best of matrix products: the ceiling of every forward pass."""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median

import torch

from eval.bench.flops import Architecture

Shape = tuple[int, int, int]  # rows, inner, columns

SQUARES = (4096, 8192, 16384)  # where a card reaches its peak
SQUARES_OF_CPU = (1024, 2048)
ROWS = 16_384  # tokens of a large batch
WARM_UP, REPEATS, RUNS = 3, 5, 10  # the median of the repeats, of so many products each


@dataclass(frozen=True, kw_only=True)
class Peak:
    flops: float  # per second
    shape: Shape


def matrix_peak(device: torch.device, architecture: Architecture) -> Peak:
    """The best of large squares and, on a card, of the model's own shapes; in the model's dtype."""
    dtype = torch.float32 if device.type == "cpu" else torch.bfloat16
    if device.type == "cpu":
        shapes = [(side,) * 3 for side in SQUARES_OF_CPU]
    else:
        hidden, feed_forward = architecture.hidden, architecture.feed_forward
        shapes = [(side,) * 3 for side in SQUARES]
        shapes += [(ROWS, hidden, feed_forward), (ROWS, feed_forward, hidden)]
    measured = [Peak(flops=_flops(device, dtype, shape), shape=shape) for shape in shapes]
    return max(measured, key=lambda peak: peak.flops)


@torch.inference_mode()
def _flops(device: torch.device, dtype: torch.dtype, shape: Shape) -> float:
    rows, inner, columns = shape
    # of random numbers: products of zeros take less power, and so less time
    left = torch.randn(rows, inner, device=device, dtype=dtype)
    right = torch.randn(columns, inner, device=device, dtype=dtype)
    out = torch.empty(rows, columns, device=device, dtype=dtype)
    work = 2 * rows * inner * columns
    if device.type == "cpu":
        return work / median(_seconds(left, right, out) for _ in range(REPEATS))
    for _ in range(WARM_UP):
        torch.mm(left, right.T, out=out)
    return work * RUNS / median(_seconds_of_runs(left, right, out) for _ in range(REPEATS))


def _seconds(left: torch.Tensor, right: torch.Tensor, out: torch.Tensor) -> float:
    begin = time.perf_counter()
    torch.mm(left, right.T, out=out)
    return time.perf_counter() - begin


def _seconds_of_runs(left: torch.Tensor, right: torch.Tensor, out: torch.Tensor) -> float:
    """By the card's own clock, so that nothing but the products is timed."""
    with torch.cuda.device(left.device):
        begin = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        end = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        begin.record()
        for _ in range(RUNS):
            torch.mm(left, right.T, out=out)
        end.record()
        end.synchronize()
        milliseconds: float = begin.elapsed_time(end)
    return milliseconds / 1000
