"""What holds for every answer, whatever a provider says and however the network cuts it."""

import json
from typing import Any
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from neuroflow_proxy.rescue.stage import Rescue
from neuroflow_proxy.translate.frame import Frame
from neuroflow_proxy.translate.message import MessageFold
from neuroflow_proxy.translate.response import ResponseStream
from neuroflow_proxy.wire.sse import encode_event
from tests.chunks import call, chunk, sse
from tests.grammar import listen, parse_sse
from tests.strategies import answers, cut, json_values, plain_text
from tests.strategies import arguments as some_arguments
from tests.streams import context, run


def visible(text: str) -> str:
    """Text as it can stand in blocks: white space alone is no block."""
    return text if text.strip() else ""


def collapsed(text: str) -> str:
    return "".join(text.split())


@given(answers())
def test_every_answer_follows_the_grammar_and_says_what_the_provider_said(answer: dict[str, Any]) -> None:
    said = listen(run(sse(*answer["chunks"])))
    # White space between blocks may go; nothing else may.
    assert collapsed(said.text) == collapsed(answer["text"])
    assert collapsed(said.thinking) == collapsed(answer["reasoning"])
    assert sorted(said.calls) == sorted(answer["calls"])
    if not answer["calls"]:
        assert said.text == visible(answer["text"])
    if answer["has_usage"]:
        assert said.usage["input_tokens"] == 40
        assert said.usage["cache_read_input_tokens"] == 60
        assert said.usage["output_tokens"] == 7
    else:
        assert said.usage["input_tokens"] == 11
        assert said.usage["output_tokens"] >= 1


@given(answers(), st.sampled_from(["\n", "\r\n", "\r"]), st.data())
def test_cutting_the_bytes_anywhere_changes_nothing(answer: dict[str, Any], line_end: str, data: st.DataObject) -> None:
    body = sse(*answer["chunks"], line_end=line_end)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=12)))
    pieces = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    assert listen(run(*pieces)) == listen(run(body))


@given(answers(), st.data())
def test_an_answer_that_is_cut_off_never_ends_cleanly(answer: dict[str, Any], data: st.DataObject) -> None:
    body = sse(*answer["chunks"][:-2], done=False)
    said = listen(run(body[: data.draw(st.integers(0, len(body)))]))
    assert said.error is not None
    for name, arguments in said.calls:
        assert (name, arguments) in answer["calls"]


@given(answers())
def test_the_answer_that_is_not_streamed_says_the_same(answer: dict[str, Any]) -> None:
    events = run(sse(*answer["chunks"]))
    said = listen(events)
    fold = MessageFold()
    fold.feed(events)
    message = fold.message
    assert [block["type"] for block in message["content"]] == [block["type"] for block in said.blocks]
    assert "".join(block["text"] for block in message["content"] if block["type"] == "text") == said.text
    inputs = [block["input"] for block in message["content"] if block["type"] == "tool_use"]
    assert inputs == [json.loads(arguments) for _, arguments in said.calls]
    assert message["stop_reason"] == said.stop_reason
    assert message["usage"] == said.usage


@given(answers())
def test_what_is_written_reads_back_as_it_was_meant(answer: dict[str, Any]) -> None:
    events = run(sse(*answer["chunks"]))
    assert parse_sse(b"".join(encode_event(event["type"], event) for event in events)) == events


# Words that may be the beginning of something, between words that are not.
words = plain_text | st.sampled_from(
    [
        *("<", "<th", "<think>", "</think>", "<|channel|>", "`", "```\n", "[", "{", "\\", '"', "stop", "st", *" \nab"),
        '<tool_call>{"name": "Tool", "arguments": {}}</tool_call>',
    ]
)


@st.composite
def runs_of_like_chunks(draw: st.DrawFn) -> list[dict[str, Any]]:
    """What frames are for: runs of chunks that differ in their text alone."""
    chunks: list[dict[str, Any]] = []
    for number in range(draw(st.integers(1, 4))):
        field = draw(st.sampled_from(["content", "reasoning_content", "arguments"]))
        if field != "arguments":
            chunks += [chunk({field: word}) for word in draw(st.lists(words, max_size=6))]
            continue
        index = draw(st.sampled_from([0, number]))
        chunks.append(chunk(call(index, f"call_{number}", "Tool", "")))
        body = json.dumps(draw(some_arguments), ensure_ascii=draw(st.booleans()))
        chunks += [chunk(call(index, None, None, piece)) for piece in draw(cut(body))]
    return [*chunks, chunk({}, finish=draw(st.sampled_from(["stop", "tool_calls", "length"])))]


def joined(events: list[dict[str, Any]]) -> list[Any]:
    """Events of one read, in which pieces of one thing are one."""
    found: list[Any] = []
    for event in events:
        if event["type"] != "content_block_delta":
            found.append(event)
            continue
        ((_, kind), (field, text)) = event["delta"].items()
        place = event["index"], kind, field
        if found and isinstance(found[-1], tuple) and found[-1][0] == place:
            text = found.pop()[1] + text
        found.append((place, text))
    return found


def told(reads: list[bytes], **more: Any) -> list[Any]:
    """Read by read, all that can be asked of a stream."""
    stream = ResponseStream(context("Tool", **more))
    said: list[Any] = []
    for data in reads:
        before = stream.amount_said
        said.append((joined(stream.feed(data)), stream.progress, stream.amount_said > before, stream.is_over))
    return [*said, stream.settle(), stream.text_without_call, stream.end(), dict(stream.counts)]


@given(
    runs_of_like_chunks(),
    st.sampled_from([{}, {"stop_sequences": ["stop"]}, {"form": {"type": "object"}}, {"opens_in_thought": True}]),
    st.none() | st.integers(1, 700),
)
def test_the_short_way_says_what_the_long_way_says(
    chunks: list[dict[str, Any]], more: dict[str, Any], read_size: int | None
) -> None:
    """Of reads that are one event each, or that end wherever their size has it."""
    data = [sse(each, done=False) for each in chunks]
    if read_size:
        whole = b"".join(data)
        data = [whole[place : place + read_size] for place in range(0, len(whole), read_size)]
    with patch.object(Frame, "around", return_value=None), patch.object(Rescue, "flows_into", return_value=None):
        long_way = told(data, **more)
    assert told(data, **more) == long_way


@given(
    st.lists(
        json_values
        | st.fixed_dictionaries(
            {},
            optional={
                "choices": json_values
                | st.lists(
                    st.fixed_dictionaries(
                        {},
                        optional={
                            "delta": json_values
                            | st.fixed_dictionaries(
                                {},
                                optional={
                                    "content": json_values,
                                    "reasoning": json_values,
                                    "reasoning_details": json_values,
                                    "tool_calls": json_values
                                    | st.lists(
                                        st.fixed_dictionaries(
                                            {},
                                            optional={
                                                "index": json_values,
                                                "id": json_values,
                                                "function": json_values
                                                | st.fixed_dictionaries(
                                                    {}, optional={"name": json_values, "arguments": json_values}
                                                ),
                                            },
                                        ),
                                        max_size=3,
                                    ),
                                    "function_call": json_values,
                                },
                            ),
                            "message": json_values,
                            "finish_reason": json_values,
                            "index": json_values,
                            "usage": json_values,
                        },
                    ),
                    max_size=2,
                ),
                "usage": json_values
                | st.fixed_dictionaries(
                    {},
                    optional={
                        "prompt_tokens": json_values,
                        "completion_tokens": json_values,
                        "prompt_tokens_details": json_values,
                    },
                ),
                "error": json_values,
                "data": json_values,
            },
        ),
        max_size=5,
    )
)
def test_whatever_a_chunk_holds_the_stream_follows_the_grammar(chunks: list[Any]) -> None:
    listen(run(sse(*chunks)))
