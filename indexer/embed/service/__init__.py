"""Embedding by services that speak OpenAI's API: texts, and sheets."""
