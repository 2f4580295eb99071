"""What a sheet costs: tokens and floating-point operations of Qwen3-VL's forward pass, by formula.

Counted are all matrix products (a multiplication and an addition are two operations), attention
included; a tenth of a percent of the rest (norms, rotations, activations) is not. Of the decoder's
causal attention only the half below the diagonal is counted, which is all that has to be computed.
So a share of the peak that is worked out from it is not flattered by kernels that compute the other
half too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from eval.bench.random_checkpoint import TEXT, VISION

TEXT_TOKENS = 80  # of the instruction, the template and the short text of a font
SIZES = ((512, 512), (512, 1024), (1024, 1024))  # height and width of a sheet, px
FONTS = (2_000, 20_000, 200_000)


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """The sizes that decide the cost, as they are named in a checkpoint's config.json."""

    layers: int
    hidden: int
    query_width: int  # heads times head dim
    key_width: int  # the same of the fewer heads of keys and of values
    feed_forward: int
    blocks: int
    vision_hidden: int
    vision_feed_forward: int
    mergers: int  # one at the end and one for each DeepStack layer
    patch: int = 16  # px
    merge: int = 2  # patches on a side of a token
    patch_values: int = 3 * 2 * 16 * 16  # colours, the two equal frames of a still image, px

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        text, vision = config["text_config"], config["vision_config"]
        return cls(
            layers=text["num_hidden_layers"],
            hidden=text["hidden_size"],
            query_width=text["num_attention_heads"] * text["head_dim"],
            key_width=text["num_key_value_heads"] * text["head_dim"],
            feed_forward=text["intermediate_size"],
            blocks=vision["depth"],
            vision_hidden=vision["hidden_size"],
            vision_feed_forward=vision["intermediate_size"],
            mergers=1 + len(vision["deepstack_visual_indexes"]),
        )

    def image_tokens(self, height: int, width: int) -> int:
        """`height` and `width` in px, multiples of 32."""
        return self._patches(height, width) // self.merge**2

    def flops(
        self,
        height: int,
        width: int,
        text_tokens: int,
        *,
        whole_attention: bool = False,
        pooled: bool = False,
    ) -> int:
        """Of one sheet with so many tokens beside its own.

        `whole_attention`: with both halves of the decoder's attention, as torch's counter has it.
        `pooled`: of the last layer only what the pooled position needs.
        """
        patches, tokens = self._patches(height, width), self.image_tokens(height, width)
        length = tokens + text_tokens
        attention = 4 * length**2 * self.query_width
        layer = self._layer() * length + (attention if whole_attention else attention // 2)
        last = self._last_layer(length) if pooled else layer
        block = self._block() * patches + 4 * patches**2 * self.vision_hidden
        embedding = 2 * self.patch_values * self.vision_hidden * patches
        return (
            embedding + self.blocks * block + self.mergers * self._merger() * tokens
            + (self.layers - 1) * layer + last
        )  # fmt: skip

    def _patches(self, height: int, width: int) -> int:
        return (height // self.patch) * (width // self.patch)

    def _layer(self) -> int:
        """Of a decoder layer for one token, attention left out."""
        projections = 2 * self.query_width + 2 * self.key_width
        return 2 * self.hidden * (projections + 3 * self.feed_forward)

    def _last_layer(self, length: int) -> int:
        """Keys and values of all tokens, and the rest for one."""
        keys_and_values = 2 * self.hidden * 2 * self.key_width * length
        rest = self._layer() - 2 * self.hidden * 2 * self.key_width
        return keys_and_values + rest + 4 * length * self.query_width

    def _block(self) -> int:
        """Of a vision block for one patch, attention left out."""
        return 2 * self.vision_hidden * (4 * self.vision_hidden + 2 * self.vision_feed_forward)

    def _merger(self) -> int:
        """Of a merger for one token."""
        joined = self.merge**2 * self.vision_hidden
        return 2 * joined * (joined + self.hidden)


ARCHITECTURES = {
    size: Architecture.from_config({"text_config": TEXT[size], "vision_config": VISION[size]})
    for size in TEXT
}


@dataclass(frozen=True, kw_only=True)
class Planned:
    """What a model and a size of sheet come to on paper."""

    model: str
    height: int  # px
    width: int
    tokens: int  # of a sheet, text included
    flops: int  # of a sheet
    fonts_per_second: float
    hours: Mapping[int, float]  # for so many fonts


def plan(
    tflops: float, cards: int, utilisation: float, text_tokens: int = TEXT_TOKENS
) -> list[Planned]:
    """`tflops`: a card's dense bf16 peak. `utilisation`: the share of it that is reached."""
    planned = []
    for model in ("2b", "8b"):
        architecture = ARCHITECTURES[model]
        for height, width in SIZES:
            flops = architecture.flops(height, width, text_tokens)
            rate = cards * tflops * 1e12 * utilisation / flops
            planned.append(
                Planned(
                    model=model,
                    height=height,
                    width=width,
                    tokens=architecture.image_tokens(height, width) + text_tokens,
                    flops=flops,
                    fonts_per_second=rate,
                    hours={fonts: fonts / rate / 3600 for fonts in FONTS},
                )
            )
    return planned


def table(planned: Sequence[Planned]) -> str:
    """In Markdown."""
    head = ["model", "sheet, px", "tokens", "TFLOP a sheet", "fonts/s"]
    rows = [[*head, *(f"{fonts:,} fonts" for fonts in FONTS)], ["---"] * (len(head) + len(FONTS))]
    for row in planned:
        rows.append(
            [
                row.model.upper(),
                f"{row.width} × {row.height}",  # noqa: RUF001 - for people
                str(row.tokens),
                f"{row.flops / 1e12:.2f}",
                f"{row.fonts_per_second:.1f}",
                *(duration(hours) for hours in row.hours.values()),
            ]
        )
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def duration(hours: float) -> str:
    """For people."""
    return f"{hours:.1f} h" if hours >= 1 else f"{hours * 60:.0f} min"
