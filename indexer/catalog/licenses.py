"""License names as the sources write them, brought to SPDX's short form."""

from __future__ import annotations

import re

PATTERNS = tuple(
    (re.compile(pattern, re.IGNORECASE), identifier)
    for pattern, identifier in (
        (r"SIL Open Font Licen[sc]e|openfontlicense\.org|scripts\.sil\.org/OFL|\bOFL\b", "OFL-1.1"),
        (r"Apache(?: Software)? Licen[sc]e|apache\.org/licenses|\bApache-2\.0\b", "Apache-2.0"),
        # Fontsource's own short form; SPDX calls it Ubuntu-font-1.0.
        (r"Ubuntu Font Licen[sc]e|font\.ubuntu\.com|\bUFL-1\.0\b", "UFL-1.0"),
        (r"\bCC0\b|creativecommons\.org/publicdomain/zero", "CC0-1.0"),
        (r"\bMIT Licen[sc]e|opensource\.org/licenses/MIT|^MIT$", "MIT"),
        (r"Bitstream Vera", "Bitstream-Vera"),
    )
)
MAX_LENGTH = 80
# Those that let anyone pass on a font cut down to some characters. Not Bitstream Vera's: what is changed needs
# another name there.
SUBSETS_PERMITTED = frozenset({"OFL-1.1", "Apache-2.0", "UFL-1.0", "CC0-1.0", "MIT"})


def spdx(*texts: object) -> str | None:
    """The SPDX identifier that the texts name; else the first of them, shortened; else None."""
    written = [" ".join(text.split()) for text in texts if isinstance(text, str) and text.strip()]
    for pattern, identifier in PATTERNS:
        if any(pattern.search(text) for text in written):
            return identifier
    if not written:
        return None
    return (
        written[0] if len(written[0]) <= MAX_LENGTH else written[0][: MAX_LENGTH - 1].rstrip() + "…"
    )


def permits_subsets(license: str | None) -> bool:
    """Whether a font of this license may be given out in parts."""
    return spdx(license) in SUBSETS_PERMITTED
