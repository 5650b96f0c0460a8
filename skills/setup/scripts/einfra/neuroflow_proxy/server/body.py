"""Reading a request's body: whole, bounded in size, and as a JSON object or not at all.

How long it may take to arrive is the connection's affair, see `connection.py`.
"""

import asyncio
import contextlib

from ..errors import Kind, ProxyError, RequestError
from ..wire.codec import InvalidJSON, loads
from ..wire.messages_api import JSON
from .asgi import Receive

# Anthropic's own limit for a request is 32 MB; the rest is room for what JSON adds to it.
MAX_BODY_BYTES = 40 * 1024 * 1024
LINGER_S = 10.0


class ClientGone(Exception):
    """The client closed the connection."""


async def read_json_object(receive: Receive) -> tuple[JSON, int]:
    """The request's body as a JSON object, and its size in bytes.

    Raises `ProxyError`, or `ClientGone` if the client left meanwhile.
    """
    body = await _read(receive)
    try:
        value = loads(bytes(body))
    except InvalidJSON as error:
        raise RequestError(f"The request body is not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise RequestError("The request body must be a JSON object.")
    return value, len(body)


async def skip_body(receive: Receive) -> None:
    """Take what is left of a body and forget it, so that the client hears why it was refused.

    Who is answered and cut off while still sending sees a broken connection, and asks again and again.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LINGER_S):
            while (await receive()).get("more_body"):
                pass


async def _read(receive: Receive) -> bytearray:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            if message.get("more_body"):
                await skip_body(receive)
            raise ProxyError(
                f"The request is larger than {MAX_BODY_BYTES // 1024 // 1024} MB.",
                hint="Leave out large images or documents.",
                kind=Kind.TOO_LARGE,
            )
        if not message.get("more_body"):
            return body
