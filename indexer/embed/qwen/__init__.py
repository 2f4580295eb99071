"""Qwen3-VL-Embedding on this host's cards: checkpoint, inputs, forward pass, processes."""

SMALL, LARGE = "Qwen/Qwen3-VL-Embedding-2B", "Qwen/Qwen3-VL-Embedding-8B"
