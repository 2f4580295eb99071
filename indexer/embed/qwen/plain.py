"""A batch through the model's own forward: the yardstick, and the way through a spread model."""

from __future__ import annotations

import torch
from torch import Tensor
from transformers import Qwen3VLModel


class Plain:
    """Called as `Forward` is, with the same answer."""

    def __init__(self, model: Qwen3VLModel, mean: list[float], std: list[float]) -> None:
        self._model = model
        self._mean, self._std = 255 * torch.tensor(mean), 255 * torch.tensor(std)

    @property
    def device(self) -> torch.device:
        device: torch.device = self._model.device
        return device

    @torch.inference_mode()
    def __call__(
        self, ids: Tensor, last: Tensor, pixels: Tensor | None = None, image_at: int = 0
    ) -> Tensor:
        """(batch, hidden) float32; the arguments of `Forward`, of which the ids give `image_at`."""
        length = torch.arange(ids.shape[1], device=ids.device)
        inputs = {"input_ids": ids, "attention_mask": (length <= last[:, None]).long()}
        if pixels is not None:
            patches, grid = self._patches(pixels)
            inputs["pixel_values"] = patches.flatten(0, 1)
            inputs["image_grid_thw"] = torch.tensor([[1, *grid]] * len(ids), device=ids.device)
            images = ids == self._model.config.image_token_id
            # since transformers 5.3 positions are counted by these
            inputs["mm_token_type_ids"] = images.int()
        states = self._model(**inputs, use_cache=False).last_hidden_state
        rows = torch.arange(len(ids), device=states.device)
        hidden: Tensor = states[rows, last.to(states.device)].float()
        return hidden

    def _patches(self, pixels: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """(batch, patches, 3 * 2 * 16 * 16) float32: a still image is two equal frames."""
        vision = self._model.config.vision_config
        size, merge = vision.patch_size, vision.spatial_merge_size
        batch, rows, columns = len(pixels), pixels.shape[1] // size, pixels.shape[2] // size
        colours = pixels if pixels.dim() == 4 else pixels[..., None]
        scaled = (colours - self._mean.to(pixels.device)) / self._std.to(pixels.device)
        blocks = scaled.view(batch, rows // merge, merge, size, columns // merge, merge, size, 3)
        frame = blocks.permute(0, 1, 4, 2, 5, 7, 3, 6).flatten(1, 4)
        frames = frame.unsqueeze(3).expand(-1, -1, -1, vision.temporal_patch_size, -1, -1)
        return frames.flatten(2), (rows, columns)
