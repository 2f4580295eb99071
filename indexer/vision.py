"""Which embedder of sheets a command uses, and on what it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from indexer.embed.conversation import DOCUMENT_INSTRUCTION, QUERY_INSTRUCTION
from indexer.embed.measured import MeasuredTraits
from indexer.embed.protocol import Embedder, Model
from indexer.embed.qwen import devices
from indexer.embed.remote import RemoteVL, reported
from indexer.errors import UserError
from indexer.settings import Settings
from indexer.sheet.render import SheetSpec

if TYPE_CHECKING:
    from indexer.embed.qwen.cards import Cards
    from indexer.embed.qwen.checkpoint import Checkpoint

Say = Callable[[str], None]

OFFLINE = "measured-traits"


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What a command says; None: what the environment says, or what the database suggests."""

    embedder: str | None = None  # auto, 2b, 8b, a hub id, a folder, remote, measured-traits
    revision: str | None = None  # of the checkpoint
    dimension: int | None = None
    devices: str | None = None  # "cuda:0,cuda:1", "cpu"
    shard: bool = False  # one model over all devices

    def or_from(self, settings: Settings) -> Choice:
        return replace(
            self,
            embedder=self.embedder or settings.vl_embedder,
            revision=self.revision or settings.vl_revision,
            dimension=self.dimension or settings.vl_dimension,
            devices=self.devices or settings.vl_devices,
        )


UNSAID = Choice()


def choose(serving: Model | None, choice: Choice, settings: Settings, say: Say) -> Embedder:
    """The embedder of sheets; `say` is told how its cards fare.

    Where nobody chooses, the one whose vectors serve, so that a nightly run goes on as it was; in
    a new database, what the cards have room for. Raises UserError where it cannot be had.
    """
    choice = choice.or_from(settings)
    if choice.embedder is None and serving is not None:
        return of_model(serving, settings, say, choice)
    if choice.embedder == OFFLINE:
        return MeasuredTraits()
    if choice.embedder == "remote":
        return _remote(choice, settings)
    return _on_cards(choice, say)


def of_model(model: Model, settings: Settings, say: Say, choice: Choice = UNSAID) -> Embedder:
    """The embedder that made the vectors of a space. Raises UserError where it cannot be had."""
    if model.name == OFFLINE:
        return MeasuredTraits()
    if settings.vl_url:
        return _client(model, settings)
    choice = choice.or_from(settings)
    source = choice.embedder if choice.embedder and Path(choice.embedder).is_dir() else model.name
    if source == model.name and model.revision.startswith("sha256:"):
        raise UserError(
            f"The vl vectors were made by {model.name}, a folder of yours: say where it lies with "
            "FONTSIGHT_VL_EMBEDDER. Or set VL_EMBEDDING_URL to a service that has it."
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
    return _cards(checkpoint, model, choice, say)


def _on_cards(choice: Choice, say: Say) -> Cards:
    source = choice.embedder or "auto"
    if source == "auto":
        source = devices.choose(devices.look().cards)
    checkpoint = _find(source, choice.revision)
    return _cards(checkpoint, checkpoint.model(choice.dimension), choice, say)


def _find(source: str, revision: str | None) -> Checkpoint:
    try:
        from indexer.embed.qwen import checkpoint  # noqa: PLC0415 - of an extra
    except ModuleNotFoundError as error:
        raise UserError(f"{devices.EXTRA} {devices.ELSEWHERE}") from error
    return checkpoint.find(source, revision)


def _cards(checkpoint: Checkpoint, identity: Model, choice: Choice, say: Say) -> Cards:
    from indexer.embed.qwen.cards import Cards, Plan  # noqa: PLC0415 - of an extra

    spec = SheetSpec()
    named = tuple(name.strip() for name in (choice.devices or "").split(",") if name.strip())
    plan = Plan(
        checkpoint=checkpoint, identity=identity, devices=named or None,
        sheet=(spec.height, spec.width), shard=choice.shard,
    )  # fmt: skip
    return Cards(plan, say=say)


def _remote(choice: Choice, settings: Settings) -> RemoteVL:
    """By what a server serves: what it reports, or else what the user says of it."""
    if settings.vl_url is None:
        raise UserError("Set VL_EMBEDDING_URL to the server that embeds sheets (https://HOST/v1).")
    found = reported(base_url=settings.vl_url, api_key=settings.vl_api_key, proxy=settings.proxy)
    if found is None:
        if settings.vl_model is None or choice.dimension is None:
            raise UserError(
                "The server at VL_EMBEDDING_URL does not tell which vectors it makes: say it with "
                "VL_EMBEDDING_MODEL and --dim (or FONTSIGHT_VL_DIMENSION)."
            )
        found = Model(
            name=settings.vl_model,
            revision=choice.revision or "openai-compatible",
            dimension=choice.dimension,
            document_instruction=DOCUMENT_INSTRUCTION,
            query_instruction=QUERY_INSTRUCTION,
        )
    return _client(found, settings)


def _client(model: Model, settings: Settings) -> RemoteVL:
    assert settings.vl_url is not None
    return RemoteVL(
        base_url=settings.vl_url, api_key=settings.vl_api_key, model=model, proxy=settings.proxy
    )
