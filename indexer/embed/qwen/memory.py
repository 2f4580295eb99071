"""Whether an error of torch means that a device has no memory left."""

from __future__ import annotations

import torch

# Besides the allocator, the driver and the libraries of matrix products and attention allocate too, and
# report it in words of their own, as RuntimeError or AcceleratorError.
WORDS = ("out of memory", "_STATUS_ALLOC_FAILED")


def is_lack_of_memory(error: RuntimeError) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or any(word in str(error) for word in WORDS)
