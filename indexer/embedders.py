"""Which embedder a command uses, and the space that it fills."""

from __future__ import annotations

from indexer import spaces, vision
from indexer.database import Connection
from indexer.embed.measured import MeasuredTraits
from indexer.embed.ngrams import HashedNgrams
from indexer.embed.openai import OPENROUTER_MODEL, OpenAICompatible
from indexer.embed.protocol import Embedder
from indexer.errors import UserError
from indexer.settings import Settings
from indexer.sheet.render import SheetSpec
from indexer.spaces import Space
from indexer.text import PRODUCT, TextSchema

KEY_HINT = "Set OPENROUTER_API_KEY, or TEXT_EMBEDDING_API_KEY and TEXT_EMBEDDING_URL."


def text_space(embedder: Embedder) -> Space:
    return Space(leg="text", model=embedder.model, sheet_spec=None, text_schema=PRODUCT.identity)


def vl_space(embedder: Embedder, spec: SheetSpec, text: TextSchema | None) -> Space:
    return Space(
        leg="vl",
        model=embedder.model,
        sheet_spec=spec.identity,
        text_schema=text.identity if text else None,
    )


def provider(settings: Settings) -> OpenAICompatible | None:
    """The configured text-embedding service, None without a key."""
    if settings.text_api_key is None:
        return None
    return OpenAICompatible(
        base_url=settings.text_url,
        model=settings.text_model,
        api_key=settings.text_api_key,
        dimension=settings.text_dimension,
        proxy=settings.proxy,
    )


def for_queries(space: Space, settings: Settings) -> Embedder:
    """The embedder whose queries fit the vectors of a space; UserError where it cannot be had."""
    candidates: list[Embedder] = [MeasuredTraits(), HashedNgrams()]
    if (service := provider(settings)) is not None:
        candidates.append(service)
    if space.leg == "vl" and space.model.name != vision.OFFLINE:
        return vision.of_model(space.model, settings, lambda line: None)
    for embedder in candidates:
        if embedder.model == space.model:
            return embedder
    if space.leg == "text" and space.model.name == settings.text_model and service is None:
        raise UserError(f"The text vectors are {space.model.name}'s. {KEY_HINT}")
    names = ", ".join(sorted({embedder.model.name for embedder in candidates}))
    raise UserError(
        f"The active {space.leg} space was made by {space}, which is not at hand here "
        f"(at hand: {names}). Fill and activate another space: indexer backfill, indexer spaces."
    )


def choose_text(
    connection: Connection, choice: str, settings: Settings
) -> tuple[Embedder | None, str]:
    """The embedder of the text leg and, for people, why. None where the leg is to be left alone."""
    service = provider(settings)
    if choice == "none":
        return None, "left alone, as told"
    if choice == "provider" or (choice == "auto" and service is not None):
        if service is None:
            raise UserError(f"No text-embedding service is configured. {KEY_HINT}")
        return service, f"{service.model.name} by {settings.text_url}"
    offline = HashedNgrams()
    serving = spaces.active(connection, "text")
    if choice == "auto" and serving is not None and serving.model.name != offline.model.name:
        return None, f"left alone: its vectors are {serving.model.name}'s. {KEY_HINT}"
    foreign = spaces.foreign_vectors(connection, "text")
    if choice == "auto" and foreign:
        return None, (
            f"left alone: {foreign} vectors are the product's, and offline vectors do not mix with "
            f"them. {KEY_HINT}"
        )
    return offline, f"{offline.model.name}, offline: it matches spelling, not meaning. {KEY_HINT}"


def may_serve(connection: Connection, space: Space) -> bool:
    """Whether a space may become the active one of a leg that has none.

    Vectors of the product's own are taken for the product's model, so only that one joins them.
    """
    product = (OPENROUTER_MODEL, 4096)
    if space.leg == "vl" or (space.model.name, space.model.dimension) == product:
        return True
    return not spaces.foreign_vectors(connection, space.leg)
