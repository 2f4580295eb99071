"""A card, whose process is started again when it ends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from indexer.embed.qwen.limits import Limits
from indexer.embed.qwen.messages import Order, Ready
from indexer.embed.qwen.process import CardLost, CardProcess
from indexer.errors import UserError

LOOK = 0.5  # seconds between looks at whether it hangs


class Card:
    """One process after the other on the same devices, until it is closed or given up."""

    def __init__(
        self,
        devices: Sequence[str],
        order: Order,
        limits: Limits,
        *,
        changed: Callable[[], None],
        say: Callable[[str], None],
    ) -> None:
        """`changed` is called when its process is up, when that ends, and when it is given up."""
        self._devices = devices
        self._order = order
        self._limits = limits
        self._changed = changed
        self._say = say
        self._closed = threading.Event()
        self._spawning = threading.Lock()
        self._latest: CardProcess | None = None
        self._up: CardProcess | None = None
        self._given_up: str | None = None
        self._barren = 0
        self.first: Future[Ready] = Future()  # what its first process came to; CardLost, UserError
        threading.Thread(target=self._keep, name=f"keep {self.name}", daemon=True).start()

    @property
    def name(self) -> str:
        """Its devices: "cuda:0", "cuda:0+cuda:1"."""
        return "+".join(self._devices)

    @property
    def process(self) -> CardProcess | None:
        """The one that answers; None between the end of one and the start of the next."""
        process = self._up
        return None if process is None or process.lost else process

    @property
    def given_up(self) -> str | None:
        """Why it is not started any more, in a sentence; None as long as it is."""
        return self._given_up

    @property
    def useless(self) -> bool:
        """Whether so many of its processes in a row answered nothing that no item is to blame."""
        return self._barren >= self._limits.barren

    def give_up(self, why: str) -> None:
        """Start no further process on it."""
        self._given_up = why
        self._say(f"{why} {self.name} is given up.")
        self.close()

    def close(self) -> None:
        self._closed.set()
        with self._spawning:
            process = self._latest
        if process:
            process.stop()

    def _keep(self) -> None:
        try:
            why = self._lived()
        except Exception as error:  # noqa: BLE001 - nobody sees it in a thread, and calls would wait
            why = f"{type(error).__name__}: {error}"
        self._given_up = self._given_up or why
        if not self.first.done():
            self.first.set_exception(CardLost(why))
        self._changed()

    def _lived(self) -> str:
        """One process after the other; returns why there are no more, in a sentence."""
        unstarted = 0  # in a row
        while not self._closed.is_set():
            try:
                process = self._started()
            except (CardLost, UserError, OSError) as error:
                why = str(error)
                unstarted += 1
                self._barren += 1
                if not self.first.done():
                    self.first.set_exception(error)
                    if isinstance(error, UserError):  # of the checkpoint, or of this host
                        return why
            else:
                why = self._served(process)
                unstarted = 0
                self._barren = 0 if process.answers else self._barren + 1
            if self._closed.is_set():
                break
            if unstarted == self._limits.starts:
                self._say(f"{why} It failed to start {unstarted} times in a row and is given up.")
                return why
            pause = self._limits.pause(self._barren)
            self._say(f"{why} It is started again in {pause:.0f} s.")
            self._closed.wait(pause)
        return "The cards were closed."

    def _started(self) -> CardProcess:
        """Raises CardLost, UserError, and OSError where this host has no room for a process."""
        with self._spawning:
            if self._closed.is_set():
                raise CardLost("The cards were closed.")
            process = self._latest = CardProcess(self._devices, self._order, self._limits)
        ready = process.started()
        self._say(str(ready))
        if not self.first.done():
            self.first.set_result(ready)
        return process

    def _served(self, process: CardProcess) -> str:
        """Until it ends; returns why it did."""
        self._up = process
        self._changed()
        while (lost := process.lost) is None:
            process.ended.wait(LOOK)
            process.watch()
        self._changed()
        return lost
