"""Checkpoints of Qwen3-VL's architecture with random weights, where no real ones can be had.

They load, template, tokenize, preprocess and pool as the real ones do, and in a real configuration
they cost what the real ones cost. Their vectors mean nothing. Sizes are those of the model cards of
Qwen/Qwen3-VL-Embedding-2B and -8B.
"""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from indexer.errors import UserError

if TYPE_CHECKING:
    from transformers import Qwen3VLConfig, Qwen3VLModel, Qwen3VLProcessor

# ruff: noqa: PLC0415 - the sizes are wanted without torch and transformers

Size = Literal["tiny", "2b", "8b"]

CONTROL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
# What Qwen's own template makes of a system text and a user's image and text.
CHAT_TEMPLATE = (
    "{%- for message in messages -%}"
    "{{ '<|im_start|>' + message.role + '\n' }}"
    "{%- for part in message.content -%}"
    "{%- if part.type == 'image' -%}{{ '<|vision_start|><|image_pad|><|vision_end|>' }}"
    "{%- else -%}{{ part.text }}{%- endif -%}"
    "{%- endfor -%}"
    "{{ '<|im_end|>\n' }}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\n' }}{%- endif -%}"
)

TEXT: dict[Size, dict[str, Any]] = {
    "tiny": {
        "hidden_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4,
        "num_key_value_heads": 2, "head_dim": 16, "intermediate_size": 128, "vocab_size": 4096,
    },
    "2b": {
        "hidden_size": 2048, "num_hidden_layers": 28, "num_attention_heads": 16,
        "num_key_value_heads": 8, "head_dim": 128, "intermediate_size": 6144, "vocab_size": 151_936,
    },
    "8b": {
        "hidden_size": 4096, "num_hidden_layers": 36, "num_attention_heads": 32,
        "num_key_value_heads": 8, "head_dim": 128, "intermediate_size": 12_288,
        "vocab_size": 151_936,
    },
}  # fmt: skip
VISION: dict[Size, dict[str, Any]] = {
    "tiny": {
        "depth": 4, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2,
        "deepstack_visual_indexes": [0, 1, 2], "num_position_embeddings": 64,
    },
    "2b": {
        "depth": 24, "hidden_size": 1024, "intermediate_size": 4096, "num_heads": 16,
        "deepstack_visual_indexes": [5, 11, 17], "num_position_embeddings": 2304,
    },
    "8b": {
        "depth": 27, "hidden_size": 1152, "intermediate_size": 4304, "num_heads": 16,
        "deepstack_visual_indexes": [8, 16, 24], "num_position_embeddings": 2304,
    },
}  # fmt: skip
SPREAD: dict[Size, float] = {"tiny": 0.2, "2b": 0.02, "8b": 0.02}  # or so few layers all agree


def config_of(size: Size) -> Qwen3VLConfig:
    from transformers import Qwen3VLConfig

    text = TEXT[size]
    ids = {token: place for place, token in enumerate(CONTROL)}
    # the interleaved rotary positions share half a head's dimensions out to time, height and width
    section = [24, 20, 20] if size != "tiny" else [4, 2, 2]
    spread = {"initializer_range": SPREAD[size]}
    return Qwen3VLConfig(
        text_config={
            **text,
            **spread,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 5_000_000,
                "mrope_section": section,
                "mrope_interleaved": True,
            },
        },
        vision_config={**VISION[size], **spread, "out_hidden_size": text["hidden_size"]},
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
        tie_word_embeddings=size == "2b",
    )


def processor() -> Qwen3VLProcessor:
    """A byte-level BPE tokenizer of 3,000 entries, learned from the lexicon, and the real image processor."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import (
        PreTrainedTokenizerFast,
        Qwen2VLImageProcessor,
        Qwen3VLProcessor,
        Qwen3VLVideoProcessor,
    )

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    lexicon = files("indexer").joinpath("embed/measured/lexicon.toml").read_text(encoding="utf-8")
    tokenizer.train_from_iterator(
        lexicon.splitlines(),
        trainers.BpeTrainer(
            vocab_size=3000,
            special_tokens=list(CONTROL),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    # as in Qwen3-Embedding, whose report says that this token is the one that is pooled
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A <|endoftext|>", special_tokens=[("<|endoftext|>", 0)]
    )
    return Qwen3VLProcessor(
        image_processor=Qwen2VLImageProcessor(
            patch_size=16,
            image_mean=[0.5] * 3,
            image_std=[0.5] * 3,
            size={"shortest_edge": 4_096, "longest_edge": 1_843_200},
        ),
        tokenizer=PreTrainedTokenizerFast(
            tokenizer_object=tokenizer, pad_token=CONTROL[0], padding_side="right"
        ),
        video_processor=Qwen3VLVideoProcessor(),
        chat_template=CHAT_TEMPLATE,
    )


def build(size: Size, device: str = "cpu", *, seed: int = 0) -> Qwen3VLModel:
    """The model, its weights drawn on the device: bfloat16 on cards, float32 on a CPU."""
    import torch
    from transformers import AutoModel

    from indexer.embed.qwen.loading import attention_of

    torch.manual_seed(seed)
    with torch.device(device) as place:
        model: Qwen3VLModel = AutoModel.from_config(
            config_of(size),
            dtype=torch.float32 if place.type == "cpu" else torch.bfloat16,
            attn_implementation=attention_of([device]),
        )
    return model.eval()


def save(size: Size, folder: Path, device: str = "cpu", *, seed: int = 0) -> Path:
    """A checkpoint folder as `from_pretrained` wants it (tiny: 3 MB; from a card 2b 4 GB, 8b 16 GB)."""
    build(size, device, seed=seed).save_pretrained(folder)
    processor().save_pretrained(folder)
    return folder


def saved(source: str, folder: Path, device: str) -> str:
    """`save` in a process of its own, for one that shall not import torch; returns the folder.

    Raises UserError for a model that is not made at random here.
    """
    if source not in TEXT:
        raise UserError(f"Random weights are for the models tiny, 2b and 8b, not for {source!r}.")
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return str(pool.submit(save, source, folder, device).result())
