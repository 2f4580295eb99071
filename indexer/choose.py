"""Which embedder a command uses for texts, sheets and queries, and on what it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from indexer import spaces
from indexer.database.connect import Connection
from indexer.embed.measured.embedder import MeasuredTraits
from indexer.embed.ngrams import HashedNgrams
from indexer.embed.protocol import Embedder, Model
from indexer.embed.qwen import devices
from indexer.embed.qwen.conversation import DOCUMENT_INSTRUCTION, QUERY_INSTRUCTION
from indexer.embed.qwen.messages import Attention
from indexer.embed.service import announcement
from indexer.embed.service.client import Patience
from indexer.embed.service.sheets import RemoteVL, reported
from indexer.embed.service.texts import OpenAICompatible
from indexer.errors import UserError
from indexer.settings import Settings
from indexer.sheet.render import SheetSpec
from indexer.spaces import Space

if TYPE_CHECKING:
    from indexer.embed.qwen.cards import Cards
    from indexer.embed.qwen.checkpoint import Checkpoint

OFFLINE = "measured-traits"
SOON = Patience(attempts=4, longest_wait_s=2.0, timeout_s=5.0, connect_timeout_s=1.0)
KEY_HINT = "Set OPENROUTER_API_KEY, or TEXT_EMBEDDING_API_KEY and TEXT_EMBEDDING_URL."


@dataclass(frozen=True, kw_only=True)
class VLOptions:
    """What a command says; None: what the environment says, or what the database suggests."""

    embedder: str | None = None  # auto, 2b, 8b, a hub id, a folder, remote, measured-traits
    revision: str | None = None  # of the checkpoint
    dimension: int | None = None
    devices: str | None = None  # "cuda:0,cuda:1", "cpu"
    shard: bool = False  # one model over all devices
    attention: Attention | None = None
    batch_size: int | None = None  # sheets of a forward pass
    share: bool = True  # ask a query service that runs on this host, in place of loading the model

    def or_from(self, settings: Settings) -> VLOptions:
        return replace(
            self,
            embedder=self.embedder or settings.vl_embedder,
            revision=self.revision or settings.vl_revision,
            dimension=self.dimension or settings.vl_dimension,
            devices=self.devices or settings.vl_devices,
        )


NO_OPTIONS = VLOptions()


def for_texts(
    connection: Connection, choice: str, settings: Settings
) -> tuple[Embedder | None, str]:
    """The embedder of the text leg and, for people, why. None where the leg is to be left alone."""
    service = text_service(settings)
    if choice == "none":
        return None, "left alone, as requested"
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
            f"left alone: {foreign} vectors are your app's, and offline vectors do not mix with "
            f"them. {KEY_HINT}"
        )
    return offline, f"{offline.model.name}, offline: it matches spelling, not meaning. {KEY_HINT}"


def for_sheets(
    serving: Model | None, options: VLOptions, settings: Settings, say: Callable[[str], None]
) -> Embedder:
    """The embedder of sheets; `say` is told how its cards fare.

    Where nobody chooses, the one whose vectors serve, so that a nightly run goes on as it was; in
    a new database, what the cards have room for. Raises UserError where it cannot be had.
    """
    options = options.or_from(settings)
    if options.embedder is None and serving is not None:
        return of_model(serving, settings, say, options)
    if options.embedder == OFFLINE:
        return MeasuredTraits()
    if options.embedder == "remote":
        return _remote(options, settings)
    return _on_cards(options, settings, say)


def for_queries(space: Space, settings: Settings) -> Embedder:
    """The embedder whose queries fit the vectors of a space; UserError where it cannot be had."""
    candidates: list[Embedder] = [MeasuredTraits(), HashedNgrams()]
    if (service := text_service(settings)) is not None:
        candidates.append(service)
    if space.leg == "vl" and space.model.name != OFFLINE:
        return of_model(space.model, settings, lambda line: None)
    for embedder in candidates:
        if embedder.model == space.model:
            return embedder
    if space.leg == "text" and space.model.name == settings.text_model and service is None:
        raise UserError(f"The text vectors are {space.model.name}'s. {KEY_HINT}")
    names = ", ".join(sorted({embedder.model.name for embedder in candidates}))
    raise UserError(
        f"The active {space.leg} space was made by {space}, which is not available "
        f"here ({names} are). Fill and activate another space: indexer backfill, indexer spaces."
    )


def of_model(
    model: Model, settings: Settings, say: Callable[[str], None], options: VLOptions = NO_OPTIONS
) -> Embedder:
    """The embedder that made the vectors of a space. Raises UserError where it cannot be had."""
    if model.name == OFFLINE:
        return MeasuredTraits()
    if settings.vl_url:
        return _client(model, settings)
    options = options.or_from(settings)
    if (running := _running(model, options, settings, say)) is not None:
        return running
    source = (
        options.embedder if options.embedder and Path(options.embedder).is_dir() else model.name
    )
    if source == model.name and model.revision.startswith("sha256:"):
        raise UserError(
            f"The vl vectors were made by {model.name}, a folder of yours: set FONTSIGHT_VL_EMBEDDER to "
            "its path. Or set VL_EMBEDDING_URL to a service that has it."
        )
    checkpoint = _find(source, None if source != model.name else model.revision)
    found = checkpoint.model(model.dimension)
    if (found.name, found.revision, found.pooled_token) != (
        model.name, model.revision, model.pooled_token,
    ):  # fmt: skip
        raise UserError(
            f"The vl vectors were made by {model.name} ({model.revision[:19]}), and {source} is "
            f"{found.name} ({found.revision[:19]})."
        )
    return _cards(checkpoint, model, options, say)


def text_service(settings: Settings) -> OpenAICompatible | None:
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


def _on_cards(options: VLOptions, settings: Settings, say: Callable[[str], None]) -> Embedder:
    source = options.embedder or "auto"
    if source == "auto":
        if (running := _running(None, options, settings, say)) is not None:
            return running
        source = devices.choose(devices.look().cards)
    checkpoint = _find(source, options.revision)
    identity = checkpoint.model(options.dimension)
    if (running := _running(identity, options, settings, say)) is not None:
        return running
    return _cards(checkpoint, identity, options, say)


def _running(
    wanted: Model | None, options: VLOptions, settings: Settings, say: Callable[[str], None]
) -> RemoteVL | None:
    """A query service on this host that has the model, or any where none is wanted.

    It holds the cards' memory, so that a second copy of the model would find no room.
    """
    if not options.share or options.devices:
        return None
    for service in announcement.found(settings.data_dir):
        try:
            model = reported(base_url=service.base_url, api_key=service.token, patience=SOON)
        except UserError:  # it was killed, and its announcement is left
            continue
        if model is None or model.name == OFFLINE or wanted not in (None, model):
            continue
        if wanted is None and options.dimension not in (None, model.dimension):
            continue
        say(f"{model.name} is embedded by the service on this host, {service.base_url}.")
        return RemoteVL(
            base_url=service.base_url, api_key=service.token, model=model, documents_wait=True
        )
    return None


def _find(source: str, revision: str | None) -> Checkpoint:
    try:
        from indexer.embed.qwen import checkpoint  # noqa: PLC0415 - of an extra
    except ModuleNotFoundError as error:
        raise UserError(f"{devices.EXTRA} {devices.ELSEWHERE}") from error
    return checkpoint.find(source, revision)


def _cards(
    checkpoint: Checkpoint, identity: Model, options: VLOptions, say: Callable[[str], None]
) -> Cards:
    from indexer.embed.qwen.cards import Cards, Plan  # noqa: PLC0415 - of an extra

    spec = SheetSpec()
    plan = Plan(
        checkpoint=checkpoint, identity=identity, devices=devices.named(options.devices) or None,
        sheet=(spec.height, spec.width), shard=options.shard,
        attention=options.attention, step=options.batch_size,
    )  # fmt: skip
    return Cards(plan, say=say)


def _remote(options: VLOptions, settings: Settings) -> RemoteVL:
    """For the model that a server has: as it reports, or else as the user says."""
    if settings.vl_url is None:
        raise UserError("Set VL_EMBEDDING_URL to the server that embeds sheets (https://HOST/v1).")
    found = reported(base_url=settings.vl_url, api_key=settings.vl_api_key, proxy=settings.proxy)
    if found is None:
        if settings.vl_model is None or options.dimension is None:
            raise UserError(
                "The server at VL_EMBEDDING_URL does not tell which vectors it makes: say it with "
                "VL_EMBEDDING_MODEL and --dim (or FONTSIGHT_VL_DIMENSION)."
            )
        found = Model(
            name=settings.vl_model,
            revision=options.revision or "openai-compatible",
            dimension=options.dimension,
            document_instruction=DOCUMENT_INSTRUCTION,
            query_instruction=QUERY_INSTRUCTION,
        )
    return _client(found, settings)


def _client(model: Model, settings: Settings) -> RemoteVL:
    assert settings.vl_url is not None
    return RemoteVL(
        base_url=settings.vl_url, api_key=settings.vl_api_key, model=model, proxy=settings.proxy
    )
