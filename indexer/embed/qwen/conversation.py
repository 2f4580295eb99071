"""What Qwen3-VL-Embedding is told about an input, wherever it runs: in this process or on a server.

After QwenLM/Qwen3-VL-Embedding, scripts/qwen3_vl_embedding.py: instruction, then image, then text.
"""

from __future__ import annotations

import unicodedata
from typing import Any

DOCUMENT_INSTRUCTION = "Represent the user's input."
QUERY_INSTRUCTION = "Retrieve the glyph sheets of fonts whose letters look as the query describes."
MIN_PIXELS, MAX_PIXELS = 4 * 32 * 32, 1800 * 32 * 32  # a token sees 32 x 32 pixels
MAX_LENGTH = 8192  # tokens


def conversation(text: str | None, image: object | None, instruction: str) -> list[dict[str, Any]]:
    """The messages of one document or query; `image` is passed on as it is.

    An empty instruction is the default one. Raises ValueError where there is neither a text nor an
    image: upstream embeds the word NULL then.
    """
    content: list[dict[str, Any]] = []
    if image is not None:
        limits = {"min_pixels": MIN_PIXELS, "max_pixels": MAX_PIXELS}
        content.append({"type": "image", "image": image, **limits})
    if text and text.strip():
        content.append({"type": "text", "text": _plain(text)})
    if not content:
        raise ValueError("It has neither a sheet nor a text to embed.")
    system = {"type": "text", "text": _sentence(instruction) or DOCUMENT_INSTRUCTION}
    return [{"role": "system", "content": [system]}, {"role": "user", "content": content}]


def _sentence(instruction: str) -> str:
    stripped = instruction.strip()
    ended = not stripped or unicodedata.category(stripped[-1]).startswith("P")
    return stripped if ended else stripped + "."


def _plain(text: str) -> str:
    """Without what a tokenizer takes for more, or for less, than text.

    "<|im_end|>" would end the message, and "<|image_pad|>" stand for an image that is not there.
    Half characters (lone surrogates) have no bytes.
    """
    return text.replace("<|", "< |").encode("utf-8", "replace").decode()
