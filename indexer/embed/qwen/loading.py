"""Weights and processor from a checkpoint's folder onto devices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate import infer_auto_device_map, init_empty_weights
from safetensors import SafetensorError
from transformers import AutoConfig, AutoProcessor, Qwen3VLModel, Qwen3VLProcessor
from transformers.utils import is_flash_attn_2_available

from indexer.errors import UserError

WEIGHTS_SHARE = 0.85  # of a card's free memory where a model is spread; the rest is to work in


def processor_of(folder: Path) -> Qwen3VLProcessor:
    """Raises UserError for a folder whose processor is not Qwen3-VL's."""
    try:
        processor = AutoProcessor.from_pretrained(folder)
    except (OSError, ValueError, ImportError) as error:
        raise UserError(f"{folder.name} has no usable processor: {_first(error)}") from error
    if not isinstance(processor, Qwen3VLProcessor):
        raise UserError(
            f"{folder.name} has a {type(processor).__name__}, not Qwen3-VL's processor."
        )
    return processor


def weights_of(folder: Path, devices: Sequence[str]) -> Qwen3VLModel:
    """The model without its lm_head: on one device, or its layers in turn on several.

    bfloat16 on cards, float32 on a CPU. Raises UserError where it does not fit or is not whole.
    """
    for name in devices:
        _check(name)
    first = torch.device(devices[0])
    dtype = torch.float32 if first.type == "cpu" else torch.bfloat16
    try:
        model, report = Qwen3VLModel.from_pretrained(
            folder,
            dtype=dtype,
            attn_implementation=attention_of(first),
            device_map={"": first} if len(devices) == 1 else spread(folder, dtype, _room(devices)),
            output_loading_info=True,
        )
    except torch.OutOfMemoryError:
        raise UserError(
            f"{folder.name} does not fit {', '.join(devices)}: choose a smaller model, or --shard "
            "to spread it over several cards."
        ) from None
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise UserError(f"{folder.name} cannot be loaded: {_first(error)}") from error
    # transformers fills what is missing with random numbers
    if wrong := sorted({*report["missing_keys"], *map(str, report["mismatched_keys"])}):
        raise UserError(
            f"{folder.name} is not whole: {len(wrong)} weights are missing or of the wrong shape "
            f"({wrong[0]}, …)."
        )
    return model.eval()


def attention_of(device: torch.device) -> str:
    """The attention back end: flash_attention_2 where it is installed, else torch's own."""
    flash = device.type == "cuda" and is_flash_attn_2_available()
    return "flash_attention_2" if flash else "sdpa"


def _check(device: str) -> None:
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:  # torch for CPUs asserts that there is no CUDA
        raise UserError(f"{device!r} is no device of this host: {_first(error)}") from None


def spread(folder: Path, dtype: torch.dtype, room: Mapping[int, int]) -> dict[str, Any]:
    """A device for each layer, filling cards (by number, with bytes of room) one after the other.

    Raises UserError where they do not fit: a CPU or a disk in between would take days.
    """
    config = AutoConfig.from_pretrained(folder)
    with init_empty_weights():
        empty = Qwen3VLModel(config)
    layout = infer_auto_device_map(
        empty, max_memory=dict(room), dtype=dtype, no_split_module_classes=empty._no_split_modules
    )
    if {"cpu", "disk"} & set(map(str, layout.values())):
        names = ", ".join(f"cuda:{number}" for number in room)
        raise UserError(f"{folder.name} does not fit {names} together.")
    return dict(layout)


def _room(devices: Sequence[str]) -> dict[int, int]:
    return {
        torch.device(name).index: int(torch.cuda.mem_get_info(name)[0] * WEIGHTS_SHARE)
        for name in devices
    }


def _first(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
