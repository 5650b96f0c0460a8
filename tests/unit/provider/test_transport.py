"""The transport towards the provider, against real sockets."""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

from neuroflow_proxy.provider import transport
from neuroflow_proxy.provider.network import BrokenOff, NoConnection, Silence, Unsendable, request_to
from neuroflow_proxy.provider.transport import DirectTransport, connected_socket

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"


class Server:
    """Answers each request on a connection as it is told, and counts connections."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.connections = 0
        self.asked: list[bytes] = []
        self.tasks: list[asyncio.Task[None] | None] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.tasks.append(asyncio.current_task())
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
                self.asked.append(head + await reader.readexactly(length))
                await self._answer(reader, writer)
                await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@contextlib.asynccontextmanager
async def before(answer: Answer) -> AsyncIterator[tuple[Server, str, DirectTransport]]:
    server = Server(answer)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    async with contextlib.aclosing(DirectTransport()) as direct:
        yield server, f"http://127.0.0.1:{port}/v1/x?y=z", direct
    listening.close()
    await asyncio.gather(*filter(None, server.tasks))


async def ask(direct: DirectTransport, url: str, body: bytes = b"", read_s: float = 5.0) -> bytes:
    _, _, answer = await direct.send(request_to("POST", url, {}), body, connect_s=5.0, silence_s=read_s)
    try:
        return b"".join([piece async for piece in answer])
    finally:
        await answer.aclose()


async def hello(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b"hello")


def run(test: Callable[[], Any]) -> None:
    asyncio.run(test())


def test_a_request_arrives_as_it_was_made_and_its_connection_is_used_again() -> None:
    async def test() -> None:
        async with before(hello) as (server, url, direct):
            for _ in range(transport.MAX_IDLE + 3):
                assert await ask(direct, url, b"body") == b"hello"
            assert server.connections == 1
            first = server.asked[0]
            assert first.startswith(b"POST /v1/x?y=z HTTP/1.1\r\nHost: 127.0.0.1")
            assert first.endswith(b"\r\n\r\nbody")

    run(test)


def test_requests_at_once_have_connections_of_their_own() -> None:
    async def test() -> None:
        async with before(hello) as (server, url, direct):
            for _ in range(2):  # the second time on connections that were kept
                assert await asyncio.gather(*(ask(direct, url) for _ in range(5))) == [b"hello"] * 5
                assert server.connections == 5

    run(test)


def test_a_connection_to_one_server_is_never_used_for_another() -> None:
    async def test() -> None:
        async with before(hello) as (one, url, direct), before(hello) as (other, other_url, _):
            for _ in range(2):
                assert await ask(direct, url) == await ask(direct, other_url) == b"hello"
            assert (len(one.asked), len(other.asked)) == (2, 2)
            await direct.aclose()

    run(test)


def test_an_answer_that_is_left_before_its_end_closes_the_connection() -> None:
    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"he")

    async def test() -> None:
        async with before(half) as (server, url, direct):
            for _ in range(2):
                with pytest.raises(Silence):
                    await ask(direct, url, read_s=0.05)
            assert server.connections == 2

    run(test)


def test_the_rest_of_an_answer_that_nobody_read_on_is_not_heard_by_the_next_request() -> None:
    async def in_two_halves(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"he")
        await asyncio.sleep(0.05)
        writer.write(b"llo")

    async def test() -> None:
        async with before(in_two_halves) as (server, url, direct):
            _, _, body = await direct.send(request_to("POST", url, {}), b"", connect_s=5.0, silence_s=5.0)
            assert await anext(aiter(body)) == b"he"
            await body.aclose()
            assert await ask(direct, url) == b"hello"
            assert server.connections == 2

    run(test)


def test_a_connection_that_the_server_has_closed_meanwhile_is_not_used_again() -> None:
    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"hello")
        writer.close()

    async def test() -> None:
        async with before(once) as (server, url, direct):
            assert await ask(direct, url) == b"hello"
            await asyncio.sleep(0.05)
            assert await ask(direct, url) == b"hello"
            assert server.connections == 2

    run(test)


def test_what_a_server_says_unasked_is_no_answer_to_the_next_request() -> None:
    async def test() -> None:
        was_heard = asyncio.Event()

        async def and_then_is_tired_of_waiting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(HEAD + b"hello")
            await was_heard.wait()
            was_heard.clear()
            writer.write(b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n")

        async with (
            before(and_then_is_tired_of_waiting) as (server, url, direct),
            before(hello) as (_, other_url, other),
        ):
            for _ in range(2):
                assert await ask(direct, url) == b"hello"
                was_heard.set()
                await ask(other, other_url)  # by when the loop has looked at all of its sockets
            assert server.connections == 2

    run(test)


def test_what_is_no_http_is_a_broken_answer() -> None:
    async def another_protocol(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.9\r\n\r\n")

    async def test() -> None:
        async with before(another_protocol) as (_, url, direct):
            with pytest.raises(BrokenOff):
                await ask(direct, url)

    run(test)


def test_a_connection_that_has_rested_too_long_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "KEEP_ALIVE_S", -1.0)

    async def test() -> None:
        async with before(hello) as (server, url, direct):
            await ask(direct, url)
            await ask(direct, url)
            assert server.connections == 2

    run(test)


def test_a_connection_that_rested_while_the_machine_slept_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop's clock stands still meanwhile."""

    async def test() -> None:
        async with before(hello) as (server, url, direct):
            await ask(direct, url)
            woken_at = time.time() + 3600
            monkeypatch.setattr(transport.time, "time", lambda: woken_at)
            await ask(direct, url)
            assert server.connections == 2

    run(test)


def test_what_arrived_before_the_connection_broke_is_read_first() -> None:
    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"he")
        await writer.drain()
        writer.close()

    async def test() -> None:
        async with before(half) as (_, url, direct):
            _, _, body = await direct.send(request_to("POST", url, {}), b"", connect_s=5.0, silence_s=5.0)
            pieces = aiter(body)
            assert await anext(pieces) == b"he"
            with pytest.raises(BrokenOff, match="before the answer was whole"):
                await anext(pieces)
            await body.aclose()

    run(test)


def test_a_server_that_says_nothing_is_waited_for_no_longer_than_asked() -> None:
    async def nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)

    async def test() -> None:
        async with before(nothing) as (_, url, direct):
            with pytest.raises(Silence):
                await ask(direct, url, read_s=0.05)

    run(test)


def test_words_that_keep_coming_are_no_silence_however_long_they_take() -> None:
    async def slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD)
        for letter in b"hello":
            await asyncio.sleep(0.4)
            writer.write(bytes([letter]))

    async def test() -> None:
        async with before(slowly) as (_, url, direct):
            assert await ask(direct, url, read_s=1.5) == b"hello"

    run(test)


def test_a_reader_that_pauses_holds_the_server_back_and_misses_nothing() -> None:
    size, written = 30_000_000, []

    async def much(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size)
        for _ in range(size // 100_000):
            writer.write(b"x" * 100_000)
            await writer.drain()
            written.append(100_000)

    async def test() -> None:
        async with before(much) as (_, url, direct):
            _, _, body = await direct.send(request_to("POST", url, {}), b"", connect_s=5.0, silence_s=0.2)
            await asyncio.sleep(0.5)  # longer than the server may be silent: it is we who do not read
            assert sum(written) < size / 2
            total = 0
            async for piece in body:
                total += len(piece)
            await body.aclose()
            assert total == size

    run(test)


def test_a_connection_whose_last_bytes_nobody_has_read_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it would hold the next answer back for ever."""
    monkeypatch.setattr(transport, "HIGH_WATER_BYTES", 3)

    async def test() -> None:
        async with before(hello) as (_, url, direct):
            _, _, body = await direct.send(request_to("POST", url, {}), b"", connect_s=5.0, silence_s=5.0)
            while not body.has_ended:
                await asyncio.sleep(0.01)
            await body.aclose()
            async with asyncio.timeout(5.0):
                assert await ask(direct, url) == b"hello"

    run(test)


def test_a_server_that_falls_silent_after_it_was_held_back_is_noticed() -> None:
    async def much_and_then_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2000000\r\n\r\n" + b"x" * 1_000_000)

    async def test() -> None:
        async with before(much_and_then_nothing) as (_, url, direct), asyncio.timeout(5):
            _, _, body = await direct.send(request_to("POST", url, {}), b"", connect_s=5.0, silence_s=0.2)
            await asyncio.sleep(0.1)
            with pytest.raises(Silence):
                async for _ in body:
                    pass
            await body.aclose()

    run(test)


def test_a_host_that_refuses_is_told_as_such() -> None:
    async def test() -> None:
        async with contextlib.aclosing(DirectTransport()) as direct:
            with pytest.raises(NoConnection):
                await ask(direct, "http://127.0.0.1:9/v1")

    run(test)


def test_an_address_that_does_not_answer_does_not_keep_from_trying_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        loop = asyncio.get_running_loop()
        real = loop.sock_connect

        async def addresses(host: str, port: int, **how: Any) -> list[Any]:
            stream = (socket.AF_INET, socket.SOCK_STREAM, 0, "")
            return [(*stream, ("192.0.2.1", port)), (*stream, ("127.0.0.1", port))]

        async def connect(connecting: socket.socket, address: tuple[str, int]) -> None:
            await (asyncio.sleep(60) if address[0] == "192.0.2.1" else real(connecting, address))

        async with before(hello) as (_, url, _direct):
            monkeypatch.setattr(loop, "getaddrinfo", addresses)
            monkeypatch.setattr(loop, "sock_connect", connect)
            async with asyncio.timeout(5):
                with await connected_socket("two.example", urlsplit(url).port or 0) as connected:
                    assert connected.getpeername()[0] == "127.0.0.1"

    run(test)


@pytest.mark.parametrize(
    ("url", "host", "target"),
    [
        ("https://llm.ai.e-infra.cz/v1/models", "llm.ai.e-infra.cz", "/v1/models"),
        ("http://localhost:8000/v1/x?y=z&a=b c", "localhost:8000", "/v1/x?y=z&a=b%20c"),
        ("http://[::1]:8000/v1", "[::1]:8000", "/v1"),
        ("https://Příklad.example/v1/č%20d", "xn--pklad-zsa96e.example", "/v1/%C4%8D%20d"),
        ("https://openrouter.ai", "openrouter.ai", "/"),
        ("https://a.example/deployments/a:b@1;c=d%2Fe/(1)", "a.example", "/deployments/a:b@1;c=d%2Fe/(1)"),
    ],
)
def test_a_url_is_asked_for_as_servers_expect_it(url: str, host: str, target: str) -> None:
    head = request_to("GET", url, {"X-A": "b"}).head
    assert head == f"GET {target} HTTP/1.1\r\nHost: {host}\r\nX-A: b\r\n".encode()


@pytest.mark.parametrize("url", ["ftp://a/v1", "https:///v1", "http://a:port/v1", f"http://{'a' * 70}.cz/", "x"])
def test_what_is_no_address_of_a_web_server_is_told(url: str) -> None:
    with pytest.raises(Unsendable):
        request_to("GET", url, {})


def test_connections_are_shared_by_scheme_host_and_port() -> None:
    ports = [request_to("GET", f"{url}/v1", {}).origin.port for url in ("http://a", "https://a", "https://a:444")]
    assert ports == [80, 443, 444]


@pytest.mark.parametrize("key", ["k\r\nX-Other: y", "kůň"])
def test_a_key_cannot_bring_headers_of_its_own_nor_what_no_header_holds(key: str) -> None:
    with pytest.raises(Unsendable) as refused:
        request_to("GET", "http://a/", {"Accept": "*/*", "Authorization": f"Bearer {key}"})
    assert key not in str(refused.value)


def test_a_path_that_leads_nowhere_any_more_is_noticed_by_the_system() -> None:
    """A request on it would else be waited for as long as a provider may be silent, with pings."""

    async def test() -> None:
        listening = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
        connected = await connected_socket("127.0.0.1", listening.sockets[0].getsockname()[1])
        with connected:
            assert connected.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            if hasattr(socket, "TCP_USER_TIMEOUT"):
                assert 0 < connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) <= 60_000
        listening.close()

    run(test)


def test_where_one_kept_connection_is_of_no_more_use_the_others_cost_no_attempt() -> None:
    forgotten = False

    async def test() -> None:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if forgotten and writer in old:
                writer.close()
                return
            old.append(writer)
            writer.write(HEAD + b"hello")

        nonlocal forgotten
        old: list[asyncio.StreamWriter] = []
        async with before(answer) as (server, url, direct):
            await asyncio.gather(*(ask(direct, url) for _ in range(4)))
            assert server.connections == 4
            forgotten = True
            with pytest.raises(BrokenOff):
                await ask(direct, url)
            assert await ask(direct, url) == b"hello"

    run(test)


def test_a_connection_on_which_the_answer_came_before_the_whole_request_was_sent_is_not_used_again() -> None:
    async def test() -> None:
        async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = await reader.readuntil(b"\r\n\r\n")
            writer.write(HEAD + b"hello")
            if b"Content-Length: 0\r\n" not in head:
                await done.wait()  # and does not read the rest
            writer.close()

        done = asyncio.Event()
        listening = await asyncio.start_server(refuse, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/"
        async with contextlib.aclosing(DirectTransport()) as direct:
            assert await ask(direct, url, bytes(32 * 1024 * 1024)) == b"hello"
            assert await ask(direct, url, read_s=2.0) == b"hello"
        done.set()
        listening.close()

    run(test)
