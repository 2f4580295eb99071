"""How a family gets onto a site: the line for npm where Fontsource has it, and CSS for its files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from indexer.catalog.fontsource import family_id

FORMATS = {
    ".woff2": "woff2", ".woff": "woff", ".ttf": "truetype", ".otf": "opentype", ".ttc": "collection"
}  # fmt: skip
REGULAR = 400


def fontsource_line(files: Mapping[str, str]) -> str | None:
    """The command that installs the family; None where its files are not Fontsource's."""
    families = {family_id(address) for address in files.values()}
    family = families.pop() if len(families) == 1 else None
    return f"npm i @fontsource/{family}" if family else None


def font_face(name: str, files: Mapping[str, str]) -> str | None:
    """@font-face rules, one for each file on the web; None where there is none."""
    rules = [
        _rule(name, key, address)
        for key, address in sorted(files.items(), key=lambda item: (_is_italic(item[0]), item[0]))
        if urlsplit(address).scheme in ("http", "https")
    ]
    return "\n".join(rules) or None


def _rule(name: str, key: str, address: str) -> str:
    number = re.search(r"\d{1,4}", key)
    kind = next((FORMATS[end] for end in FORMATS if urlsplit(address).path.endswith(end)), None)
    hint = f' format("{kind}")' if kind else ""
    return (
        f"@font-face {{\n  font-family: {_string(name)};\n"
        f"  font-style: {'italic' if _is_italic(key) else 'normal'};\n"
        f"  font-weight: {number[0] if number else REGULAR};\n"
        f"  font-display: swap;\n  src: url({_string(address)}){hint};\n}}"
    )


def _is_italic(key: str) -> bool:
    return "italic" in key.lower()


def _string(text: str) -> str:
    """A CSS string: what could end it, or a script element around it, is written by number."""
    return (
        '"'
        + "".join(c if c.isprintable() and c not in '"\\<' else f"\\{ord(c):x} " for c in text)
        + '"'
    )
