"""What a sheet costs: the formula, beside torch's counter and numbers that were worked out elsewhere."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from click.testing import CliRunner
from PIL import Image

from eval.bench.capacity import BYTES
from eval.bench.flops import ARCHITECTURES
from eval.cli import main
from tests.fix_qwen import NEEDS_TORCH

TINY = ARCHITECTURES["tiny"]


@pytest.mark.model
@pytest.mark.parametrize(("height", "width", "words"), [(128, 256, 1), (512, 1024, 40)])
def test_the_formula_counts_what_torch_counts(height: int, width: int, words: int) -> None:
    """Of the model's own forward, with the inputs that the real processor makes."""
    torch = pytest.importorskip("torch", reason=NEEDS_TORCH)
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    from eval.bench.random_checkpoint import build, processor

    text = "<|vision_start|><|image_pad|><|vision_end|>" + "serif " * words
    inputs = processor()(text=text, images=Image.new("RGB", (width, height)), return_tensors="pt")
    # in its parts: the counter does not know the fused attention of CPUs
    with (
        torch.inference_mode(),
        sdpa_kernel(SDPBackend.MATH),
        FlopCounterMode(display=False) as counter,
    ):
        build("tiny")(**inputs)
    text_tokens = inputs["input_ids"].shape[1] - TINY.image_tokens(height, width)
    formula = TINY.flops(height, width, text_tokens, whole_attention=True)
    # some versions of transformers multiply the rotations out, too
    assert counter.get_total_flops() == pytest.approx(formula, rel=1e-3)
    # masked, a query sees half of the keys: of 4 n² w for all heads of the 4 layers, 2 n² w
    length = TINY.image_tokens(height, width) + text_tokens
    half = TINY.flops(height, width, text_tokens)
    assert formula - half == 4 * 2 * length**2 * 64


@pytest.mark.parametrize(
    ("height", "width", "small", "large"),
    [(512, 512, 1.62, 5.20), (512, 1024, 3.35, 10.1), (768, 768, 3.82, 11.4), (1024, 1024, 7.47, 20.9)],
)  # fmt: skip
def test_the_formula_agrees_with_published_numbers(
    height: int, width: int, small: float, large: float
) -> None:
    """TFLOP of a sheet with 40 tokens of text."""
    for model, expected in (("2b", small), ("8b", large)):
        flops = ARCHITECTURES[model].flops(height, width, 40)
        assert flops / 1e12 == pytest.approx(expected, rel=0.005)


def test_the_plan_divides_what_the_cards_do_by_what_a_sheet_takes() -> None:
    done = CliRunner().invoke(
        main, ["plan", "--tflops=71", "--cards=2", "--utilisation=0.5", "--json"]
    )
    assert done.exit_code == 0, done.output
    rows = json.loads(done.stdout)
    assert [(row["model"], row["height"], row["width"]) for row in rows] == [
        (model, *size) for model in ("2b", "8b") for size in ((512, 512), (512, 1024), (1024, 1024))
    ]
    large = rows[4]
    assert large["tokens"] == 512 + 80
    assert large["fonts_per_second"] == pytest.approx(71e12 / large["flops"])
    assert large["hours"]["200000"] == pytest.approx(200_000 / large["fonts_per_second"] / 3600)


def test_the_plan_is_printed_as_markdown() -> None:
    done = CliRunner().invoke(main, ["plan", "--cards=1"])
    assert done.exit_code == 0, done.output
    head, rule, *rows = done.stdout.splitlines()
    assert head.startswith("| model | sheet, px | tokens |")
    assert head.count("|") == rule.count("|") == rows[0].count("|")
    assert len(rows) == 6
    assert "| 8B | 1024 × 512 | 592 | 10.70 | 3.3 | 10 min | 1.7 h | 16.8 h |" in rows


def planned(*options: str) -> dict[str, dict[str, Any]]:
    done = CliRunner().invoke(main, ["plan", "--fonts=20000", "--json", *options])
    assert done.exit_code == 0, done.output
    return {line["what"]: line for line in json.loads(done.stdout)}


def test_the_plan_of_a_backfill_says_what_each_number_rests_on() -> None:
    lines = planned("--gpus=4", "--gpu=H200", "--model=2b", "--cores=34", "--hosts=2")
    assert lines["embed sheets"]["value"] == pytest.approx(20_000 / (4 * 106))
    assert lines["embed sheets"]["basis"] == "estimate"
    assert lines["render and measure"]["value"] == pytest.approx(20_000 * 0.1 / 32)
    assert lines["connections"]["value"] == 4 * 5 + 1
    assert lines["build the graph anew"]["value"] == pytest.approx(14)
    assert all(line["source"] for line in lines.values())
    stages = (
        "fetch from npm, nothing cached",
        "render and measure",
        "embed sheets",
        "save, index in place",
    )
    assert lines["the whole run"]["value"] == max(lines[stage]["value"] for stage in stages)


def test_the_plan_takes_the_rate_that_was_measured() -> None:
    embed = planned("--gpus=2", "--rate=50")["embed sheets"]
    assert (embed["value"], embed["basis"]) == (pytest.approx(200), "given")
    by_default = planned("--gpus=2", "--model=8b")["embed sheets"]["value"]
    assert by_default == pytest.approx(20_000 * ARCHITECTURES["8b"].flops(512, 1024, 80) / 71e12)


@pytest.mark.slow
def test_the_bytes_of_the_plan_are_those_of_a_table() -> None:
    """The bench says them of a real one; bookkeeping has pages that are not full yet."""
    rows = 200
    done = CliRunner().invoke(main, ["bench", "storage", f"--rows={rows}", "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)["bytes"]
    assert found.keys() == BYTES.keys()
    for what in ("vectors", "graph"):
        assert found[what] / rows == pytest.approx(BYTES[what], rel=0.1)


def test_the_plan_needs_no_torch() -> None:
    """Nor do the other commands, until `bench embed` is called."""
    probe = (
        "import sys, eval.cli, eval.bench.flops\n"
        "assert not {'torch', 'transformers', 'tokenizers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", probe], check=True)
