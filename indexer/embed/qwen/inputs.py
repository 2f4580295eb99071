"""From a text and a sheet to token ids and pixels, as upstream's processor makes them.

Of QwenLM/Qwen3-VL-Embedding, scripts/qwen3_vl_embedding.py: the conversation, its template, the
pixel limits and the greatest length. The image's token is repeated among the ids instead of in the
text, and pixels stay bytes: patches are made on the device.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from qwen_vl_utils import process_vision_info
from torch import Tensor
from transformers import Qwen3VLProcessor

from indexer.embed.qwen.conversation import MAX_LENGTH, conversation
from indexer.errors import FontError


@dataclass(frozen=True, kw_only=True)
class Item:
    """One document or query, ready for the device."""

    ids: NDArray[np.int64]  # (length,)
    # (height, width, 3), or (height, width) of a grey image; sides are multiples of 32
    pixels: Tensor | None  # uint8
    image_at: int  # place of the image's first token; 0 without an image

    @property
    def layout(self) -> tuple[tuple[int, ...], int]:
        """What all items of a batch have in common."""
        return (tuple(self.pixels.shape) if self.pixels is not None else ()), self.image_at


class Inputs:
    """Safe to be called from several threads."""

    def __init__(self, processor: Qwen3VLProcessor) -> None:
        self._processor = processor
        images = processor.image_processor
        self.mean, self.std = list(images.image_mean), list(images.image_std)
        self._patch, self._token = images.patch_size, images.patch_size * images.merge_size
        self._tokenizer = processor.tokenizer.backend_tokenizer
        self._tokenizer.no_truncation()  # a checkpoint may be saved with either, and
        self._tokenizer.no_padding()  # both are done here

    def item(self, text: str | None, sheet: bytes | Image.Image | None, instruction: str) -> Item:
        """`sheet`: an image, or the bytes of one's file.

        Raises FontError for a sheet that cannot be read, and where there is nothing to embed.
        """
        if not (text and text.strip()) and sheet is None:
            raise FontError("embed", "It has neither a sheet nor a text to embed.")
        image = _opened(sheet) if isinstance(sheet, bytes) else sheet
        talk = conversation(text, image, instruction)
        written = self._processor.apply_chat_template(
            talk, add_generation_prompt=True, tokenize=False
        )
        ids = self._tokenizer.encode(written, add_special_tokens=True).ids
        if image is None:
            return Item(ids=self._cut(ids), pixels=None, image_at=0)
        try:
            (fitted,), _, _ = process_vision_info(
                [talk],
                image_patch_size=self._patch,
                return_video_kwargs=True,
                return_video_metadata=True,
            )
        except ValueError as error:  # longer than 200 times its width
            raise FontError(
                "embed", f"The image cannot be used: {str(error).rstrip('.')}."
            ) from error
        pixels = torch.from_numpy(np.array(fitted.getchannel(0) if image.mode == "L" else fitted))
        token = self._processor.image_token_id
        at = ids.index(token)
        count = (pixels.shape[0] // self._token) * (pixels.shape[1] // self._token)
        ids[at : at + 1] = [token] * count
        return Item(ids=self._cut(ids), pixels=pixels, image_at=at)

    def _cut(self, ids: list[int]) -> NDArray[np.int64]:
        """To the greatest length, at the end of the text, as the tokenizer does."""
        appended = self._tokenizer.num_special_tokens_to_add(is_pair=False)
        if len(ids) > MAX_LENGTH:
            ids = ids[: MAX_LENGTH - appended] + ids[len(ids) - appended :]
        return np.asarray(ids, dtype=np.int64)


def _opened(sheet: bytes) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(sheet))
        image.load()
    except UnidentifiedImageError as error:  # whose words name an object in memory
        raise FontError("embed", "The file is not an image.") from error
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise FontError(
            "embed", f"The image cannot be read: {str(error)[:300].rstrip('.')}."
        ) from error
    return image
