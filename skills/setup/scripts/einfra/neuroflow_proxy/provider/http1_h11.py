"""Reading HTTP/1.1 responses with h11. By itself, as h11 takes a while to load and is seldom needed."""

import h11

from .http1 import MAX_HEAD_BYTES, Listener, MalformedResponse, cut_off, lengths


class H11Parser:
    """`ResponseParser` with h11."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._status = 0
        self._lengths = 0
        self._connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
        # h11 reads a response only to a request that it has seen.
        self._connection.send(h11.Request(method="GET", target="/", headers=[("host", "h")]))
        self._connection.send(h11.EndOfMessage())

    def feed(self, data: bytes) -> None:
        if self._connection.their_state is h11.DONE:
            raise MalformedResponse("more than one response")
        try:
            self._connection.receive_data(data)
            self._read()
        except h11.RemoteProtocolError as error:
            raise MalformedResponse(str(error)) from error

    def feed_eof(self) -> None:
        if self._connection.their_state is h11.DONE:
            return
        try:
            self._connection.receive_data(b"")
            self._read()
        except h11.RemoteProtocolError as error:
            raise MalformedResponse(cut_off(self._status)) from error

    def _read(self) -> None:
        while True:
            event = self._connection.next_event()
            if isinstance(event, h11.Data):
                self._listener.on_body(bytes(event.data))
            elif isinstance(event, h11.Response):
                self._status = event.status_code
                headers = list(event.headers)
                self._lengths = lengths(headers)
                self._listener.on_head(event.status_code, headers)
            elif isinstance(event, h11.EndOfMessage):
                self._listener.on_end(self._connection.our_state is h11.DONE and self._lengths < 2)
                return
            elif not isinstance(event, h11.InformationalResponse):
                return
