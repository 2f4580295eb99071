"""What the service says instead of an answer: a status, a sentence, and when to come back."""

from __future__ import annotations

from psycopg import DataError
from psycopg import Error as DatabaseError
from psycopg.errors import InsufficientPrivilege, InvalidParameterValue

from indexer.errors import EmbedderUnavailable, FontError, UserError
from indexer.machine import MachineError
from indexer.serve.reading import DatabaseUnavailable

NO_FONT = "there is no font with the id "  # as similar_fonts says it
BEGINNINGS = ("a ", "the ", "there ")  # of what functions say; else it is the name of an argument


class Refusal(Exception):
    """An answer other than the one that was asked for; the sentence says what to do."""

    def __init__(self, status: int, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.retry_after_s = retry_after_s


def refusal_of(error: Exception) -> Refusal:
    """What an exception of the rest of the program comes to here."""
    refusal = Refusal(500, "Something went wrong; the service's log says what.")
    match error:
        case Refusal():
            refusal = error
        case EmbedderUnavailable() | DatabaseUnavailable():
            refusal = Refusal(503, str(error), retry_after_s=5)
        case MachineError():  # its message names folders of this host
            said = f"The service's host has a trouble of its own: {error.reason}."
            refusal = Refusal(503, said, retry_after_s=60)
        case UserError():
            refusal = Refusal(422, str(error))
        case FontError():
            refusal = Refusal(422, error.message)
        case InvalidParameterValue():
            said, hint = error.diag.message_primary or "", error.diag.message_hint or ""
            status = 404 if said.startswith(NO_FONT) else 400
            refusal = Refusal(status, f"{_sentence(said)} {hint}".rstrip())
        case DataError():  # a NUL, half a character or a number without end, which JSON may hold
            reason = (str(error).splitlines() or ["it is no value of its type"])[0][:100]
            refusal = Refusal(400, f"The database cannot read the request: {reason}.")
        case InsufficientPrivilege():
            refusal = Refusal(403, f"The database refused: {error.diag.message_primary}.")
        case DatabaseError():
            refusal = Refusal(503, "The database does not answer. Try again.", retry_after_s=5)
    return refusal


def _sentence(said: str) -> str:
    """Of what a function of the database says: they begin in lower case and end without a stop."""
    return f"{said[:1].upper()}{said[1:]}." if said.startswith(BEGINNINGS) else f"{said}."
