"""A stdin that a signal ends: nothing else wakes a thread that waits for it."""

from __future__ import annotations

import os
import select
import signal
import threading
from contextlib import suppress

CHUNK = 1 << 16


def end_with_signals() -> None:
    """From here on SIGTERM and Ctrl-C are, for readers of file descriptor 0, the end of stdin.

    To be called once, by the main thread, of a process that ends with its stdin.
    """
    source = os.dup(0)
    read_end, sink = os.pipe()
    os.dup2(read_end, 0)
    os.close(read_end)
    told, tell = os.pipe()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os.write(tell, b"."))
    threading.Thread(target=_pass_on, args=(source, sink, told), daemon=True).start()


def _pass_on(source: int, sink: int, told: int) -> None:
    with suppress(OSError):  # whoever read it has gone
        while told not in select.select([source, told], [], [])[0]:
            data = os.read(source, CHUNK)
            if not data:
                break
            os.write(sink, data)
    os.close(sink)
