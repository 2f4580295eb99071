"""What a service is about to be paid for: texts, tokens and, where the price is known, money."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

from indexer.embed.ngrams import HashedNgrams
from indexer.errors import FontError, UserError
from indexer.job.embedding import text_of
from indexer.job.pending import Claim
from indexer.settings import Settings
from indexer.spaces import Space

CHARACTERS_PER_TOKEN = 4  # of English, about; other scripts have fewer


@dataclass(frozen=True, kw_only=True)
class Cost:
    texts: int
    tokens: int  # about
    dollars: float | None  # about; None where the price is not known

    @classmethod
    def of(cls, space: Space, fonts: Sequence[Claim], settings: Settings) -> Self | None:
        """None where nothing is paid for: not the text leg, or embedded offline."""
        if space.leg != "text" or space.text_schema is None or space.model == HashedNgrams().model:
            return None
        texts = []
        for font in fonts:
            with suppress(FontError):  # it is not sent
                texts.append(text_of(space, font) or "")
        characters = sum(map(len, texts))
        tokens = -(-characters // CHARACTERS_PER_TOKEN)
        price = settings.text_price
        dollars = None if price is None else price * tokens / 1e6
        return cls(texts=len(texts), tokens=tokens, dollars=dollars)

    def __str__(self) -> str:
        money = (
            "price unknown: set TEXT_EMBEDDING_PRICE, in dollars per million tokens"
            if self.dollars is None
            else f"about ${self.dollars:.4f}"
        )
        return f"{self.texts:,} texts, about {self.tokens:,} tokens, {money}"

    def require_within(self, dollars: float) -> None:
        """Raises UserError where more may be spent, or nobody knows."""
        if self.dollars is None or self.dollars > dollars:
            raise UserError(
                f"The text leg would embed {self}; --max-cost allows ${dollars:g}. "
                "Nothing was embedded. --limit embeds fewer."
            )
