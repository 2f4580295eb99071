"""Qwen3-VL's layers from their own weights, in fewer and larger steps than the model takes.

Same numbers as Qwen3VLTextDecoderLayer and Qwen3VLVisionBlock (transformers,
models/qwen3_vl/modeling_qwen3_vl.py); what differs is how often the device is called:

- Query, key and value come of one product, gate and up of one.
- The norm is one kernel, and both rotations are one: turning half of a head is a roll, whose signs
  are in the sines.
- Of the last layer only the pooled row is computed, beyond its keys and values.

Between layers, tensors are (batch, length, hidden); within attention (batch, length, heads, dim).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

# (query, key, value, causal) of shape (batch, length, heads, dim) to what was seen, of query's shape
Attend = Callable[[Tensor, Tensor, Tensor, bool], Tensor]


class TextWeights(NamedTuple):
    """Of a decoder layer. A tuple, so that one compiled graph serves all layers."""

    norm: Tensor
    joint: Tensor  # rows of query, key and value
    head_norm: Tensor  # (heads of query and key, dim)
    out: Tensor
    feed_norm: Tensor
    gate_up: Tensor
    down: Tensor


@dataclass(frozen=True, kw_only=True)
class TextShape:
    heads: int  # of queries
    key_heads: int  # of keys, and of values
    dim: int  # of a head
    epsilon: float


@torch.no_grad()
def text_weights(layer: Any) -> TextWeights:
    """Of a Qwen3VLTextDecoderLayer, whose own weights become views of these: no memory is added."""
    layer.requires_grad_(False)
    attention, feed = layer.self_attn, layer.mlp
    shape = text_shape(layer)
    return TextWeights(
        norm=layer.input_layernorm.weight,
        joint=_joined(attention.q_proj, attention.k_proj, attention.v_proj),
        head_norm=torch.cat(
            [
                attention.q_norm.weight.expand(shape.heads, -1),
                attention.k_norm.weight.expand(shape.key_heads, -1),
            ]
        ),
        out=attention.o_proj.weight,
        feed_norm=layer.post_attention_layernorm.weight,
        gate_up=_joined(feed.gate_proj, feed.up_proj),
        down=feed.down_proj.weight,
    )


def text_shape(layer: Any) -> TextShape:
    config = layer.self_attn.config
    return TextShape(
        heads=config.num_attention_heads,
        key_heads=config.num_key_value_heads,
        dim=layer.self_attn.head_dim,
        epsilon=config.rms_norm_eps,
    )


def text_layer(
    weights: TextWeights,
    shape: TextShape,
    states: Tensor,
    cos: Tensor,
    sin: Tensor,
    attend: Attend,
) -> Tensor:
    """`cos` and `sin`: (1, length, 1, dim), of `rotation`."""
    normed = _normed(states, weights.norm, shape)
    joint = _by_head(functional.linear(normed, weights.joint), shape.dim)
    turned, value = torch.split(joint, [shape.heads + shape.key_heads, shape.key_heads], 2)
    turned = _turned(turned, weights.head_norm, shape, cos, sin)
    query, key = torch.split(turned, [shape.heads, shape.key_heads], 2)
    seen = attend(query, key, value, True)
    return _fed(weights, shape, states + functional.linear(seen.flatten(2), weights.out))


def last_text_layer(
    weights: TextWeights, shape: TextShape, states: Tensor, last: Tensor, cos: Tensor, sin: Tensor
) -> Tensor:
    """(batch, hidden): of the position `last` (batch,) of each row, which sees those before it."""
    batch, length, _ = states.shape
    rows = torch.arange(batch, device=states.device)
    normed, pooled = _normed(states, weights.norm, shape), states[rows, last][:, None]
    query_rows = shape.heads * shape.dim
    query = _by_head(
        functional.linear(normed[rows, last][:, None], weights.joint[:query_rows]), shape.dim
    )
    rest = _by_head(functional.linear(normed, weights.joint[query_rows:]), shape.dim)
    key, value = torch.split(rest, shape.key_heads, 2)
    at_last = (cos[0, last][:, None], sin[0, last][:, None])
    query = _turned(query, weights.head_norm[: shape.heads], shape, *at_last)
    key = _turned(key, weights.head_norm[shape.heads :], shape, cos, sin)
    visible = torch.arange(length, device=states.device) <= last[:, None]
    seen = functional.scaled_dot_product_attention(
        query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2),
        attn_mask=visible[:, None, None], enable_gqa=shape.heads != shape.key_heads,
    )  # fmt: skip
    seen = seen.transpose(1, 2).flatten(2)
    return _fed(weights, shape, pooled + functional.linear(seen, weights.out))[:, 0]


def vision_layer(block: Any, states: Tensor, cos: Tensor, sin: Tensor, attend: Attend) -> Tensor:
    """A Qwen3VLVisionBlock for images of one size. `cos` and `sin`: (patches, 1, dim), float32."""
    attention = block.attn
    joint = _by_head(attention.qkv(block.norm1(states)), attention.head_dim)
    turned, value = torch.split(joint, [2 * attention.num_heads, attention.num_heads], 2)
    query, key = rotated(turned, cos, sin).to(states.dtype).chunk(2, dim=2)
    states = states + attention.proj(attend(query, key, value, False).flatten(2))
    result: Tensor = states + block.mlp(block.norm2(states))
    return result


def sdpa(query: Tensor, key: Tensor, value: Tensor, causal: bool) -> Tensor:
    """Torch's own attention."""
    seen = functional.scaled_dot_product_attention(
        query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2),
        is_causal=causal, enable_gqa=query.shape[2] != key.shape[2],
    )  # fmt: skip
    return seen.transpose(1, 2)


def flash(query: Tensor, key: Tensor, value: Tensor, causal: bool) -> Tensor:
    """That of the package flash-attn."""
    from flash_attn import flash_attn_func  # noqa: PLC0415 - few have it

    seen: Tensor = flash_attn_func(query, key, value, causal=causal)
    return seen


def rotation(cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor]:
    """Of angles per position, (…, dim), what `rotated` takes: with an axis for the heads."""
    half = sin.shape[-1] // 2
    signs = torch.cat([-sin[..., :half], sin[..., half:]], dim=-1)
    return cos.unsqueeze(-2), signs.unsqueeze(-2)


def rotated(heads: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """`apply_rotary_pos_emb`, in the wider type of the heads and the angles."""
    return torch.addcmul(heads * cos, heads.roll(heads.shape[-1] // 2, dims=-1), sin)


def _turned(heads: Tensor, norm: Tensor, shape: TextShape, cos: Tensor, sin: Tensor) -> Tensor:
    normed = functional.rms_norm(heads, (shape.dim,), eps=shape.epsilon) * norm
    return rotated(normed, cos, sin)


def _by_head(states: Tensor, dim: int) -> Tensor:
    """(batch, length, heads, dim)"""
    return states.view(*states.shape[:-1], -1, dim)


def _fed(weights: TextWeights, shape: TextShape, states: Tensor) -> Tensor:
    normed = _normed(states, weights.feed_norm, shape)
    gate, up = functional.linear(normed, weights.gate_up).chunk(2, dim=-1)
    return states + functional.linear(functional.silu(gate) * up, weights.down)


def _normed(states: Tensor, weight: Tensor, shape: TextShape) -> Tensor:
    return functional.rms_norm(states, (states.shape[-1],), weight, shape.epsilon)


def _joined(*parts: nn.Linear) -> Tensor:
    """Their weights one below the other, of which theirs are views from now on."""
    weights = [part.weight for part in parts]
    rows, width = sum(map(len, weights)), weights[0].shape[1]
    if _adjacent(weights):  # they have been joined before
        return weights[0].as_strided((rows, width), (width, 1))
    joint = torch.cat(weights)
    for part, own in zip(
        parts, torch.split(joint, [len(weight) for weight in weights]), strict=True
    ):
        part.weight = nn.Parameter(own, requires_grad=False)
    return joint


def _adjacent(weights: Sequence[Tensor]) -> bool:
    return all(
        one.is_contiguous()
        and one.untyped_storage().data_ptr() == two.untyped_storage().data_ptr()
        and one.storage_offset() + one.numel() == two.storage_offset()
        for one, two in pairwise(weights)
    )
