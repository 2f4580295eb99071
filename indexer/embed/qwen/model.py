"""Qwen3-VL-Embedding in this process, on one device or spread over several.

The computation is that of QwenLM/Qwen3-VL-Embedding, scripts/qwen3_vl_embedding.py: the hidden state
of the last token, in float32, cut to the wanted dimension (Matryoshka) and scaled to length 1.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, replace
from itertools import chain, groupby
from math import ceil, inf
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from transformers import Qwen3VLModel, Qwen3VLProcessor

from indexer.embed.protocol import Document, Model, Query, Vector, normalised, only
from indexer.embed.qwen import budget
from indexer.embed.qwen.budget import Budget
from indexer.embed.qwen.conversation import DOCUMENT_INSTRUCTION
from indexer.embed.qwen.forward import Forward
from indexer.embed.qwen.inputs import Inputs, Item
from indexer.embed.qwen.loading import dtypes_of, processor_of, weights_of
from indexer.embed.qwen.memory import is_lack_of_memory
from indexer.embed.qwen.messages import Attention
from indexer.embed.qwen.plain import Plain
from indexer.errors import EmbedderUnavailable, FontError, UserError

REQUEST = 32  # documents of a call
ALIGNMENT = 32  # tokens: fewer shapes, for whatever is planned or compiled by shape
MIN_COSINE = 0.99  # a mistake of structure is far below, bfloat16 and another batch above .999
READERS = 8  # threads that decode sheets

Result = Vector | FontError


class OtherVectors(UserError):
    """What is computed here is not what the model's own forward computes."""


@dataclass(frozen=True, kw_only=True)
class Launched:
    """A call on its way through the device."""

    read: list[Item | FontError]
    states: Tensor  # (items, dimension) float32, in host memory once `done`
    done: torch.cuda.Event | None  # None: it is


class Qwen3VL:
    """Embedder of sheets, texts and both. `launch` and `collect` let calls overlap on a card."""

    def __init__(self, model: Qwen3VLModel, processor: Qwen3VLProcessor, identity: Model) -> None:
        self._identity = identity
        self._inputs = Inputs(processor)
        self._plain = Plain(model, self._inputs.mean, self._inputs.std)
        spread = len(set((getattr(model, "hf_device_map", None) or {}).values())) > 1
        self.fast = None if spread else Forward(model, self._inputs.mean, self._inputs.std)
        self._forward = self.fast or self._plain
        self.budget = Budget()
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="read")
        self._query_readers = ThreadPoolExecutor(READERS, thread_name_prefix="read-query")

    @classmethod
    def load(
        cls,
        folder: Path,
        identity: Model,
        devices: Sequence[str],
        attention: Attention | None = None,
    ) -> Self:
        """On one device ("cuda:1", "mps", "cpu"), or with its layers spread over several.

        Raises UserError for a checkpoint that does not fit or is not whole, and where what is
        computed here is not what the model itself computes.
        """
        *narrow, widest = dtypes_of(devices)
        for dtype in narrow:
            with suppress(OtherVectors):  # numbers too large for it, or kernels that err in it
                return cls._checked(folder, identity, devices, attention, dtype)
        return cls._checked(folder, identity, devices, attention, widest)

    @classmethod
    def _checked(
        cls,
        folder: Path,
        identity: Model,
        devices: Sequence[str],
        attention: Attention | None,
        dtype: torch.dtype,
    ) -> Self:
        weights = weights_of(folder, devices, dtype, attention)
        embedder = cls(weights, processor_of(folder), identity)
        embedder.check()
        return embedder

    @property
    def device(self) -> torch.device:
        """The first, where there are several."""
        return self._forward.device

    @property
    def model(self) -> Model:
        return self._identity

    @property
    def batch_size(self) -> int:
        return REQUEST

    def embed_documents(self, documents: Sequence[Document]) -> list[Result]:
        """Of sheet, text or both; FontError for a sheet that cannot be read."""
        return self.collect(self.launch(self.read(documents)))

    @property
    def reads_images(self) -> bool:
        return True

    def embed_query(self, text: str) -> Vector:
        """Raises UserError for an empty text."""
        return only(self.embed_queries([Query(text=text)]))

    def embed_queries(self, queries: Sequence[Query]) -> list[Vector | UserError]:
        """Of text, image or both; UserError for an image that cannot be read."""
        results = self.collect(self.launch(self.read_queries(queries)))
        return [
            UserError(result.message) if isinstance(result, FontError) else result
            for result in results
        ]

    def read_queries(self, queries: Sequence[Query]) -> list[Item | FontError]:
        """As `read`; both may be launched together. The error's message is for who asked."""
        return list(self._query_readers.map(self._query_item, queries))

    def read(self, documents: Sequence[Document]) -> list[Item | FontError]:
        """Token ids and pixels, on the CPU; a FontError in the place of what cannot be read."""
        return list(self._readers.map(self._item, documents))

    def launch(self, read: Sequence[Item | FontError]) -> Launched:
        """Put a call on the device, without waiting for it.

        Out of memory, batches are halved for a while. A document of unusual length that does not
        fit alone gets a FontError; raises EmbedderUnavailable where an ordinary one does not.
        """
        with self._current_device():
            return self._launch(list(read))

    def _launch(self, read: list[Item | FontError]) -> Launched:
        width = self._identity.dimension
        states = torch.empty(len(read), width, device=self.device)
        items = {place: item for place, item in enumerate(read) if isinstance(item, Item)}
        waiting = self._batches(items, items)
        while waiting:
            places = waiting.pop(0)
            hidden = self.run([items[place] for place in places])
            if hidden is not None:
                states[self._put(np.asarray(places))] = hidden[:, :width].to(states.device)
                self.budget.had_room()
                continue
            self.give_back()
            length = self.width_of(items[places[0]])
            if len(places) == 1:
                read[places[0]] = self._too_long(length)
            else:
                self.budget.had_no_room(len(places), length)
                waiting = self._batches(items, [*places, *chain.from_iterable(waiting)])
        if self.device.type != "cuda":
            return Launched(read=read, states=states.cpu(), done=None)
        host = torch.empty(states.shape, pin_memory=True)
        host.copy_(states, non_blocking=True)
        done = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]  # waiting takes no core
        done.record()
        return Launched(read=read, states=host, done=done)

    def collect(self, launched: Launched) -> list[Result]:
        """Wait for a call; its vectors in the order of its documents."""
        if launched.done:
            launched.done.synchronize()
        return [
            item if isinstance(item, FontError) else _vector(state)
            for item, state in zip(launched.read, launched.states.numpy(), strict=True)
        ]

    def check(self) -> None:
        """That one sheet's vector is what the model's own forward says.

        Raises UserError; OtherVectors where it is not.
        """
        generator = np.random.default_rng(0)
        pixels = generator.integers(0, 256, (128, 256, 3), dtype=np.uint8)
        with self._current_device():
            batch = self._on_device([self.sample(pixels), self.sample(pixels[:, ::-1], 5)])
            cosine = least_cosine(self._forward(*batch), self._plain(*batch))
        if not cosine >= MIN_COSINE:
            raise OtherVectors(
                f"With this version of transformers the fast path computes other vectors than the "
                f"model does (cosine {cosine:.3f}): install the version that was tested."
            )
        last = int(self._inputs.item("a", None, "a").ids[-1])
        if last != self._identity.pooled_token:
            raise UserError(
                f"The last token of an input is {last}, and the space pools "
                f"{self._identity.pooled_token}: is it another tokenizer?"
            )

    def step(self, height: int, width: int) -> int:
        """How many sheets of a size go into a forward pass now."""
        return self.budget.rows(self.width_of(self.sample(np.full((height, width), 255, np.uint8))))

    def sample(self, pixels: NDArray[np.uint8], text_tokens: int = 128) -> Item:
        """An item of about so many tokens beside those of its pixels."""
        image = Image.fromarray(pixels)
        return self._inputs.item("a " * (text_tokens // 2), image, DOCUMENT_INSTRUCTION)

    @staticmethod
    def width_of(item: Item) -> int:
        """How many tokens it takes in a batch."""
        return _aligned(len(item.ids))

    def run(self, items: Sequence[Item]) -> Tensor | None:
        """Hidden states (items, hidden) float32; None where there is not enough memory."""
        try:
            with self._current_device():
                return self._forward(*self._on_device(items))
        except RuntimeError as error:  # what it held goes with it
            if not is_lack_of_memory(error):
                raise
            return None

    def timed(self, items: Sequence[Item]) -> float | None:
        """Seconds of the second of two runs; None where there is not enough memory."""
        for _ in range(2):
            begin = time.perf_counter()
            if self.run(items) is None:
                return None
            if self.device.type == "cuda":
                torch.cuda.synchronize(self.device)
        return time.perf_counter() - begin

    def free_bytes(self) -> float:
        """Of the device's memory, what the allocator keeps for later included."""
        if self.device.type != "cuda":
            return inf
        kept = torch.cuda.memory_reserved(self.device) - torch.cuda.max_memory_allocated(
            self.device
        )
        return torch.cuda.mem_get_info(self.device)[0] + kept

    def give_back(self) -> None:
        """What the allocator keeps of the device's memory, for others to use."""
        if self.device.type == "cuda":
            with self._current_device():
                torch.cuda.empty_cache()

    def _current_device(self) -> AbstractContextManager[Any]:
        """Events, pinned memory and compiled kernels go by the thread's current card, which is the first."""
        on_cuda = self.device.type == "cuda"
        return torch.cuda.device(self.device) if on_cuda else nullcontext()

    def _item(self, document: Document) -> Item | FontError:
        return self._read(document.text, document.sheet, self._identity.document_instruction)

    def _query_item(self, query: Query) -> Item | FontError:
        if query.empty:
            return FontError("embed", "Nothing to search for: say what the font looks like.")
        given = query.instruction
        instruction = self._identity.query_instruction if given is None else given
        item = self._read(query.text, query.image, instruction)
        if isinstance(item, FontError):
            return FontError("embed", f"The query cannot be embedded. {item.message}")
        return item

    def _read(self, text: str | None, image: bytes | None, instruction: str) -> Item | FontError:
        try:
            item = self._inputs.item(text, image, instruction)
        except FontError as error:
            return error
        except BaseException as error:  # noqa: BLE001 - decoders raise what they like; a panic in the tokenizer is no Exception
            what = "".join(traceback.format_exception_only(error)).strip()
            return FontError("embed", f"It cannot be read: {what[:300].rstrip('.')}.")
        if item.pixels is None:
            return item
        with self._current_device():  # or the first card would be asked for pinned memory
            return replace(item, pixels=self._pinned(item.pixels))

    def _batches(self, items: Mapping[int, Item], places: Iterable[int]) -> list[list[int]]:
        """Places of items that go together: of one layout, and of about one length."""
        batches = []
        order = sorted(places, key=lambda place: _rank(items[place]))
        for _, group in groupby(order, key=lambda place: items[place].layout):
            alike = list(group)
            while alike:
                # the longest first: the others fit its width
                step = self.budget.rows(self.width_of(items[alike[0]]))
                even = ceil(len(alike) / ceil(len(alike) / step))  # no pass for a few that are left
                batches.append(alike[:even])
                del alike[:even]
        return batches

    def _too_long(self, length: int) -> FontError:
        """For a document that does not fit alone. Raises EmbedderUnavailable where the card is to blame."""
        if length <= budget.FIRST:
            raise EmbedderUnavailable(
                f"{self.device} has no memory for a single document of {length} tokens."
            )
        return FontError("embed", f"{self.device} has no memory for its {length} tokens.")

    def _on_device(self, items: Sequence[Item]) -> tuple[Tensor, Tensor, Tensor | None, int]:
        lengths = [len(item.ids) for item in items]
        ids = np.zeros((len(items), _aligned(max(lengths))), dtype=np.int64)
        for row, item in zip(ids, items, strict=True):
            row[: len(item.ids)] = item.ids
        return (
            self._put(ids),
            self._put(np.asarray(lengths) - 1),
            self._pictures([item.pixels for item in items if item.pixels is not None]),
            items[0].image_at,
        )

    def _pictures(self, pixels: Sequence[Tensor]) -> Tensor | None:
        """On the device, one after the other: the readers have put them into pinned memory."""
        if not pixels:
            return None
        batch = torch.empty(len(pixels), *pixels[0].shape, dtype=torch.uint8, device=self.device)
        for place, picture in zip(batch, pixels, strict=True):
            place.copy_(picture, non_blocking=True)
        return batch

    def _put(self, array: np.ndarray) -> Tensor:
        return self._pinned(torch.from_numpy(array)).to(self.device, non_blocking=True)

    def _pinned(self, tensor: Tensor) -> Tensor:
        """From pinned memory a copy runs while the device computes."""
        return tensor.pin_memory() if self.device.type == "cuda" else tensor


def _rank(item: Item) -> tuple[tuple[tuple[int, ...], int], int]:
    return item.layout, -len(item.ids)


def _aligned(length: int) -> int:
    return -(-length // ALIGNMENT) * ALIGNMENT


def _vector(state: np.ndarray) -> Result:
    try:
        return normalised(state)
    except ValueError:
        return FontError("embed", "The model answered with zeros or NaN for it.")


def least_cosine(ours: Tensor, theirs: Tensor) -> float:
    """Of the rows of two; NaN where either has one."""
    return float(torch.nn.functional.cosine_similarity(ours, theirs.to(ours.device)).min())
