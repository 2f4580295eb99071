"""A batch through Qwen3-VL's own layers, without what keeps the model's own `forward` slow.

Same weights, same layers, same numbers as `Qwen3VLModel.forward` (transformers,
models/qwen3_vl/modeling_qwen3_vl.py); what differs is how they are called:

- All images of a batch have one size. So vision attention is one call of shape (batch, heads,
  patches, head dim) in place of a loop over images with a stop of the device at each.
- Rows are padded on the right, and attention is causal: no token that counts sees a padding token.
  So no mask is needed, and attention takes its fast path.
- Images arrive as bytes, grey ones with one channel, and become patches on the device.
- No lm_head, no cache, and the final norm of the pooled position alone.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import Qwen3VLModel

from indexer.embed.qwen.layers import (
    flash,
    last_text_layer,
    rotation,
    sdpa,
    text_layer,
    text_shape,
    text_weights,
    vision_layer,
)

Grid = tuple[int, int]  # rows and columns

# Torch prefers cuDNN's attention on Hopper. It makes a plan for each exact shape and thread, and the
# lengths of texts are many: flash attention needs none. Grids are few.
FLASH_FIRST = [
    SDPBackend.FLASH_ATTENTION,
    SDPBackend.EFFICIENT_ATTENTION,
    SDPBackend.MATH,
]
CUDNN_FIRST = [SDPBackend.CUDNN_ATTENTION, *FLASH_FIRST]


class Forward:
    """Hidden states of the pooled positions for a batch of one layout."""

    def __init__(self, model: Qwen3VLModel, mean: list[float], std: list[float]) -> None:
        """`mean` and `std` are the image processor's, per channel of pixels from 0 to 1."""
        self._vision = model.visual
        self._text = model.language_model
        self._weights = [text_weights(layer) for layer in self._text.layers]
        self._shape = text_shape(self._text.layers[0])
        package = model.config._attn_implementation == "flash_attention_2"
        self._attend = flash if package else sdpa
        self.may_be_compiled = not package  # it would be compiled again for each layer
        self._vision_kernels = FLASH_FIRST
        self.interpret()
        projection = self._vision.patch_embed.proj
        # a still image is its own second frame: one sum of the two kernels saves half of the patches
        folded = projection.weight.float().sum(2).flatten(1)
        self._patch_weight = folded.to(projection.weight.dtype)
        self._mean = 255 * torch.tensor(mean, device=self.device)
        self._std = 255 * torch.tensor(std, device=self.device)

    @property
    def device(self) -> torch.device:
        device: torch.device = self._text.embed_tokens.weight.device
        return device

    def compile(self) -> None:
        """Layers only: one graph for all decoder layers and one for all vision blocks, of any shape.

        The next batches wait for the compiler, and raise what it raises; `interpret` undoes it.
        """
        self._vision_layer = torch.compile(vision_layer, dynamic=True)
        self._text_layer = torch.compile(text_layer, dynamic=True)

    def interpret(self) -> None:
        """Without a compiler."""
        self._vision_layer, self._text_layer = vision_layer, text_layer

    def use_cudnn(self, wanted: bool) -> None:
        """For images, whether cuDNN's attention comes before the others."""
        self._vision_kernels = CUDNN_FIRST if wanted else FLASH_FIRST

    @torch.inference_mode()
    def __call__(
        self, ids: Tensor, last: Tensor, pixels: Tensor | None = None, image_at: int = 0
    ) -> Tensor:
        """(batch, hidden) float32: the last hidden state at position `last` of each row.

        `ids`: (batch, length) int64, padded on the right with anything. `last`: (batch,) int64.
        `pixels`: uint8, (batch, height, width, 3), or (batch, height, width) of grey images; their
        tokens stand from `image_at` on in every row.
        """
        states = self._text.embed_tokens(ids)
        grid, deep = (0, 0), list[Tensor]()
        if pixels is not None:
            with sdpa_kernel(self._vision_kernels, set_priority=True):
                grid, features, deep = self._see(pixels)
            place = slice(image_at, image_at + features.shape[1])
            states[:, place] = features
        positions = _positions(ids.shape[1], image_at, grid, ids.device)
        cos, sin = rotation(*self._text.rotary_emb(states, positions))
        *layers, final = self._weights
        with sdpa_kernel(FLASH_FIRST, set_priority=True):
            for number, weights in enumerate(layers):
                states = self._text_layer(weights, self._shape, states, cos, sin, self._attend)
                if number < len(deep):
                    states[:, place] += deep[number]
            pooled = last_text_layer(final, self._shape, states, last, cos, sin)
        hidden: Tensor = self._text.norm(pooled).float()
        return hidden

    def _see(self, pixels: Tensor) -> tuple[Grid, Tensor, list[Tensor]]:
        """Per image its tokens, (batch, tokens, hidden), and those for the first decoder layers."""
        vision = self._vision
        size, merge = vision.config.patch_size, vision.config.spatial_merge_size
        batch, rows, columns = len(pixels), pixels.shape[1] // size, pixels.shape[2] // size
        colours = pixels if pixels.dim() == 4 else pixels[..., None]
        scaled = ((colours - self._mean) / self._std).to(self._patch_weight.dtype)
        # patches that become one token stand together, channels first in each
        blocks = scaled.view(batch, rows // merge, merge, size, columns // merge, merge, size, 3)
        patches = blocks.permute(0, 1, 4, 2, 5, 7, 3, 6).reshape(batch, rows * columns, -1)
        states = functional.linear(patches, self._patch_weight, vision.patch_embed.proj.bias)
        states = states + self._learned_positions((rows, columns))
        cos, sin = rotation(*self._vision_rotation((rows, columns)))
        deep: list[Tensor] = []
        for number, block in enumerate(vision.blocks):
            states = self._vision_layer(block, states, cos, sin, self._attend)
            if number in vision.deepstack_visual_indexes:
                merger = vision.deepstack_merger_list[len(deep)]
                deep.append(merger(states).view(batch, -1, merger.linear_fc2.out_features))
        features = vision.merger(states).view(batch, -1, vision.merger.linear_fc2.out_features)
        return (rows // merge, columns // merge), features, deep

    def _learned_positions(self, grid: Grid) -> Tensor:
        """(patches, hidden): the learned square of positions, stretched to the grid."""
        weight = self._vision.pos_embed.weight
        side = int(len(weight) ** 0.5)
        square = weight.float().T.view(1, -1, side, side)
        stretched = functional.interpolate(square, size=grid, mode="bilinear", align_corners=True)
        return self._by_token(stretched[0].movedim(0, -1)).to(weight.dtype)

    def _vision_rotation(self, grid: Grid) -> tuple[Tensor, Tensor]:
        """Cosines and sines, (patches, head dim), float32: half of them turn by row, half by column."""
        vision = self._vision.config
        half = vision.hidden_size // vision.num_heads // 2
        frequencies = 1.0 / 10_000 ** (torch.arange(0, half, 2, device=self.device) / half)
        rows, columns = (torch.arange(side, device=self.device) for side in grid)
        places = torch.stack(torch.meshgrid(rows, columns, indexing="ij"), dim=-1)
        angles = (self._by_token(places)[..., None] * frequencies).flatten(1).repeat(1, 2)
        return angles.cos(), angles.sin()

    def _by_token(self, grid: Tensor) -> Tensor:
        """(rows, columns, x) to (patches, x), in the order in which patches stand."""
        merge = self._vision.config.spatial_merge_size
        rows, columns, _ = grid.shape
        blocks = grid.view(rows // merge, merge, columns // merge, merge, -1)
        return blocks.transpose(1, 2).flatten(0, 3)


def _positions(length: int, image_at: int, grid: Grid, device: torch.device) -> Tensor:
    """(3, 1, length): time, row and column of each token (`Qwen3VLModel.get_rope_index`).

    Text counts all three up together; an image of r x c tokens stands at one time, and text goes on
    after max(r, c).
    """
    rows, columns = grid
    count = torch.arange(length, device=device)  # made there: a copy would wait for the device
    if not rows:
        return count.expand(3, 1, -1)
    row, column = torch.meshgrid(count[:rows], count[:columns], indexing="ij")
    image = image_at + torch.stack([torch.zeros_like(row), row, column]).flatten(1)
    after = image_at + max(rows, columns) + count[: length - image_at - rows * columns]
    parts = [count[:image_at].expand(3, -1), image, after.expand(3, -1)]
    return torch.cat(parts, dim=1)[:, None]
