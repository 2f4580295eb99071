"""Fonts made by code, and folders of them."""
