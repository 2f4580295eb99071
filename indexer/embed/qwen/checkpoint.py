"""Which Qwen3-VL checkpoint, where it lies and what identifies it. Needs no torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import snapshot_download
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from tokenizers import Tokenizer

from indexer.embed.protocol import Model
from indexer.embed.qwen import LARGE, SMALL
from indexer.embed.qwen.conversation import DOCUMENT_INSTRUCTION, QUERY_INSTRUCTION
from indexer.errors import UserError

SHORT_NAMES = {"2b": SMALL, "8b": LARGE}
# The commits that mteb 2.26 scores (mteb/models/model_implementations/qwen3_vl_embedding_models.py).
PINNED = {
    SMALL: "9f2f7e710d6d81056aa5c0a4f04764fec6bb7bda",
    LARGE: "2c4565515e0f265c6511776e7193b22c0968ddc7",
}
MIN_DIMENSION = 64  # of Matryoshka, by the model card
DESCRIPTION = ["*.json", "*.jinja", "*.txt"]  # all but the weights
PROCESSORS = ("preprocessor_config.json", "processor_config.json")
END_OF_INPUT = "<|im_start|>assistant\n"
SAMPLE = 1 << 20  # bytes of each end of a file of weights


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A folder with everything but, until `with_weights`, the weights."""

    name: str  # hub id, or the name of a folder of the user's
    revision: str  # commit, or hash of what the folder holds
    folder: Path
    dimension: int  # the model's own
    pooled_token: int  # id of the last input token, whose state is the embedding
    on_hub: bool

    def model(self, dimension: int | None = None) -> Model:
        """The identity of vectors of `dimension` components. Raises UserError for an impossible one."""
        wanted = self.dimension if dimension is None else dimension
        if not MIN_DIMENSION <= wanted <= self.dimension:
            raise UserError(
                f"{self.name} has vectors of {MIN_DIMENSION} to {self.dimension} dimensions, "
                f"not {wanted}."
            )
        return Model(
            name=self.name,
            revision=self.revision,
            dimension=wanted,
            document_instruction=DOCUMENT_INSTRUCTION,
            query_instruction=QUERY_INSTRUCTION,
            pooled_token=self.pooled_token,
        )

    def with_weights(self) -> Path:
        """The folder, weights included: downloads what is missing. Raises UserError."""
        if self.on_hub:
            _downloaded(self.name, self.revision, [*DESCRIPTION, "*.safetensors"])
        if not any(self.folder.glob("*.safetensors")):
            raise UserError(f"{self.folder} holds no weights (*.safetensors).")
        return self.folder


def find(source: str, revision: str | None = None) -> Checkpoint:
    """The checkpoint of a folder, a hub id, or "2b" or "8b"; downloads all but its weights.

    Without a revision the pinned one, else the hub's newest. With HF_HUB_OFFLINE=1 only what has
    been downloaded. Raises UserError where it is not to be had, or is none of Qwen3-VL's.
    """
    folder = Path(source).expanduser()
    if folder.is_dir():
        if revision:
            raise UserError("A folder has no revision to choose: leave it out.")
        name, own_revision, on_hub = *_identity_of(folder), False
    else:
        name = SHORT_NAMES.get(source, source)
        folder = _downloaded(name, revision or PINNED.get(name, "main"), DESCRIPTION)
        own_revision, on_hub = folder.name, True  # the hub's cache names folders by commit
    config = _config(folder, name)
    return Checkpoint(
        name=name,
        revision=own_revision,
        folder=folder,
        dimension=config["text_config"]["hidden_size"],
        pooled_token=_last_token(folder),
        on_hub=on_hub,
    )


def _downloaded(name: str, revision: str, patterns: list[str]) -> Path:
    known: Path | None = None
    with suppress(HFValidationError, LocalEntryNotFoundError):
        known = Path(snapshot_download(name, revision=revision, local_files_only=True))
        # a commit never changes: what is there of it needs no network
        if known.name == revision and patterns == DESCRIPTION and (known / "config.json").is_file():
            return known
    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=patterns))
    except HFValidationError:
        raise UserError(f"{name!r} is neither a folder nor a model's name on the hub.") from None
    except RevisionNotFoundError:
        raise UserError(f"{name} has no revision {revision!r} on the hub.") from None
    except RepositoryNotFoundError:
        raise UserError(f"There is no model {name!r} on the hub, and no such folder.") from None
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        if known:  # whether it is whole, loading it will tell
            return known
        raise UserError(
            f"{name} (revision {revision[:12]}) is not in the local cache, and the hub does not "
            f"answer ({type(error).__name__}). Download it where there is a network, with "
            f"`hf download {name}`, and give its folder."
        ) from error


def _config(folder: Path, name: str) -> dict[str, Any]:
    try:
        config: dict[str, Any] = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError):
        raise UserError(f"{name} is no checkpoint: it has no readable config.json.") from None
    kind = config.get("model_type")
    if kind != "qwen3_vl":
        raise UserError(f"{name} is a {kind!r} model, not a Qwen3-VL one (model_type 'qwen3_vl').")
    missing = [] if (folder / "tokenizer.json").is_file() else ["tokenizer.json"]
    if not any((folder / file).is_file() for file in PROCESSORS):
        missing.append(PROCESSORS[0])
    if missing:
        raise UserError(f"{name} has no processor: {' and '.join(missing)} is missing.")
    return config


def _last_token(folder: Path) -> int:
    """The tokenizer may append a token of its own to what the template ends in."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    return int(tokenizer.encode(END_OF_INPUT, add_special_tokens=True).ids[-1])


def _identity_of(folder: Path) -> tuple[str, str]:
    """Name and revision of a folder: of the hub's cache, or the hash of what decides its vectors."""
    resolved = folder.resolve()
    repository = resolved.parent.parent.name
    if resolved.parent.name == "snapshots" and repository.startswith("models--"):
        return repository.removeprefix("models--").replace("--", "/"), resolved.name
    digest = hashlib.sha256()
    for path in sorted(resolved.iterdir()):
        if path.suffix in {".json", ".jinja", ".txt", ".safetensors"}:
            digest.update(path.name.encode())
            for block in _sampled(path):
                digest.update(block)
    return resolved.name, f"sha256:{digest.hexdigest()[:40]}"


def _sampled(path: Path) -> Iterator[bytes]:
    """A whole small file; size and both ends of a large one: 16 GB take too long at every start."""
    size = path.stat().st_size
    yield size.to_bytes(8, "big")
    with path.open("rb") as file:
        if size <= 16 * SAMPLE:
            yield file.read()
            return
        yield file.read(SAMPLE)
        file.seek(-SAMPLE, 2)
        yield file.read(SAMPLE)
