"""The two ways that work fails: one font is bad, or the caller has to do something."""

from typing import Literal

Stage = Literal["fetch", "open", "render", "measure", "embed"]


class FontError(Exception):
    """One font cannot be indexed. Recorded for that font; the run goes on.

    The message is one sentence that a person who looks after fonts understands, without paths of
    this machine and without secrets.
    """

    def __init__(self, stage: Stage, message: str) -> None:
        super().__init__(message)
        self.stage: Stage = stage
        self.message = message

    def __reduce__(self) -> tuple[type["FontError"], tuple[Stage, str]]:
        return type(self), (self.stage, self.message)  # crosses process borders


class AbsentError(FontError):
    """Whoever was asked answers that there is no such file; another may have it."""


class UserError(Exception):
    """The command cannot go on. The message says what to do about it."""


class EmbedderUnavailable(UserError):
    """The embedder as a whole does not answer (network, key, quota): no font is to blame for it."""
