"""Weights and processor from a checkpoint's folder onto devices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate import infer_auto_device_map, init_empty_weights
from safetensors import SafetensorError
from transformers import AutoConfig, AutoProcessor, Qwen3VLModel, Qwen3VLProcessor

from indexer.embed.qwen.memory import is_lack_of_memory
from indexer.embed.qwen.messages import Attention
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


def dtypes_of(devices: Sequence[str]) -> tuple[torch.dtype, ...]:
    """What the numbers of weights may be, in the order in which they are to be tried."""
    match torch.device(devices[0]).type:
        case "cpu":
            return (torch.float32,)
        case "mps":  # bfloat16 is slow on Apple's older chips; whether float16 is enough is checked
            return torch.float16, torch.float32
        case _:
            return (torch.bfloat16,)


def weights_of(
    folder: Path,
    devices: Sequence[str],
    dtype: torch.dtype | None = None,
    attention: Attention | None = None,
) -> Qwen3VLModel:
    """The model without its lm_head: on one device, or its layers in turn on several.

    Raises UserError where it does not fit or is not whole.
    """
    for name in devices:
        _check(name)
    first = torch.device(devices[0])
    dtype = dtype or dtypes_of(devices)[0]
    try:
        model, report = Qwen3VLModel.from_pretrained(
            folder,
            dtype=dtype,
            attn_implementation=attention_of(devices, attention),
            device_map={"": first} if len(devices) == 1 else spread(folder, dtype, _room(devices)),
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        if isinstance(error, RuntimeError) and is_lack_of_memory(error):
            raise UserError(
                f"{folder.name} does not fit {', '.join(devices)}: choose a smaller model, or --shard "
                "to spread it over several cards."
            ) from None
        raise UserError(f"{folder.name} cannot be loaded: {_first(error)}") from error
    # transformers fills what is missing with random numbers
    if wrong := sorted({*report["missing_keys"], *map(str, report["mismatched_keys"])}):
        raise UserError(
            f"{folder.name} is not whole: {len(wrong)} weights are missing or of the wrong shape "
            f"({wrong[0]}, …)."
        )
    return model.eval()


def attention_of(devices: Sequence[str], wanted: Attention | None = None) -> str:
    """The attention back end, as transformers names it.

    Torch's own runs the same kernel where a batch is of one length; so flash-attn is used by a model
    that is spread over cards, which takes batches as they come. Raises UserError where it is wanted
    and cannot be imported.
    """
    if wanted == "flash" or (wanted is None and len(devices) > 1 and _on_cuda(devices)):
        try:
            import flash_attn  # noqa: F401, PLC0415 - few have it, and it breaks with each torch
        except ImportError as error:
            if wanted:
                raise UserError(f"flash-attn cannot be used here: {_first(error)}") from error
        else:
            return "flash_attention_2"
    return "sdpa"


def _on_cuda(devices: Sequence[str]) -> bool:
    return torch.device(devices[0]).type == "cuda"


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
