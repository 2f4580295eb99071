"""The labelled parts of a font's text, for embedders that look at words."""

from __future__ import annotations

import re

# "Name: Lora. Category: serif. Description: ...": a label stands at the start or after a full stop.
LABEL = re.compile(r"(?:^|(?<=\. ))(Name|Category|Tags|Appearance|Description): ")


def parts(text: str) -> list[tuple[str, str]]:
    """(label, what it labels) in order; ("", text) for text without labels, as queries are."""
    pieces = LABEL.split(text)
    labelled = list(zip(pieces[1::2], pieces[2::2], strict=True))
    return [("", pieces[0]), *labelled] if pieces[0].strip() else labelled
