"""One timer for many deadlines, nearly all of which are met long before they are due."""

import asyncio
from collections.abc import Callable


class Alarm:
    """Calls `look` at the latest time that was asked for or earlier, for it to see whether anything is due by then.

    Only a time before that of the timer under way sets another one; to set and cancel one takes 2.5 µs.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, look: Callable[[], None]) -> None:
        self._loop = loop
        self._look = look
        self._timer: asyncio.TimerHandle | None = None

    def by(self, due: float) -> None:
        """Look at `due`, on the loop's clock, or before; if nothing is due then, this is to be asked anew."""
        if self._timer is None or self._timer.when() > due:
            self.stop()
            self._timer = self._loop.call_at(due, self._ring)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ring(self) -> None:
        self._timer = None
        self._look()
