"""How single answers come out: the cases that providers are known for."""

import json
from typing import Any

import pytest

from neuroflow_proxy.translate.response import ResponseStream
from tests.chunks import call, chunk, sse, usage_chunk
from tests.grammar import Said, listen
from tests.streams import context, run


def say(*chunks: dict[str, Any], **more: Any) -> Said:
    return listen(run(sse(*chunks), **more))


def kinds(said: Said) -> list[str]:
    return [block["type"] for block in said.blocks]


STOP = chunk({}, "stop")


def test_one_chunk_with_reasoning_text_finish_and_usage_loses_nothing() -> None:
    both = chunk(
        {"reasoning_content": "hm", "content": "hi"}, "stop", usage={"prompt_tokens": 4, "completion_tokens": 2}
    )
    said = say(both)
    assert (said.thinking, said.text, said.usage["input_tokens"]) == ("hm", "hi", 4)


USAGE = {"prompt_tokens": 9, "completion_tokens": 2}


@pytest.mark.parametrize(
    "last",
    [
        {"choices": [], "usage": USAGE},
        {"choices": [{"index": 0, "delta": {}, "usage": USAGE}]},
        {"choices": [], "x_groq": {"id": "r", "usage": USAGE}},
    ],
)
def test_usage_is_found_wherever_providers_put_it(last: dict[str, Any]) -> None:
    said = say(chunk({"content": "x"}), STOP, last)
    assert (said.usage["input_tokens"], said.usage["output_tokens"]) == (9, 2)


def test_of_several_choices_the_first_is_the_answer_and_so_is_one_without_a_number() -> None:
    second, unnumbered = ({"choices": [{**more, "delta": {"content": "y"}}]} for more in ({"index": 1}, {}))
    assert say(chunk({"content": "x"}), second, unnumbered, STOP).text == "xy"


def test_reasoning_that_stands_in_two_fields_is_said_once() -> None:
    assert say(chunk({"reasoning_content": "hm", "reasoning": "hm"}), chunk({"content": "x"}), STOP).thinking == "hm"


def test_text_that_alternates_with_reasoning_is_not_chopped_to_pieces() -> None:
    words = [chunk({"content": f"w{n} "}) if n % 2 else chunk({"reasoning": f"r{n} "}) for n in range(20)]
    said = say(*words, STOP)
    assert kinds(said).count("text") == 1
    assert said.text == "".join(f"w{n} " for n in range(1, 20, 2))
    assert said.thinking == "".join(f"r{n} " for n in range(0, 20, 2))


def test_late_reasoning_stands_before_the_tool_call_that_it_leads_to() -> None:
    said = say(
        chunk({"content": "Reading."}),
        chunk({"reasoning": "now"}),
        chunk(call(0, "c", "Tool", "{}")),
        chunk({}, "stop"),
    )
    assert kinds(said) == ["text", "thinking", "tool_use"]


def test_white_space_between_reasoning_and_a_call_makes_no_block() -> None:
    said = say(chunk({"reasoning": "hm"}), chunk({"content": "\n\n"}), chunk(call(0, "c", "Tool", "{}")), STOP)
    assert kinds(said) == ["thinking", "tool_use"]


def test_leading_white_space_stays_before_text() -> None:
    assert say(chunk({"content": "\n"}), chunk({"content": " x"}), STOP).text == "\n x"


@pytest.mark.parametrize("finish", ["stop", "tool_calls", "function_call", "weird"])
def test_a_tool_call_makes_the_stop_reason_whatever_the_provider_says(finish: str) -> None:
    assert say(chunk(call(0, "c", "Tool", "{}")), chunk({}, finish)).stop_reason == "tool_use"


@pytest.mark.parametrize(
    ("finish", "stop_reason"),
    [("stop", "end_turn"), ("tool_calls", "end_turn"), ("length", "max_tokens"), ("content_filter", "refusal")],
)
def test_without_a_tool_call_the_finish_reason_is_translated(finish: str, stop_reason: str) -> None:
    assert say(chunk({"content": "x"}), chunk({}, finish)).stop_reason == stop_reason


@pytest.mark.parametrize(
    "filler", [b"data: null\n\n", b"data: []\n\n", b'data: ""\n\n', b"data: ping\n\n", b"data:\n\n"]
)
def test_an_event_that_holds_nothing_changes_nothing(filler: bytes) -> None:
    parts = [sse(item, done=False) for item in (chunk({"content": "one"}), chunk({"content": " two"}), STOP)]
    said = listen(run(filler, *(part + filler for part in parts), b"data: [DONE]\n\n"))
    assert (said.text, said.stop_reason) == ("one two", "end_turn")


def test_a_character_that_was_cut_between_two_chunks_does_not_end_the_answer() -> None:
    halves = [
        sse(chunk({"content": f"a{n}"}), done=False).replace(f"a{n}".encode(), half)
        for n, half in enumerate((b"d\xc5", b"\x99ev"))
    ]
    said = listen(run(*halves, sse(STOP)))
    assert (said.text, said.stop_reason) == ("d\ufffd\ufffdev", "end_turn")


def test_a_finish_reason_is_read_in_capitals_too() -> None:
    """As Google's own API says it."""
    assert say(chunk({"content": "x"}), chunk({}, "MAX_TOKENS")).stop_reason == "max_tokens"


def test_a_part_of_reasoning_is_no_text() -> None:
    """Databricks."""
    part = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}
    said = say(chunk({"content": [part]}), chunk({"content": [{"type": "text", "text": "hi"}]}), STOP)
    assert (said.thinking, said.text) == ("hm", "hi")


def test_a_finish_counts_that_comes_with_the_last_words() -> None:
    assert say(chunk({"content": "x"}), chunk({"content": "y"}, "length")).stop_reason == "max_tokens"


def test_a_stream_that_ends_with_the_whole_message_once_more_says_it_once() -> None:
    whole = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}]}
    assert say(chunk({"content": "h"}), chunk({"content": "i"}), whole).text == "hi"


def test_a_finish_said_twice_ends_the_answer_once() -> None:
    assert say(chunk({"content": "x"}), STOP, STOP, usage_chunk(3, 2)).usage["output_tokens"] == 2


def test_a_matched_stop_string_is_named() -> None:
    choice = {"index": 0, "delta": {}, "finish_reason": "stop", "stop_reason": "</block>"}
    said = say(chunk({"content": "x"}), {"choices": [choice]})
    assert (said.stop_reason, said.stop_sequence) == ("stop_sequence", "</block>")


def test_a_stop_string_that_did_not_end_the_answer_is_not_named() -> None:
    choice = {"index": 0, "delta": {}, "finish_reason": "length", "matched_stop": "</block>"}
    assert say(chunk({"content": "x"}), {"choices": [choice]}).stop_reason == "max_tokens"
    choice["finish_reason"] = "stop"
    assert say(chunk(call(0, "a", "Tool", "{}")), {"choices": [choice]}).stop_reason == "tool_use"


def test_a_stop_sequence_that_the_provider_was_not_told_is_enforced_and_ends_the_answer() -> None:
    said = say(chunk({"content": "one <e"}), chunk({"content": "nd> two"}), STOP, stop_sequences=("<end>",))
    assert (said.text, said.stop_reason, said.stop_sequence) == ("one ", "stop_sequence", "<end>")


def test_behind_a_stop_sequence_nothing_counts_whether_it_comes_in_the_same_read_or_later() -> None:
    chunks = [chunk({"content": "one<end> two"}), chunk(call(0, "c1", "Tool", "{}")), chunk({"reasoning": "hm"})]
    pieces = [sse(each, done=False) for each in (*chunks, chunk({}, "length"))]
    for answer in (pieces, [b"".join(pieces)]):
        said = listen(run(*answer, stop_sequences=("<end>",)))
        assert (said.text, said.thinking, said.calls, said.stop_reason) == ("one", "", [], "stop_sequence")


def test_behind_a_stop_sequence_the_usage_counts_still() -> None:
    said = say(chunk({"content": "one<end>"}), usage_chunk(30, 2), stop_sequences=("<end>",))
    assert (said.text, said.usage["input_tokens"]) == ("one", 30)


def test_what_only_looked_like_a_stop_sequence_arrives() -> None:
    assert say(chunk({"content": "one <en"}), STOP, stop_sequences=("<end>",)).text == "one <en"


def test_calls_that_all_have_index_zero_are_told_apart_by_their_ids() -> None:
    said = say(
        chunk(call(0, "a", "Tool", '{"n":')),
        chunk(call(0, "a", None, "1}")),
        chunk(call(0, "b", "Tool", '{"n":')),
        chunk(call(0, None, None, "2}")),
        STOP,
    )
    assert said.calls == [("Tool", '{"n":1}'), ("Tool", '{"n":2}')]


def test_calls_that_are_written_at_the_same_time_on_one_index_are_told_apart_by_their_ids() -> None:
    said = say(
        *[chunk(call(0, each, "Tool", '{"n":')) for each in ("a", "b")],
        *[chunk(call(0, each, None, f'"{each}"}}')) for each in ("a", "b")],
        STOP,
    )
    assert said.calls == [("Tool", '{"n":"a"}'), ("Tool", '{"n":"b"}')]


def test_calls_without_index_or_id_are_told_apart_by_their_names() -> None:
    said = say(chunk(call(None, None, "Tool", '{"n":1}')), chunk(call(None, None, "Tool", '{"n":2}')), STOP)
    assert said.calls == [("Tool", '{"n":1}'), ("Tool", '{"n":2}')]


def test_pieces_without_index_or_id_that_come_together_belong_to_the_calls_in_their_order() -> None:
    first, second = ({"function": {"arguments": f'{{"n":{n}}}'}} for n in (1, 2))
    begun = [{"id": each, "function": {"name": "Tool", "arguments": ""}} for each in ("a", "b")]
    said = say(chunk({"tool_calls": begun}), chunk({"tool_calls": [first, second]}), STOP)
    assert said.calls == [("Tool", '{"n":1}'), ("Tool", '{"n":2}')]


def test_a_copy_of_a_call_with_its_id_on_another_index_is_no_call() -> None:
    calls = [chunk(call(0, "a", "Tool", '{"n":1}')), chunk(call(1, "b", "Tool", '{"n":2}'))]
    copies = [chunk(call(index, "ab"[index % 2], None, f'{{"n":{index % 2 + 1}}}')) for index in range(2, 8)]
    assert say(*calls, *copies, STOP).calls == [("Tool", '{"n":1}'), ("Tool", '{"n":2}')]


@pytest.mark.parametrize("arguments", ["{}", " {} "])
def test_a_call_with_neither_a_name_nor_arguments_is_none(arguments: str) -> None:
    placeholder = chunk(call(1, None, None, arguments))
    assert say(chunk(call(0, "a", "Tool", '{"n":1}')), placeholder, STOP).calls == [("Tool", '{"n":1}')]
    said = say(chunk({"content": "hi"}), placeholder, STOP)
    assert (said.text, said.calls, said.stop_reason) == ("hi", [], "end_turn")


def test_a_name_that_comes_with_every_chunk_is_one_name() -> None:
    said = say(chunk(call(0, "a", "Tool", '{"n"')), chunk(call(0, "a", "Tool", ":1}")), STOP)
    assert said.calls == [("Tool", '{"n":1}')]


@pytest.mark.parametrize("early", [['{"n":1}'], ['{"n"', ":1}"], ['{"n"']])
def test_a_name_that_comes_after_the_arguments_began_is_the_calls_name(early: list[str]) -> None:
    late = '{"n":1}'.removeprefix("".join(early))
    chunks = [chunk(call(0, "a", None, piece)) for piece in early]
    said = say(*chunks, chunk(call(0, "a", "tool", late)), STOP)
    assert said.calls == [("Tool", '{"n":1}')]


@pytest.mark.parametrize(
    ("pieces", "name"),
    [
        (["Re", "ad"], "Read"),
        (["read"], "Read"),
        (["functions.Read"], "Read"),
        (["Read<|channel|>commentary"], "Read"),
        (["functions.Read:0"], "Read"),
        (["functions", ".Read", ":12"], "Read"),
        (['"Read"'], "Read"),
        (["Task", "Stop"], "TaskStop"),
        (["Read", "functions.Read"], "Read"),
        (["Unknown"], "Unknown"),
        (["Un", "known"], "Unknown"),
    ],
)
def test_a_name_is_put_together_and_found(pieces: list[str], name: str) -> None:
    chunks = [chunk(call(0, "a", piece, "")) for piece in pieces]
    said = say(*chunks, chunk(call(0, None, None, "{}")), STOP, tools=("Read", "Task", "TaskStop"))
    assert said.calls == [(name, "{}")]


@pytest.mark.parametrize("name", ["Read", "read", "functions.Read:0", "Read<|channel|>commentary"])
def test_a_call_that_leaked_and_was_sent_is_made_once_however_its_name_was_sent(name: str) -> None:
    leak = '<tool_call>\n{"name": "Read", "arguments": {"path": "a"}}\n</tool_call>'
    sent = chunk(call(0, "a", name, '{"path": "a"}'))
    assert say(chunk({"content": leak}), sent, STOP, tools=("Read",)).calls == [("Read", '{"path": "a"}')]


def test_ids_are_kept_where_they_are_good_and_minted_where_they_are_not() -> None:
    said = say(
        chunk(call(0, "call_1", "Tool", "{}")),
        chunk(call(1, "functions.Tool:1", "Tool", "{}")),
        chunk(call(2, "call_1", "Tool", "{}")),
        chunk(call(3, "", "Tool", "{}")),
        chunk(call(4, "old", "Tool", "{}")),
        STOP,
        known_ids={"old"},
    )
    assert [block["id"] for block in said.blocks] == ["call_1", "toolu_0", "toolu_1", "toolu_2", "toolu_3"]


def test_an_id_that_comes_before_the_arguments_is_kept() -> None:
    said = say(chunk(call(0, "call_1", "Tool", "")), chunk(call(0, None, None, "{}")), STOP)
    assert [block["id"] for block in said.blocks] == ["call_1"]


def test_a_bracket_that_the_model_forgot_is_put_in_and_what_was_said_meanwhile_follows() -> None:
    said = say(chunk(call(0, "a", "Tool", '{"n":"1"')), chunk({"content": "Done."}), STOP)
    assert said.calls == [("Tool", '{"n":"1"}')]
    assert (kinds(said), said.text) == (["tool_use", "text"], "Done.")


def test_the_first_call_streams_while_a_second_one_waits_its_turn() -> None:
    first = run(sse(chunk(call(0, "a", "Tool", '{"n":')), done=False))
    assert any(event["type"] == "content_block_delta" for event in first)
    said = say(
        chunk(call(0, "a", "Tool", '{"n":')),
        chunk(call(1, "b", "Tool", '{"m":')),
        chunk(call(0, None, None, "1}")),
        chunk(call(1, None, None, "2}")),
        STOP,
    )
    assert said.calls == [("Tool", '{"n":1}'), ("Tool", '{"m":2}')]


def test_arguments_that_come_as_a_growing_object_are_sent_once() -> None:
    one, two = call(0, "a", "Tool", None), call(0, "a", None, None)
    one["tool_calls"][0]["function"]["arguments"] = {"a": 1}
    two["tool_calls"][0]["function"]["arguments"] = {"a": 1, "b": 2}
    assert json.loads(say(chunk(one), chunk(two), STOP).calls[0][1]) == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    "pieces",
    [
        ['{"a":', '{"a": {"b"', '{"a": {"b": 1}}'],
        ["", "{", '{"a": {', '{"a": {"b": 1}}', '{"a": {"b": 1}}'],
        ['{"a": {"b": 1}}', '{"a": {"b": 1}}'],
        ['{"a": ', '{"b": 1', "}}"],
        ["{", '"a": ', "{", '"b": 1', "}}"],
        ["{}", '{"a": ', '{"b": 1', "}}"],
    ],
)
def test_arguments_are_said_once_whether_each_piece_goes_on_or_says_all_again(pieces: list[str]) -> None:
    for call_id in ("a", None):
        rest = [chunk(call(0, call_id, None, piece)) for piece in pieces]
        said = say(chunk(call(0, "a", "Tool", "")), *rest, chunk(call(1, "b", "Tool", "{}")), STOP)
        assert [json.loads(arguments) for _, arguments in said.calls] == [{"a": {"b": 1}}, {}]


@pytest.mark.parametrize(
    ("finish", "stop_reason"),
    [
        ("length", "max_tokens"),
        ("content_filter", "refusal"),
        ("sensitive", "refusal"),
        ("model_context_window_exceeded", "model_context_window_exceeded"),
    ],
)
@pytest.mark.parametrize("arguments", ['{"path": "/etc/pas', '{"path": "/etc/passwd"'])
def test_a_call_that_somebody_else_than_the_model_ended_is_not_completed(
    finish: str, stop_reason: str, arguments: str
) -> None:
    said = say(chunk(call(0, "a", "Tool", arguments)), chunk({}, finish))
    assert said.stop_reason == stop_reason
    assert said.calls == [("Tool", arguments)]


@pytest.mark.parametrize("finish", ["length", "content_filter", "sensitive", "model_context_window_exceeded"])
def test_a_leaked_call_that_somebody_else_than_the_model_ended_stays_text(finish: str) -> None:
    leak = '<tool_call>\n{"name": "Tool", "arguments": {"path": "/etc/passwd"}'
    said = say(chunk({"content": leak}), chunk({}, finish))
    assert (said.text, said.calls) == (leak, [])


def test_a_call_of_which_only_the_name_came_before_the_limit_is_no_call() -> None:
    assert say(chunk(call(0, "a", "Tool", "")), chunk({}, "length")).calls == []


@pytest.mark.parametrize("envelope", [False, True])
def test_an_error_inside_the_stream_ends_it_with_an_error(envelope: bool) -> None:
    error = {"error": {"message": "boom"}}
    said = say(chunk({"content": "x"}), {"data": error, "success": False} if envelope else error)
    assert said.error is not None
    assert "boom" in said.error["message"]
    assert said.text == "x"


def test_half_a_chunk_is_an_error_and_a_keep_alive_in_words_is_none() -> None:
    begun, end = sse(chunk({"content": "x"}), done=False), sse(STOP)
    assert listen(run(begun, b'data: {"choices": [\n\n', end)).error is not None
    assert listen(run(begun, b"data: still working\n\n", end)).error is None


def test_a_stream_that_breaks_off_inside_a_call_leaves_the_call_open() -> None:
    said = listen(run(sse(chunk(call(0, "a", "Tool", '{"n":')), done=False)))
    assert said.error is not None
    assert said.calls == []


def test_a_stream_that_breaks_off_after_a_whole_call_keeps_the_call() -> None:
    said = listen(run(sse(chunk(call(0, "a", "Tool", '{"n":1}')), done=False)))
    assert said.error is not None
    assert said.calls == [("Tool", '{"n":1}')]


def test_the_half_of_a_text_that_nobody_could_go_on_from_is_left_open() -> None:
    for can_be_taken_up, kept in ((True, "x"), (False, "")):
        said = listen(run(sse(chunk({"content": "x"}), done=False), can_be_taken_up=can_be_taken_up))
        assert said.error is not None
        assert said.text == kept


def test_a_finish_without_done_is_an_end() -> None:
    assert listen(run(sse(chunk({"content": "x"}), STOP, done=False))).error is None


def test_done_without_a_finish_is_an_end_and_what_was_held_back_is_said() -> None:
    said = say(chunk({"content": "2 <tool"}))
    assert (said.error, said.text) == (None, "2 <tool")


def test_what_comes_after_done_is_not_said() -> None:
    assert listen(run(sse(chunk({"content": "x"}), STOP), sse(chunk({"content": "y"})))).text == "x"


def test_a_whole_completion_is_read_like_a_stream() -> None:
    message = {"role": "assistant", "content": "hi", "reasoning_content": "hm", **call(0, "a", "Tool", '{"n":1}')}
    body = {"choices": [{"message": message, "finish_reason": "tool_calls"}], "usage": {"prompt_tokens": 9}}
    for document in (body, {"data": body, "success": True}):
        said = listen(run(json.dumps(document, indent=1).encode()))
        assert (said.thinking, said.text, said.calls) == ("hm", "hi", [("Tool", '{"n":1}')])


def test_a_whole_completion_needs_no_finish_reason() -> None:
    said = listen(run(b'{"choices": [{"message": {"content": "hi"}}]}'))
    assert (said.error, said.text) == (None, "hi")


def test_a_page_of_html_is_a_failure_with_its_words() -> None:
    error = listen(run(b"<html><title>502 Bad Gateway</title></html>")).error
    assert error is not None
    assert "502 Bad Gateway" in error["message"]


@pytest.mark.parametrize(
    "stray",
    [
        {"code": 500, "msg": "404 NOT_FOUND", "success": False},
        {"code": "InvalidParameter", "message": "no such model", "request_id": "r1"},
        {"model": "m", "message": {"role": "assistant", "content": "hi"}, "done": True},
        {},
    ],
)
@pytest.mark.parametrize("done", [True, False])
def test_what_is_no_answer_is_a_failure_and_no_empty_answer(stray: dict[str, Any], done: bool) -> None:
    for body in (json.dumps(stray).encode(), sse(stray, done=done)):
        stream = ResponseStream(context())
        stream.feed(body)
        stream.finish()
        assert stream.failure is not None
        assert stream.failure.error == stray


def test_an_object_without_choices_between_chunks_changes_nothing() -> None:
    status = {"type": "status", "message": "queued"}
    assert say(status, chunk({"content": "hi"}), status, STOP, status).text == "hi"


@pytest.mark.parametrize("body", [b"", b"\n\n", b"null", b'{"choices": [{"mess', b": keep-alive\n\n"])
def test_an_answer_that_is_not_there_is_a_failure(body: bytes) -> None:
    assert listen(run(body)).error is not None
