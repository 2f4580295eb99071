"""Fonts drawn by code, whose measures are known."""
