"""Whatever a damaged font makes a library raise, what is recorded is a sentence for people."""

from __future__ import annotations

import struct
import zlib

import brotli
import pytest
from fontTools.ttLib import TTLibError

from indexer.errors import FontError
from indexer.fontfile import describe


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (AssertionError(), "The font cannot be read: one of its tables contradicts itself."),
        (KeyError("cmap"), "The font cannot be read: its table cmap is missing."),
        (KeyError("CFF "), "The font cannot be read: its table CFF is missing."),
        (KeyError("glyph00012"), "The font cannot be read: one of its tables points to what is not there."),
        (struct.error("unpack requires a buffer of 4 bytes"), "The font cannot be read: one of its tables ends too early."),
        (zlib.error("Error -3 while decompressing data"), "The font cannot be read: its compressed data is damaged."),
        (brotli.error("brotli: decoder failed"), "The font cannot be read: its compressed data is damaged."),
        (MemoryError(), "The font needs more memory than is allowed."),
        (MemoryError("brotli: unable to allocate memory"), "The font needs more memory than is allowed."),
        (FileNotFoundError(2, "No such file or directory", "/home/me/a.ttf"), "The font cannot be read: No such file or directory."),
        (OSError("broken table"), "The font cannot be read: broken table."),
        (TTLibError("bad\x00 \x1b[31m  table"), "The font cannot be read: bad [31m table."),
        (TTLibError("w " * 200), "The font cannot be read: " + ("w " * 50) + "…."),
        (AttributeError("'NoneType' object has no attribute 'x'"), "The font cannot be read: one of its tables is damaged."),
        (RuntimeError("x"), "The font cannot be read: one of its tables is damaged."),
        (FontError("fetch", "The file is empty."), "The file is empty."),
    ],
)  # fmt: skip
def test_what_a_library_raises_is_put_in_words(error: Exception, sentence: str) -> None:
    assert describe(error, "open").message == sentence
