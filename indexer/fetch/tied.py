"""A program that does not outlive who has started it, in a script of its own: it needs no threads there.

python tied.py MAX_FILE_BYTES PROGRAM ARGUMENT…, as the leader of a session, with a pipe for stdin. When
the pipe closes, as it does when its writer is killed, the whole session ends.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import threading

PIPE = 0
IGNORED_BY_PYTHON = [signal.SIGPIPE, signal.SIGXFSZ]


def main() -> None:
    """Ends with the program's exit code."""
    max_bytes, command = int(sys.argv[1]), sys.argv[2:]
    # a registry that sends without end stops here, before the disk is full
    resource.setrlimit(resource.RLIMIT_FSIZE, (max_bytes, max_bytes))
    threading.Thread(target=_end_with_the_pipe, daemon=True).start()
    number = os.posix_spawn(
        command[0], command, os.environ,
        file_actions=[(os.POSIX_SPAWN_OPEN, PIPE, os.devnull, os.O_RDONLY, 0)],
        setsigdef=IGNORED_BY_PYTHON,
    )  # fmt: skip
    _, status = os.waitpid(number, 0)
    sys.exit(max(os.waitstatus_to_exitcode(status), -1))


def _end_with_the_pipe() -> None:
    os.read(PIPE, 1)
    os.killpg(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
