"""Errors of this machine, which no font is to blame for: a full disk, a folder that is not ours, too many files."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from indexer.errors import UserError

TOO_MANY = frozenset({errno.EMFILE, errno.ENFILE})  # files open, whichever comes next
# not ENOMEM: where a font is opened, memory is bounded
OF_THE_MACHINE = TOO_MANY | {
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT,
    errno.ENOTDIR, errno.EIO, errno.ESTALE,
}  # fmt: skip


class MachineError(UserError):
    """The machine fails, whichever font comes next. `reason` is what others may read: no path."""

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


def of_the_machine(error: Exception) -> bool:
    return isinstance(error, OSError) and error.errno in OF_THE_MACHINE


def reason(error: OSError) -> str:
    """What the system calls it, without the path."""
    return error.strerror or type(error).__name__


def stopped(error: OSError) -> MachineError:
    """For an error that no layer below has explained."""
    where = f"{error.filename}: " if error.filename else ""
    return MachineError(
        f"This machine cannot go on: {where}{reason(error)}. No font is to blame, and what is done "
        "is kept: mend it, then run again.",
        reason=reason(error),
    )


@contextmanager
def usable(folder: Path) -> Iterator[None]:
    """Inside, where the machine fails, it is the cache in this folder that cannot be used: MachineError."""
    try:
        yield
    except OSError as error:
        if not of_the_machine(error):
            raise
        raise MachineError(
            f"The cache in {folder} cannot be used: {reason(error)}. No font is to blame, and what "
            "is done is kept. Free space there or let it be written, or set FONTSIGHT_CACHE_DIR to "
            "another folder; then run again.",
            reason=reason(error),
        ) from error
