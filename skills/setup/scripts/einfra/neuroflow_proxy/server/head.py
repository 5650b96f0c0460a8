"""Sending the head of a response together with the first bytes of its body.

Uvicorn writes them one after the other, each in a system call and a packet of its own, which for a small answer takes
a tenth of all its time. Every answer here begins with its body at once, so the head can wait for it.
"""

import asyncio
from typing import Any


class HeadWithBody:
    """A transport that holds back the head of a response until something follows it, or `flush`, or the end."""

    __slots__ = ("_head", "_transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if self._head:
            data, self._head = self._head + data, b""
        elif data.startswith(b"HTTP/1.1 ") and data.endswith(b"\r\n\r\n") and not data.startswith(b"HTTP/1.1 1"):
            self._head = data
            return
        self._transport.write(data)

    def flush(self) -> None:
        if self._head:
            self._transport.write(self._head)
            self._head = b""

    def close(self) -> None:
        self.flush()
        self._transport.close()
