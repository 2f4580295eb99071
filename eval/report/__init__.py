"""Scores in words, tables and pictures; runs compared, gated and exported."""
