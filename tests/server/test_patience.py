"""The session goes on: asking again, repairing, waiting in line; and what is never done."""

import json
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from neuroflow_proxy.demo.gate import Limits
from neuroflow_proxy.demo.provider import DemoProvider
from neuroflow_proxy.demo.rules.families import fits
from neuroflow_proxy.demo.run import running
from neuroflow_proxy.demo.script import (
    Answer,
    Cut,
    Pause,
    Raw,
    Status,
    delta,
    finish,
    in_turn,
    reasoning,
    role,
    text,
    tool_call,
)
from neuroflow_proxy.provider import retry
from neuroflow_proxy.server.app import create_app
from neuroflow_proxy.setup.integrations import save_section
from neuroflow_proxy.translate.response import ResponseStream
from neuroflow_proxy.wire.messages_api import JSON
from tests.grammar import Said, listen, parse_sse
from tests.serving import proxy_before, serving, settings, wait_until

TOOL = {"name": "Read", "description": "d", "input_schema": {"type": "object", "properties": {}}}
WORK = [
    {"role": "user", "content": "Do it."},
    {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "Read", "input": {}}]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "done"}]},
]
OK = [*role(), *text("fine"), *finish()]


@pytest.fixture
def provider() -> DemoProvider:
    return DemoProvider(limits=None)


@pytest.fixture
def url(provider: DemoProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(retry, "_FIRST_WAIT_S", dict.fromkeys(retry._FIRST_WAIT_S, 0.01))
    with proxy_before(provider, tmp_path) as url:
        yield url


def ask(url: str, **more: Any) -> httpx.Response:
    body = {"model": "claude-x", "max_tokens": 999, "messages": [{"role": "user", "content": "Hi"}], "stream": True}
    return httpx.post(f"{url}/v1/messages", json={**body, **more}, timeout=30)


def said(response: httpx.Response) -> Said:
    assert response.status_code == 200, response.text
    return listen(parse_sse(response.content))


@pytest.mark.parametrize(
    "fault",
    [
        [Status(503, "down")],
        [Status(502, "<html><title>502 Bad Gateway</title></html>", {"content-type": "text/html"})],
        [Status(429, {"detail": "queue full"}, {"retry-after": "0"})],
        [Cut("fin")],
        [Raw(b""), Cut("rst")],
        [*role(), Pause(0.1), Cut("end")],
    ],
)
@pytest.mark.parametrize("stream", [True, False])
def test_what_may_pass_is_asked_again_before_anything_was_said(
    provider: DemoProvider, url: str, fault: Any, stream: bool
) -> None:
    provider.script = in_turn(fault, OK)
    response = ask(url, stream=stream)
    assert response.status_code == 200
    assert "fine" in response.text
    assert len(provider.requests) == 2


@pytest.mark.parametrize(("status", "told"), [(401, 401), (402, 402), (403, 403), (404, 404)])
def test_what_cannot_pass_is_told_at_once(provider: DemoProvider, url: str, status: int, told: int) -> None:
    provider.script = in_turn([Status(status, {"error": {"message": "no"}})], OK)
    assert ask(url).status_code == told
    assert len(provider.requests) == 1


def test_nothing_is_asked_again_once_something_was_said(provider: DemoProvider, url: str) -> None:
    provider.script = in_turn([*text("half"), Pause(0.1), Cut("rst")], OK)
    answer = said(ask(url))
    assert answer.error is not None
    assert len(provider.requests) == 1


def test_a_parameter_that_is_refused_is_left_out_from_then_on(provider: DemoProvider, url: str) -> None:
    refusal = Status(
        400, {"error": {"message": "Unsupported parameter: 'temperature' is not supported with this model."}}
    )

    def script(body: Any) -> Any:
        return [refusal] if "temperature" in body else OK

    provider.script = script
    for _ in range(2):
        assert said(ask(url, temperature=0.5)).text == "fine"
    assert ["temperature" in request.body for request in provider.requests] == [True, False, False]


def test_what_was_refused_is_tried_again_after_an_hour(provider: DemoProvider, tmp_path: Path) -> None:
    """A proxy runs for weeks; by then an alias means a model that sees, or the server was mended."""
    refusal = [Status(400, {"error": {"message": "This model does not support image input."}})]
    provider.script = lambda body: refusal if "image_url" in str(body) else OK
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}
    look = {"role": "user", "content": [{"type": "text", "text": "Look."}, image]}
    now = 0.0
    with running(provider) as base_url:
        app = create_app(settings(base_url, tmp_path))
        app.state.memory_of(app.state.settings.current()).clock = lambda: now
        with serving(app) as url:
            assert said(ask(url, messages=[look])).text == "fine"
            provider.script = lambda body: OK
            now = 3599.0
            assert said(ask(url, messages=[look])).text == "fine"
            now = 3600.0
            assert said(ask(url, messages=[look])).text == "fine"
    assert ["image_url" in str(request.body) for request in provider.requests] == [True, False, False, True]


def test_a_request_that_was_mended_has_all_its_tries_still(provider: DemoProvider, url: str) -> None:
    refusal = Status(400, {"error": {"message": "Unsupported parameter: 'temperature' is not supported."}})
    busy = [[Status(503, "down")]] * (retry.MAX_ATTEMPTS - 1)
    provider.script = in_turn([refusal], *busy, OK)
    assert said(ask(url, temperature=0.5)).text == "fine"


def test_a_body_that_was_refused_is_not_sent_again(provider: DemoProvider, url: str) -> None:
    provider.script = in_turn(*[[Status(400, {"error": {"message": "I do not like it."}})]] * 5)
    for _ in range(3):
        response = ask(url)
        assert response.status_code == 400
        assert "I do not like it" in response.json()["error"]["message"]
    assert len(provider.requests) == 1


QUESTION = {"role": "user", "content": "word " * 40_000}
IN_CONVERSATION = [QUESTION, {"role": "assistant", "content": "So?"}, {"role": "user", "content": "So."}]
LONGER = [*IN_CONVERSATION, {"role": "assistant", "content": "Well?"}, {"role": "user", "content": "Well."}]
WISH = {"role": "user", "content": "An <analysis> block followed by a <summary> block."}


@pytest.mark.parametrize(
    ("history", "is_answered"),
    [([QUESTION], True), (IN_CONVERSATION, True), (LONGER, False), ([*IN_CONVERSATION[:2], WISH], False)],
)
def test_a_conversation_that_leaves_no_room_to_go_on_is_too_long_if_it_can_be_shortened(
    provider: DemoProvider, url: str, history: list[JSON], is_answered: bool
) -> None:
    """In the little room that is left, a file or a summary would be cut off. A single question gets what there is."""
    refusing = fits(55_000)
    provider.script = lambda body: (
        [Status(400, {"error": {"message": said}})] if (said := next(refusing(body), None)) else OK
    )
    response = ask(url, messages=history, max_tokens=32_000)
    if is_answered:
        assert said(response).text == "fine"
        assert 1_024 <= provider.requests[-1].body["max_tokens"] < 8_192
    else:
        assert response.status_code == 400
        assert "prompt is too long" in response.text
    assert said(ask(url, messages=[*history[:-1], WISH], max_tokens=1_000)).text == "fine", "who wants little gets it"


OVERFLOW = "This model's maximum context length is 1000 tokens. However, you requested 5000 tokens in the messages."


@pytest.mark.parametrize(
    "fault",
    [
        [Status(400, {"error": {"message": OVERFLOW}})],
        [Raw(b'data: {"error": {"message": "' + OVERFLOW.encode() + b'", "code": 400}}\n\n'), Cut("end")],
    ],
)
def test_an_overflow_is_worded_so_that_claude_code_compacts(provider: DemoProvider, url: str, fault: Any) -> None:
    provider.script = in_turn(fault, fault, fault)
    response = ask(url)
    assert response.status_code == 400
    assert response.json()["error"]["message"].startswith("prompt is too long: 5000 tokens > 1000 maximum")


def test_a_turn_that_held_only_reasoning_is_tried_once_more_without(provider: DemoProvider, url: str) -> None:
    provider.script = in_turn([*reasoning("hm"), *finish()], OK)
    answer = said(ask(url))
    assert (answer.thinking, answer.text) == ("hm", "fine")
    assert len(provider.requests) == 2


HALF = "So it looks:\n\n```xml\n"
REST = "<tool_call>\n<function=Read>\n</function>\n</tool_call>\n```\n\nThat is all."
BROKE_OFF = "Your response above was cut off mid-stream. Resume directly from where it stops — no apology, no recap."
REMINDER = {"type": "text", "text": "<system-reminder>\nIt is late.\n</system-reminder>"}


def half(text: str) -> JSON:
    return {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": text}]}


def wish(*blocks: JSON) -> JSON:
    return {"role": "user", "content": [*blocks, {"type": "text", "text": BROKE_OFF}]}


@pytest.mark.parametrize(
    "history",
    [
        [half(HALF), wish()],
        [half(HALF), wish(REMINDER), {"role": "system", "content": "It is late."}],
        [half(HALF), {"role": "user", "content": "Output token limit hit. Resume directly — no apology."}],
        [half(HALF[:5]), wish(), half(HALF[5:]), wish()],
        [{"role": "assistant", "content": HALF}],  # a prefill
    ],
)
def test_an_example_is_not_run_by_the_rest_of_an_answer_that_broke_off(
    provider: DemoProvider, url: str, history: list[JSON]
) -> None:
    provider.script = in_turn([*text(REST, pieces=5), *finish()])
    answer = said(ask(url, messages=[{"role": "user", "content": "How?"}, *history], tools=[TOOL]))
    assert (answer.text, answer.calls) == (REST, [])


@pytest.mark.parametrize(
    "history",
    [
        [half(HALF), {"role": "user", "content": "Do it."}],
        [half(HALF), wish({"type": "text", "text": "Do it."})],  # nothing of the answer to that has survived
        [half(HALF), {"role": "user", "content": "Do it."}, *WORK[1:]],
    ],
)
def test_an_answer_of_its_own_begins_outside_of_what_was_said_before(
    provider: DemoProvider, url: str, history: list[JSON]
) -> None:
    provider.script = in_turn([*text(REST.partition("```")[0]), *finish()])
    answer = said(ask(url, messages=[{"role": "user", "content": "How?"}, *history], tools=[TOOL]))
    assert answer.calls == [("Read", "{}")]


def test_a_second_empty_turn_ends_the_answer(provider: DemoProvider, url: str) -> None:
    provider.script = in_turn([*reasoning("hm"), *finish()], [*finish()], OK)
    answer = said(ask(url))
    assert (answer.thinking, answer.text, answer.stop_reason) == ("hm", "", "end_turn")
    assert len(provider.requests) == 2


def test_a_second_try_that_fails_leaves_the_first_answer_as_it_was(provider: DemoProvider, url: str) -> None:
    provider.script = in_turn([*reasoning("hm"), *finish()], *[[Status(500, "x")]] * 3)
    answer = said(ask(url))
    assert (answer.thinking, answer.text, answer.stop_reason) == ("hm", "", "end_turn")


@pytest.mark.parametrize(
    "fault",
    [
        Status(429, {"detail": "Queue is full"}, {"x-rate-limit-queue-status": "full"}),
        Status(502, "<html><title>502 Bad Gateway</title></html>"),
        Status(400, {"error": {"message": "Unsupported parameter: 'chat_template_kwargs'"}}),
    ],
)
@pytest.mark.parametrize("nothing", [reasoning("hm"), text("Let me read the file:")])
def test_a_second_try_is_asked_for_as_patiently_as_the_first(
    provider: DemoProvider, url: str, nothing: Answer, fault: Status
) -> None:
    """A full queue for a second would else end a task that the second try is there to keep going."""
    provider.script = in_turn([*nothing, *finish()], [fault], [*tool_call("Read", {}, id="c9"), *finish("tool_calls")])
    answer = said(ask(url, messages=WORK, tools=[TOOL]))
    assert (answer.calls, answer.stop_reason) == ([("Read", "{}")], "tool_use")


@pytest.mark.parametrize(("nothing", "thought"), [([*role(), *finish()], ""), ([*reasoning("hm"), *finish()], "hm")])
def test_a_summary_of_which_nothing_came_is_asked_for_once_more_in_the_same_words(
    provider: DemoProvider, url: str, nothing: Answer, thought: str
) -> None:
    """Claude Code would end the turn with "Prompt is too long": it has asked because the window was full."""
    history = [*WORK, {"role": "assistant", "content": "Done."}, WISH]
    provider.script = in_turn(nothing, OK)
    answer = said(ask(url, messages=history, tools=[TOOL], thinking={"type": "adaptive"}, max_tokens=32_000))
    assert (answer.thinking, answer.text) == (thought, "fine")
    first, second = provider.requests
    assert first.body == second.body


def test_a_summary_that_cannot_be_had_is_a_failure_and_no_empty_answer(provider: DemoProvider, url: str) -> None:
    provider.script = in_turn([*finish()], *[[Status(503, "down")]] * 3)
    assert ask(url, messages=[*LONGER[:-1], WISH]).status_code == 503


def test_a_helper_that_says_nothing_is_asked_once_more(provider: DemoProvider, url: str) -> None:
    provider.script = in_turn([*reasoning("hm"), *finish()], OK)
    assert said(ask(url, tools=[])).text == "fine"


def test_a_second_try_that_breaks_in_its_midst_is_no_clean_end(provider: DemoProvider, url: str) -> None:
    provider.script = in_turn([*reasoning("hm"), *finish()], [*text("half"), Pause(0.1), Cut("fin")])
    assert said(ask(url)).error is not None


@pytest.mark.parametrize(
    "words",
    [
        "Now I will read the file.",
        "Let me look at the file you mentioned.",
        "I'll check your settings:",
        "Let me wait for the build to finish.",
        "The test fails. Why? The path is wrong.\n\nLet me fix it:",
        # The call was begun and never came (DeepSeek V4; pi #3712, dsv4-cc-proxy #9).
        "I read the file and found it.\n\n<｜DSML｜tool_calls",
        "<tool_call>\n",
        "Is it there?\n<|tool_calls_section_begin|><|tool_call_begin|>",
    ],
)
def test_an_announced_call_is_asked_for_once(provider: DemoProvider, url: str, words: str) -> None:
    provider.script = in_turn(
        [*text(words), *finish()],
        [*tool_call("Read", {}, id="c9"), *finish("tool_calls")],
    )
    answer = said(ask(url, messages=WORK, tools=[TOOL]))
    assert answer.text == words
    assert answer.calls == [("Read", "{}")]
    assert answer.stop_reason == "tool_use"


@pytest.mark.parametrize(
    "words",
    [
        "All tests pass.",
        "Which of them should I change?",
        "I read the file and changed it.",
        # It is the user's turn, whatever the words begin with.
        "The bug is fixed. Let me know if you want tests as well.",
        "I can drop the table or keep it. Let me know which you prefer:",
        "May I delete it? I'll proceed once you confirm.",
        "I'll wait for your decision.",
        "I need to know which database you use.",
        "Two ways are open: A and B. Tell me which, and I will do it",
        "I will not change the other file.",
        "The build is green now I think.",
        "What opens a call is <tool_call>",
        "What opens a call:\n\n> <tool_call>",
    ],
)
def test_a_turn_that_is_over_is_not_asked_again(provider: DemoProvider, url: str, words: str) -> None:
    provider.script = in_turn([*text(words), *finish()], OK)
    assert said(ask(url, messages=WORK, tools=[TOOL])).text == words
    assert len(provider.requests) == 1


@pytest.mark.parametrize("words", ["The path is in a.py, line 3.", "It is this. " * 60])
@pytest.mark.parametrize("turn", ["first", "later"])
@pytest.mark.parametrize("nothing", [[], [{"index": 0, "id": "c8", "function": {"name": None, "arguments": ""}}]])
def test_a_call_that_the_provider_speaks_of_and_does_not_send_is_asked_for_once(
    provider: DemoProvider, url: str, words: str, turn: str, nothing: list[JSON]
) -> None:
    provider.script = in_turn(
        [*text(words), delta(tool_calls=nothing), *finish("tool_calls")],
        [*tool_call("Read", {}, id="c9"), *finish("tool_calls")],
    )
    answer = said(ask(url, messages=WORK if turn == "later" else WORK[:1], tools=[TOOL]))
    assert (answer.text, answer.calls, answer.stop_reason) == (words, [("Read", "{}")], "tool_use")


UNREADABLE = {
    "of a tool that there is not": '<tool_call>\n{"name": "Grep", "arguments": {"pattern": "a?"}}\n</tool_call>',
    "without its beginning": "ls -la</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜tool_calls>",
    "without a name": "<|tool_call_begin|>call_2<|tool_call_argument_begin|>{}<|tool_call_end|>",
    "of GLM's without a tag": "<tool_call>Read<arg_key>path</arg_key>a.py</arg_value></tool_call>\n",
}


@pytest.mark.parametrize("written", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_a_call_that_nobody_can_read_is_asked_for_once(provider: DemoProvider, url: str, written: str) -> None:
    words = f"I look at it.\n\n{written}"
    again = [*tool_call("Read", {}, id="c9"), *finish("tool_calls")]
    provider.script = in_turn([*text(words), *finish()], again)
    answer = said(ask(url, messages=WORK, tools=[TOOL]))
    assert (answer.text, answer.calls) == (words, [("Read", "{}")])


@pytest.mark.parametrize(
    "words", ["It ends with `</tool_call>`.", "```\n<tool_call>x</tool_call>\n```", "So </invoke> it is."]
)
def test_a_turn_that_speaks_of_calls_is_not_asked_again(provider: DemoProvider, url: str, words: str) -> None:
    provider.script = in_turn([*text(words), *finish()], OK)
    assert said(ask(url, messages=WORK, tools=[TOOL])).text == words
    assert len(provider.requests) == 1


@pytest.mark.parametrize(("words", "tools"), [("Shall I delete it?", [TOOL]), ("It is done.", [])])
def test_a_call_that_did_not_come_is_not_asked_for_in_the_users_name_or_where_there_are_no_tools(
    provider: DemoProvider, url: str, words: str, tools: list[Any]
) -> None:
    provider.script = in_turn([*text(words), *finish("tool_calls")], OK)
    assert said(ask(url, messages=WORK, tools=tools)).stop_reason == "end_turn"
    assert len(provider.requests) == 1


def test_what_a_second_try_says_is_a_paragraph_of_its_own(provider: DemoProvider, url: str) -> None:
    provider.script = in_turn(
        [*text("Let me read the file:"), *finish()], [*text("\nIt is read.", pieces=3), *finish()]
    )
    assert said(ask(url, messages=WORK, tools=[TOOL])).text == "Let me read the file:\n\nIt is read."


def test_a_character_that_comes_in_two_halves_is_one(provider: DemoProvider, url: str) -> None:
    arguments = [{"index": 0, "function": {"arguments": piece}} for piece in ('{"path": "', "\ud83d", "\ude00", '"}')]
    begin = {"index": 0, "id": "c1", "function": {"name": "Read", "arguments": ""}}
    provider.script = in_turn([*role(), *[delta(tool_calls=[call]) for call in (begin, *arguments)], *finish()])
    answer = ask(url, messages=WORK, tools=[TOOL], stream=False).json()
    assert [block["input"] for block in answer["content"]] == [{"path": "😀"}]


@pytest.mark.parametrize("stream", [True, False])
def test_a_bug_of_ours_is_told_and_the_server_goes_on(
    provider: DemoProvider, url: str, stream: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumble(self: ResponseStream, data: bytes) -> Any:
        raise ZeroDivisionError("a secret of the conversation")

    with monkeypatch.context() as patch:
        patch.setattr(ResponseStream, "feed", stumble)
        response = ask(url, stream=stream)
    assert response.status_code == 500
    assert response.json()["error"]["type"] == "api_error"
    assert "secret" not in response.text
    assert said(ask(url)).error is None


def test_twenty_requests_at_once_wait_their_turn_and_none_is_turned_away(tmp_path: Path) -> None:
    provider = DemoProvider(limits=Limits(at_once=2, waiting=0, patience_s=1), latency_s=0.02)
    with proxy_before(provider, tmp_path) as url, ThreadPoolExecutor(20) as pool:
        statuses = list(pool.map(lambda _: ask(url).status_code, range(20)))
    assert statuses == [200] * 20
    # The provider's door lets two in and lets nobody wait: a third would have been turned away, and asked again.
    assert [request.status for request in provider.requests] == [200] * 20


def test_the_log_tells_at_which_place_in_line_a_request_came(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    all_came = threading.Event()
    provider = DemoProvider(lambda body: OK if all_came.wait(30) else None, limits=None)
    with caplog.at_level(logging.INFO), proxy_before(provider, tmp_path) as url, ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(ask, url) for _ in range(4)]
        wait_until(lambda: len(httpx.get(f"{url}/stats").json()["queue"]["waiting"]) == 2, "two wait for two")
        all_came.set()
        assert {answer.result().status_code for answer in answers} == {200}
    lines = [record.getMessage() for record in caplog.records if "outcome=ok" in record.getMessage()]
    assert sorted(int(line.split("position=")[1].split()[0]) for line in lines) == [0, 0, 1, 2]


def test_who_leaves_the_queue_is_never_sent(tmp_path: Path) -> None:
    provider = DemoProvider(lambda body: [Pause(1.0), *OK], limits=None)
    with proxy_before(provider, tmp_path) as url, ThreadPoolExecutor(4) as pool:
        busy = [pool.submit(ask, url) for _ in range(2)]
        wait_until(lambda: len(provider.requests) == 2, "both are being answered")
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(
                f"{url}/v1/messages",
                json={"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "leaving"}]},
                timeout=0.1,
            )
        assert [future.result().status_code for future in busy] == [200, 200]
        assert ask(url).status_code == 200
    assert not any("leaving" in str(request.body) for request in provider.requests)


def chained(body: Any) -> Any:
    return [Status(503, "down")] if body["model"] == "kimi-k2.5" else OK


def test_a_model_that_is_down_is_replaced_by_the_next_one_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "_FIRST_WAIT_S", dict.fromkeys(retry._FIRST_WAIT_S, 0.01))
    provider = DemoProvider(chained, limits=None)
    file = tmp_path / ".neuroflow" / "integrations.json"
    file.parent.mkdir()
    file.write_text(json.dumps({"custom_llm": {"fallback_models": ["qwen3.5-122b"]}}))
    with proxy_before(provider, tmp_path) as url:
        response = ask(url)
        assert said(response).text == "fine"
        assert response.headers["x-neuroflow-model"] == "qwen3.5-122b"
        asked_for_both = len(provider.requests)
        assert said(ask(url)).text == "fine"
        assert len(provider.requests) == asked_for_both + 1, "a model that was just down is not asked first"
        assert ask(url, model="kimi-k2.5").status_code == 200
        assert ask(url, model="glm-4.7").headers["x-neuroflow-model"] == "glm-4.7"


def test_a_refusal_is_never_a_reason_to_fall_back(tmp_path: Path) -> None:
    provider = DemoProvider(lambda body: [Status(401, {"error": {"message": "bad key"}})], limits=None)
    file = tmp_path / ".neuroflow" / "integrations.json"
    file.parent.mkdir()
    file.write_text(json.dumps({"custom_llm": {"fallback_models": ["qwen3.5-122b"]}}))
    with proxy_before(provider, tmp_path) as url:
        assert ask(url).status_code == 401
    assert len(provider.requests) == 1


def test_the_limit_that_the_user_has_set_stands_over_the_one_that_a_full_queue_names(
    provider: DemoProvider, tmp_path: Path
) -> None:
    """Who shares a key with another program has set it to one."""
    full = [Pause(0.2), Status(429, {"detail": "full"}, {"retry-after": "0", "x-rate-limit-max-concurrent": "3"})]
    provider.script = in_turn(full, full, full, *[[Pause(0.2), *OK]] * 9)
    save_section(tmp_path / ".neuroflow" / "integrations.json", {"max_concurrent_requests": 1})
    most = 0
    with proxy_before(provider, tmp_path) as url, ThreadPoolExecutor() as pool:
        asked = [pool.submit(ask, url) for _ in range(4)]
        while not all(one.done() for one in asked):
            most = max(most, httpx.get(f"{url}/stats").json()["queue"]["running"])
    assert most == 1
