"""The glyph sheet: font bytes and a spec in, a PNG out."""
