"""The short text of a font: versioned schemas, because a vector depends on every word of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from indexer.errors import FontError
from indexer.traits import TRAITS_VERSION, Traits
from indexer.traits.wording import WORDING_VERSION, describe_traits

MAX_CHARACTERS = 100_000  # no model reads as many
# "Name: Lora. Category: serif. Description: ...": a label stands at the start or after a full stop.
LABEL = re.compile(r"(?:^|(?<=\. ))(Name|Category|Tags|Appearance|Description): ")


@dataclass(frozen=True, kw_only=True)
class TextSchema:
    """Which parts of a font's record its text is made of. Empty parts are left out."""

    name: str
    description: bool
    traits: bool

    @property
    def identity(self) -> str:
        """Everything that the text depends on beside the font itself."""
        measured = f" traits/{TRAITS_VERSION} wording/{WORDING_VERSION}" if self.traits else ""
        return self.name + measured

    def compose(
        self,
        *,
        name: str,
        category: str | None,
        tags: Sequence[str],
        description: str | None,
        traits: Traits | None,
    ) -> str:
        """The text of a font. Raises FontError (stage "embed") where it is absurdly long."""
        parts = {
            "Name": name,
            "Category": category,
            "Tags": ", ".join(tags),
            "Appearance": describe_traits(traits) if self.traits and traits else None,
            "Description": description if self.description else None,
        }
        text = ". ".join(
            f"{label}: {value.strip().rstrip('.')}" for label, value in parts.items() if value
        )
        if len(text) > MAX_CHARACTERS:
            raise FontError(
                "embed",
                f"Its text has more than {MAX_CHARACTERS:,} characters, which no model reads. Shorten "
                "its description or its tags.",
            )
        return text


# what the product embeds into fonts.embedding today
PRODUCT = TextSchema(name="product/1", description=True, traits=False)
# what stands beside the sheet: the description is the text leg's, so the two legs differ
LIGHT = TextSchema(name="light/1", description=False, traits=True)
DESCRIBED = TextSchema(name="described/1", description=True, traits=True)

TEXT_SCHEMAS = {schema.name: schema for schema in (PRODUCT, LIGHT, DESCRIBED)}


def schema_of(identity: str) -> TextSchema:
    """The schema that a space names, "light/1 traits/1 wording/1". KeyError for an unknown one."""
    return TEXT_SCHEMAS[identity.split(maxsplit=1)[0]]


def parts(text: str) -> list[tuple[str, str]]:
    """(label, what it labels) in order; ("", text) for text without labels, as queries are."""
    pieces = LABEL.split(text)
    labelled = list(zip(pieces[1::2], pieces[2::2], strict=True))
    return [("", pieces[0]), *labelled] if pieces[0].strip() else labelled
