"""Embedders: one protocol, and what fills it: n-grams, measurements, services, Qwen3-VL on cards."""
