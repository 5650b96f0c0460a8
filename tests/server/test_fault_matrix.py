"""Every fault at every moment of an answer, streamed and not: what the client sees, and that it is never a lie.

The provider gives one true answer (it thinks, says something, calls a tool, finishes) and is struck by a fault before
it, or after some part of it. What the client sees then stands in the tables, in these words:

    whole     all of the true answer and a clean end, as if nothing had been
    503 x3    that HTTP status, after the provider was asked so often
    tw!       a stream that ends in an `error` event; the blocks before it that were closed, and with that may be used:
              t(hinking), w(ords), c(all). Words may be cut short, a call may not: Claude Code runs what is closed.

A fault that stays is what the tables are about. One that passes is not seen at all where they say `x3`.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from neuroflow_proxy.demo.provider import DemoProvider
from neuroflow_proxy.demo.run import running
from neuroflow_proxy.demo.script import (
    Answer,
    Cut,
    Hang,
    Pause,
    Raw,
    Status,
    finish,
    reasoning,
    role,
    text,
    tool_call,
)
from neuroflow_proxy.models.profiles import profile_for
from neuroflow_proxy.provider import retry
from neuroflow_proxy.server import answers, asking
from neuroflow_proxy.server import question as questions
from neuroflow_proxy.server.app import create_app
from neuroflow_proxy.setup.integrations import save_section
from tests.grammar import listen, parse_sse
from tests.live import free_port
from tests.serving import proxy_before, serving, settings, wait_until

THOUGHT, WORDS, ARGUMENTS = "First I look, then I act.", "I read the file.", '{"file_path": "/etc/hostname"}'
READ = {"name": "Read", "description": "Reads.", "input_schema": {"type": "object", "properties": {"file_path": {}}}}

ANSWER = [
    *role(),
    *reasoning(THOUGHT, pieces=2),
    *text(WORDS, pieces=2),
    *tool_call("Read", ARGUMENTS, id="functions.Read:0", pieces=2),
    *finish("tool_calls"),
]
MOMENTS = {"nothing": 0, "headers": 1, "thinking": 2, "words": 4, "arguments": 7, "call": 8, "finish": 9}
"""How many steps of the answer come before the fault."""

SILENCE_S = 1.5
_FLUSHED = Pause(0.1)  # a reset overtakes what was written just before
_PINGED = Pause(0.2)  # meanwhile the stream is opened
_PAGE = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1><hr>nginx</body></html>"
_LOGIN = "<html><head><title>Sign in</title></head><body><form action='/login'>Log in</form></body></html>"
_ERROR = b'data: {"error": {"message": "the engine has died", "type": "server_error", "code": 500}}\n\n'
_TORN = b'data: {"choices": [{"index": 0, "delta": {"content": "to\n\n'


def _einfra(state: str) -> dict[str, str]:
    limits = {"x-rate-limit-max-concurrent": "64", "x-rate-limit-max-total": "84"}
    return {"retry-after": "0", "x-rate-limit-queue-status": state, **limits}


AT_ANY_MOMENT: dict[str, Callable[[int], Answer]] = {
    "reset": lambda said: [_FLUSHED, Cut("rst")],
    "closed": lambda said: [Cut("fin")],
    "ended": lambda said: [Cut("end")],
    "silent": lambda said: [Hang()],
    "error inside": lambda said: [Raw(_ERROR), Cut("end")],
    "page inside": lambda said: [Raw(_PAGE.encode()), Cut("end")],
    "torn chunk": lambda said: [Raw(_TORN), *ANSWER[said:]],
}
STREAMED = """
               nothing    headers    thinking   words      arguments  call       finish
reset          502 x3     502 x3     !          tw!        tw!        twc!       whole
closed         502 x3     502 x3     !          tw!        tw!        twc!       whole
ended          502 x3     502 x3     !          tw!        tw!        twc!       whole
silent         504 x3     504 x3     !          tw!        tw!        twc!       whole
error inside   502 x3     502 x3     !          tw!        tw!        twc!       whole
page inside    502 x3     502 x3     !          tw!        tw!        twc!       whole
torn chunk     502 x3     502 x3     !          tw!        tw!        twc!       whole
"""
WHOLE = """
               nothing    headers    thinking   words      arguments  call       finish
reset          502 x3     502 x3     502 x1     502 x1     502 x1     502 x1     whole
closed         502 x3     502 x3     502 x1     502 x1     502 x1     502 x1     whole
ended          502 x3     502 x3     502 x1     502 x1     502 x1     502 x1     whole
silent         504 x3     504 x3     504 x1     504 x1     504 x1     504 x1     whole
error inside   502 x3     502 x3     502 x1     502 x1     502 x1     502 x1     whole
page inside    502 x3     502 x3     502 x1     502 x1     502 x1     502 x1     whole
torn chunk     502 x3     502 x3     502 x1     502 x1     502 x1     502 x1     whole
"""

INSTEAD: dict[str, Answer] = {
    "429 full": [Status(429, {"detail": "queue full"}, _einfra("full"))],
    "429 timeout": [Status(429, {"detail": "queue timeout"}, _einfra("timeout"))],
    "500": [Status(500, {"error": {"message": "Internal Server Error"}})],
    "502 page": [Status(502, _PAGE, {"content-type": "text/html"})],
    "503": [Status(503, {"detail": "Service Unavailable"})],
    "504": [Status(504, "upstream request timeout")],
    "302 login": [Status(302, "", {"location": "https://login.example.org/sso?ticket=1"})],
    "302 moved": [Status(302, "", {"location": "https://elsewhere.example.org/v1"})],
    "200 page": [Status(200, _PAGE, {"content-type": "text/html"})],
    "200 login": [Status(200, _LOGIN, {"content-type": "text/html"})],
    "200 empty": [Raw(b""), Cut("end")],
    "200 error": [Status(200, {"error": {"message": "the engine has died", "code": 500}})],
}
OPENED = """
               held       opened     whole
429 full       429 x3     !          429 x3
429 timeout    429 x3     !          429 x3
500            502 x3     !          502 x3
502 page       502 x3     !          502 x3
503            503 x3     !          503 x3
504            504 x3     !          504 x3
302 login      401 x1     !          401 x1
302 moved      500 x1     !          500 x1
200 page       502 x3     !          502 x3
200 login      401 x1     !          401 x1
200 empty      502 x3     !          502 x3
200 error      502 x3     !          502 x3
"""
"""What comes instead of an answer: while the headers are held back, after a ping has sent them, and not streamed."""


@dataclass(frozen=True)
class Cell:
    fault: str
    moment: str
    stream: bool
    expected: str
    is_once: bool = False
    """The fault passes: whoever asks again gets the true answer."""

    def __str__(self) -> str:
        return f"{self.fault}{' once' * self.is_once}, {self.moment}, {'streamed' if self.stream else 'whole'}"

    @property
    def answer(self) -> Answer:
        """What the provider gives."""
        if self.fault in INSTEAD:
            return [_PINGED, *INSTEAD[self.fault]] if self.moment == "opened" else INSTEAD[self.fault]
        said = MOMENTS[self.moment]
        return [*ANSWER[:said], *AT_ANY_MOMENT[self.fault](said)]


def _read(table: str) -> Iterator[tuple[str, str, str]]:
    """Row, column, and what stands there."""
    head, *rows = table.strip("\n").splitlines()
    columns = head.split()
    bounds = pairwise([*(head.index(column) for column in columns), len(max(rows, key=len))])
    for column, (start, end) in zip(columns, bounds, strict=True):
        for row in rows:
            yield row[: head.index(columns[0])].strip(), column, row[start:end].strip()


def _cells(table: str, stream: Callable[[str], bool]) -> list[Cell]:
    return [Cell(fault, moment, stream(moment), expected) for fault, moment, expected in _read(table)]


STAYS = [
    *_cells(STREAMED, lambda _: True),
    *_cells(WHOLE, lambda _: False),
    *_cells(OPENED, lambda moment: moment != "whole"),
]
PASSES = [replace(cell, expected="whole", is_once=True) for cell in STAYS if cell.expected.endswith("x3")]
CELLS = [*STAYS, *PASSES]


@dataclass(frozen=True)
class Seen:
    """What the client got, and how often the provider was asked for it."""

    response: httpx.Response
    asked: int

    @property
    def in_words(self) -> str:
        if self.response.status_code != 200:
            return f"{self.response.status_code} x{self.asked}"
        closed = "".join({"thinking": "t", "text": "w", "tool_use": "c"}[kind] for kind, _ in self.blocks)
        return "whole" if self.is_clean else f"{closed}!"

    @property
    def is_clean(self) -> bool:
        if self.response.status_code != 200:
            return False
        return not self._is_stream or listen(parse_sse(self.response.content)).error is None

    @property
    def blocks(self) -> list[tuple[str, Any]]:
        """What a client may use: the closed blocks, as (type, what stands in them)."""
        if self.response.status_code != 200:
            return []
        if self._is_stream:
            blocks = [(block["type"], block["text"]) for block in listen(parse_sse(self.response.content)).blocks]
            return [(kind, json.loads(said) if kind == "tool_use" else said) for kind, said in blocks]
        field = {"thinking": "thinking", "text": "text", "tool_use": "input"}
        return [(block["type"], block[field[block["type"]]]) for block in self.response.json()["content"]]

    @property
    def complaint(self) -> str:
        """The words of the error, if there is one."""
        if self.is_clean:
            return ""
        if self.response.status_code == 200:
            error = listen(parse_sse(self.response.content)).error
            assert error is not None
            return str(error["message"])
        return str(self.response.json()["error"]["message"])

    @property
    def _is_stream(self) -> bool:
        return self.response.headers["content-type"].startswith("text/event-stream")


class Script:
    """Answers each question with the fault that it names, so that all can be asked at once."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self._cells = {str(cell): cell for cell in CELLS}

    def __call__(self, body: Any) -> Answer:
        asked = body["messages"][-1]["content"]
        self.asked[asked] += 1
        cell = self._cells[asked]
        return ANSWER if cell.is_once and self.asked[asked] > 1 else cell.answer


def question(words: str, *, stream: bool) -> dict[str, Any]:
    messages = [{"role": "user", "content": words}]
    return {"model": "claude-x", "max_tokens": 4000, "stream": stream, "tools": [READ], "messages": messages}


def ask(http: httpx.Client, words: str, *, stream: bool) -> httpx.Response:
    return http.post("/v1/messages", json=question(words, stream=stream))


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[Cell, Seen]:
    """All cells, asked at the same time, and after them those where a ping has opened the stream."""
    folder = tmp_path_factory.mktemp("matrix")
    save_section(folder / ".neuroflow" / "integrations.json", {"max_concurrent_requests": 64})
    script, found = Script(), {}
    with (
        pytest.MonkeyPatch.context() as patch,
        proxy_before(DemoProvider(script, limits=None), folder) as url,
        httpx.Client(base_url=url, timeout=60) as http,
        ThreadPoolExecutor(16) as pool,
    ):
        patch.setattr(retry, "_FIRST_WAIT_S", dict.fromkeys(retry._FIRST_WAIT_S, 0.01))
        patch.setattr(questions, "profile_for", lambda model: replace(profile_for(model), silence_timeout_s=SILENCE_S))
        patch.setattr(asking, "END_GRACE_S", 0.2)
        for is_open, hold_s in ((False, 60.0), (True, 0.0)):
            patch.setattr(answers, "HOLD_HEADERS_S", hold_s)
            cells = [cell for cell in CELLS if (cell.moment == "opened") == is_open]
            responses = pool.map(lambda cell: ask(http, str(cell), stream=cell.stream), cells)
            for cell, response in zip(cells, responses, strict=True):
                found[cell] = Seen(response, script.asked[str(cell)])
    return found


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_what_the_client_sees(seen: dict[Cell, Seen], cell: Cell) -> None:
    assert seen[cell].in_words == cell.expected, seen[cell].response.text


def test_there_is_never_a_clean_but_wrong_answer(seen: dict[Cell, Seen]) -> None:
    truth = [("thinking", THOUGHT), ("text", WORDS), ("tool_use", json.loads(ARGUMENTS))]
    for cell, got in seen.items():
        if got.is_clean:
            assert got.blocks == truth, cell
            continue
        *others, (kind, last) = got.blocks or [("thinking", THOUGHT)]
        assert others == truth[: len(others)], cell
        true_kind, true_last = truth[len(others)]
        assert kind == true_kind, cell
        assert last == true_last or (kind == "text" and true_last.startswith(last)), cell


def test_every_error_says_in_plain_words_what_went_wrong(seen: dict[Cell, Seen]) -> None:
    for cell, got in seen.items():
        assert got.is_clean or ("einfra" in got.complaint or "provider" in got.complaint), cell
        assert "<" not in got.complaint, cell
        assert "ticket" not in got.complaint, cell


@pytest.fixture
def port(tmp_path: Path) -> int:
    """Where a provider may stand, or not."""
    return free_port()


@pytest.fixture
def http(port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    """The way to a proxy in front of that place."""
    monkeypatch.setattr(retry, "_FIRST_WAIT_S", dict.fromkeys(retry._FIRST_WAIT_S, 0.4))
    app = create_app(settings(f"http://127.0.0.1:{port}/v1", tmp_path))
    with serving(app) as url, httpx.Client(base_url=url, timeout=30) as http:
        yield http


@pytest.mark.parametrize("stream", [True, False])
def test_a_provider_that_is_not_there_is_said_to_be_out_of_reach(http: httpx.Client, stream: bool) -> None:
    response = ask(http, "Hello?", stream=stream)
    assert response.status_code == 502
    assert "cannot be reached" in response.json()["error"]["message"]


_RESTARTS = """
               streamed   whole
nothing        whole      whole
headers        whole      whole
thinking       !          502 x1
words          tw!        502 x1
arguments      tw!        502 x1
call           twc!       502 x1
finish         whole      whole
"""
RESTARTED = {(moment, column == "streamed"): expected for moment, column, expected in _read(_RESTARTS)}


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_provider_that_restarts(http: httpx.Client, port: int, moment: str, stream: bool) -> None:
    first = DemoProvider(lambda _: [*ANSWER[: MOMENTS[moment]], Hang()], limits=None)
    again = DemoProvider(lambda _: ANSWER, limits=None)
    with ThreadPoolExecutor(1) as pool:
        with running(first, port=port):
            asking = pool.submit(ask, http, "Go on.", stream=stream)
            wait_until(lambda: first.requests and (first.requests[0].status or moment == "nothing"), "it was asked")
        with running(again, port=port):
            response = asking.result()
            seen = Seen(response, len(first.requests) + len(again.requests))
            assert seen.in_words == RESTARTED[moment, stream], response.text
            assert Seen(ask(http, "And now?", stream=stream), 1).in_words == "whole"


def test_who_leaves_between_two_tries_is_not_asked_for_again(http: httpx.Client, port: int) -> None:
    provider = DemoProvider(lambda _: [Status(503, "down")], limits=None)
    with running(provider, port=port):
        with pytest.raises(httpx.ReadTimeout):
            http.post("/v1/messages", json=question("I leave.", stream=True), timeout=0.2)
        # The second client comes later, so its second try comes after the one that the first would have had.
        assert ask(http, "I stay.", stream=False).status_code == 503
    asked = Counter(str(received.body["messages"][-1]["content"]) for received in provider.requests)
    assert asked == {"I leave.": 1, "I stay.": retry.MAX_ATTEMPTS}
