"""A circuit breaker: a server that fails again and again is left alone for a while, then tried once."""

from __future__ import annotations

import asyncio
import time

from foundation.errors import InputError


class ServerGone(InputError):
    """The server does not answer any more; what it answered before is kept."""


class Breaker:
    """Counts failures in a row; open, it holds questions back.

    Attributes:
        failures: in a row that open it.
        pause: seconds for which it stays open; then one question is let through, and the next only
            once that one has gone well.
        most_opens: in a row, without one answer between, after which it gives up.
    """

    def __init__(self, failures: int = 5, pause: float = 20.0, most_opens: int = 3) -> None:
        self.failures, self.pause, self.most_opens = failures, pause, most_opens
        self.opened = 0
        """How often it has opened since the last answer."""
        self._in_a_row = 0
        self._until = 0.0
        self._trial: object | None = None
        """The one question that is let through, while it is under way."""

    async def wait(self) -> object | None:
        """Return once a question may be sent; what :meth:`note` knows it by where it is the trial.

        Raises:
            ServerGone: it has opened too often in a row.
        """
        while True:
            if self.opened >= self.most_opens:
                raise ServerGone(
                    f"the server failed {self._in_a_row} times in a row; look at it and go on with the "
                    "same command, which asks only what has no answer yet"
                )
            if not self.opened:
                return None
            left = self._until - time.monotonic()
            if left <= 0 and self._trial is None:
                self._trial = object()
                return self._trial
            await asyncio.sleep(min(max(left, 0.01), 0.25))

    def note(self, good: bool, trial: object | None = None) -> None:
        """Take in how a question went.

        Args:
            good: whether it was answered.
            trial: what :meth:`wait` returned for it. Questions that were under way before it opened
                fail too, and say nothing of the trial.
        """
        tried = trial is not None and trial is self._trial
        if tried or good:
            self._trial = None
        if good:
            self._in_a_row = self.opened = 0
            return
        self._in_a_row += 1
        if tried or (not self.opened and self._in_a_row >= self.failures):
            self.opened += 1
            self._until = time.monotonic() + self.pause
