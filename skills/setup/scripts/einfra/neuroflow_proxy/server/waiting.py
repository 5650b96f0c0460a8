"""Waiting for the provider with an eye on the client: pings while nothing is said, and no work for one who has gone."""

import asyncio
import contextlib
from collections.abc import Coroutine

from ..errors import Kind, ProxyError
from .answers import Output
from .asgi import Receive
from .body import ClientGone

# Nobody is gone or waits for a ping before that; what is answered sooner need not pay for a watch.
WATCH_FROM_S = 0.1


async def run_unless_client_leaves(receive: Receive, work: Coroutine[None, None, str], out: Output) -> str:
    """The result of `work`, with pings on `out` while it is silent; `ClientGone` if the client goes first.

    Where the server ends and waits no longer, that is a `ProxyError` to be told, as long as anything can be.
    """
    watch = _Watch(receive, out)
    try:
        return await work
    except asyncio.CancelledError:
        if watch.has_cancelled_alone():
            raise ClientGone from None
        if out.has_ended:
            raise
        raise ProxyError("The proxy was stopped.", kind=Kind.STOPPED) from None
    finally:
        watch.end()


class _Watch:
    """Looks after the client beside the current task, and cancels that one when the client goes."""

    def __init__(self, receive: Receive, out: Output) -> None:
        self._receive = receive
        self._out = out
        self._loop = asyncio.get_running_loop()
        self._worker = asyncio.current_task()
        self._has_cancelled = False
        self._watching: asyncio.Task[None] | None = None
        silence_left_s = out.silence_left_s()
        begins_s = WATCH_FROM_S if silence_left_s is None else min(WATCH_FROM_S, silence_left_s)
        self._timer = self._loop.call_later(begins_s, self._begin)

    def has_cancelled_alone(self) -> bool:
        """Whether the work was cancelled because the client has gone, and for no other reason."""
        return self._has_cancelled and self._worker is not None and self._worker.uncancel() == 0

    def end(self) -> None:
        self._timer.cancel()
        if self._watching is not None:
            self._watching.cancel()

    def _begin(self) -> None:
        self._watching = self._loop.create_task(self._watch())

    async def _watch(self) -> None:
        gone = self._loop.create_task(_disconnected(self._receive))
        try:
            with contextlib.suppress(OSError):  # some servers say at a write that the client has gone
                while not gone.done():
                    await asyncio.wait({gone}, timeout=self._out.silence_left_s())
                    if not gone.done():
                        await self._out.ping_if_silent()
        finally:
            gone.cancel()
        # Servers tell the end of the answer as a disconnect as well.
        if not self._out.has_ended and self._worker is not None:
            self._has_cancelled = self._worker.cancel()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
