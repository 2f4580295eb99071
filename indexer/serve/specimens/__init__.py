"""Fonts as pictures and parts, made in bounded processes."""
