"""What refusals teach. Each wording is a provider's own."""

import json
from typing import Any

import pytest

from neuroflow_proxy.models.learned import NOTHING_LEARNED, Learned
from neuroflow_proxy.provider.learning import learn

SENT: dict[str, Any] = {
    "model": "m",
    "messages": [{"role": "user", "content": "hi"}],
    "tools": [{"type": "function", "function": {"name": "stop", "parameters": {}}}],
    "tool_choice": "required",
    "stream": True,
    "stream_options": {"include_usage": True},
    "temperature": 1,
    "top_k": 5,
    "stop": ["x"],
    "max_tokens": 32000,
    "chat_template_kwargs": {"enable_thinking": False},
    "reasoning_effort": "high",
    "parallel_tool_calls": False,
    "response_format": {"type": "json_object"},
}
IMAGE = {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "d"}}]}


def taught(error: Any, known: Learned = NOTHING_LEARNED, **sent: Any) -> Learned | None:
    body = {"error": {"message": error}} if isinstance(error, str) else error
    return learn(body, {**SENT, **sent}, known)


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("Unsupported parameter: 'temperature' is not supported with this model.", "temperature"),
        ("Validation: Temperature must be between 0 and 2, got 100", "temperature"),
        ("invalid temperature: only 1 is allowed for this model", "temperature"),
        ("Only temperature=1 is supported", "temperature"),
        ("Unrecognized request argument supplied: reasoning_effort", "reasoning_effort"),
        ("openai does not support parameters: ['reasoning_effort'], for model=x. To drop these", "reasoning_effort"),
        ("property 'stream_options' is unsupported", "stream_options"),
        ("Unsupported parameter: 'stop' is not supported with this model.", "stop"),
        ("Argument not supported on this model: topK", "top_k"),
        ("got an unexpected keyword argument 'enable_thinking'", "chat_template_kwargs"),
        ("parallel_tool_calls is not supported", "parallel_tool_calls"),
        ("Thinking mode does not support this tool_choice", "tool_choice"),
        ("tool_choice 'required' is incompatible with thinking enabled", "tool_choice"),
        ("This response_format type is unavailable now", "response_format"),
        ("Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead.", "max_tokens"),
    ],
)
def test_a_refused_parameter_is_found_by_its_name(words: str, name: str) -> None:
    assert taught(words) == Learned(dropped_params=frozenset({name}))


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "Bad", "param": "stream_options"}},
        {
            "detail": [
                {"type": "extra_forbidden", "loc": ["body", "stream_options"], "msg": "Extra inputs", "input": {}}
            ]
        },
        {"error": {"message": "[{'type': 'x', 'loc': ('body', 'stream_options'), 'msg': 'Extra inputs', 'input': 1}]"}},
    ],
)
def test_a_refused_parameter_is_found_by_its_path(body: Any) -> None:
    assert taught(body) == Learned(dropped_params=frozenset({"stream_options"}))


@pytest.mark.parametrize(
    "words",
    [
        "messages must not be empty",
        "Failed to deserialize the JSON body into the target type: tools[0].function: missing field `name`",
        "`tool calling` is not supported with this model",
        "you must stop here: that is not allowed",
        "System message must be at the beginning.",
        "image exceeds 5 MB maximum",
        "输入不能为空",
        "",
    ],
)
def test_nothing_is_learnt_where_nothing_can_be_left_out(words: str) -> None:
    assert taught(words) is None


def test_a_path_into_the_messages_is_no_lesson_about_parameters_of_the_same_name() -> None:
    body = {"error": {"message": "messages.1: 'temperature' is not permitted", "param": "messages.1.temperature"}}
    assert taught(body) is None


def test_a_forced_tool_is_given_up_before_the_whole_choice() -> None:
    words = "Thinking mode does not support this tool_choice"
    first = taught(words, tool_choice={"type": "function", "function": {"name": "stop"}})
    assert first == Learned(dropped_params=frozenset({"tool_choice.function"}))
    second = taught(words, first, tool_choice="required")
    assert second == Learned(dropped_params=frozenset({"tool_choice.function", "tool_choice"}))


def test_a_schema_of_the_answer_is_given_up_before_its_format() -> None:
    lesson = taught("response_format json_schema is not supported", response_format={"type": "json_schema"})
    assert lesson == Learned(dropped_params=frozenset({"response_format.json_schema"}))


@pytest.mark.parametrize(
    "error",
    [
        "GLM-5.2 is not a multimodal model None",
        "Invalid content type. image_url is only supported by certain models.",
        "messages[0]: unknown variant `image_url`, expected `text` at line 1 column 197",
        "No endpoints found that support image input",
        "messages.content.type is invalid, allowed values: ['text']",
        "At most 0 image(s) may be provided in one prompt.",
        "Model does not support image input",
        {"detail": [{"loc": ["body", "messages", 0, "content"], "msg": "Input should be a valid string", "input": []}]},
        {"error": {"message": "Input should be a valid string", "param": "messages[0].content"}},
        "messages.0.content must be a string",
    ],
)
def test_refused_images_are_not_sent_again(error: Any) -> None:
    assert taught(error, messages=[IMAGE]) == Learned(no_images=True)
    assert taught(error) is None  # there was none: it must be about something else


@pytest.mark.parametrize(
    "error",
    [
        "image exceeds 5 MB maximum",
        "messages.0.content.1.image_url.url: this is not valid base64",
        "metadata.user_id: Input should be a valid string",
    ],
)
def test_an_image_that_is_no_good_and_another_complaint_do_not_blind_the_model(error: str) -> None:
    assert taught(error, messages=[IMAGE]) is None


@pytest.mark.parametrize(
    "words",
    [
        "The `reasoning_content` in the thinking mode must be passed back to the API.",
        "thinking is enabled but reasoning_content is missing in assistant tool call message at index 2",
        "Missing reasoning_content field in the assistant message at message index 2",
    ],
)
def test_reasoning_that_is_wanted_back_is_sent_back(words: str) -> None:
    assert taught(words) == Learned(reasoning_required=True)


THOUGHTFUL = [SENT["messages"][0], {"role": "assistant", "content": "", "reasoning_content": "hm"}]


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
@pytest.mark.parametrize(
    "error",
    [
        {"detail": [{"loc": ["body", "messages", 1, "NAME"], "msg": "Extra inputs are not permitted"}]},
        {"error": {"message": "Extra inputs are not permitted", "param": "messages[1].NAME"}},
        {"error": {"message": "unknown field `NAME`, expected one of `role`, `content`"}},
    ],
)
def test_reasoning_that_is_refused_is_kept_back(error: Any, name: str) -> None:
    sent = [SENT["messages"][0], {"role": "assistant", "content": "", name: "hm"}]
    body = json.loads(json.dumps(error).replace("NAME", name))
    assert taught(body, messages=sent) == Learned(dropped_params=frozenset({"messages.reasoning_content"}))
    assert taught(body) is None  # there was none: it must be about something else


@pytest.mark.parametrize(
    ("words", "dropped"),
    [
        ("property 'top_k' is unsupported", {"top_k"}),
        ("reasoning took too long", set()),
        ("temperature and top_k were read; the engine has failed", set()),
    ],
)
def test_only_what_is_refused_is_kept_back(words: str, dropped: set[str]) -> None:
    lesson = taught(words, messages=THOUGHTFUL) or NOTHING_LEARNED
    assert lesson == Learned(dropped_params=frozenset(dropped))


@pytest.mark.parametrize(
    "words",
    [
        "Invalid schema for function 'get_x': 'temperature' is not valid",
        "tools.0.function.parameters is not a valid moonshot flavored json schema, details: x",
        "Failed to compile grammar: unsupported",
    ],
)
def test_a_refused_tool_schema_is_made_simple(words: str) -> None:
    assert taught(words) == Learned(simple_schemas=True)


def test_where_there_are_no_tools_no_tools_schema_is_refused() -> None:
    assert learn(b"Failed to compile grammar: unsupported", {"model": "m", "messages": []}, NOTHING_LEARNED) is None


def test_a_refused_tool_schema_is_found_by_its_path() -> None:
    where = ["body", "tools", 0, "function", "parameters", "properties"]
    assert taught({"detail": [{"loc": where, "msg": "Input should be an object"}]}) == Learned(simple_schemas=True)


@pytest.mark.parametrize(
    "error",
    [
        "Invalid schema for response_format 'answer': In context=(), 'additionalProperties' is required",
        {"error": {"message": "Invalid schema: 'pattern' is not supported", "param": "response_format"}},
    ],
)
@pytest.mark.parametrize("tools", [{}, {"tools": SENT["tools"]}])
def test_a_refused_schema_of_the_answer_is_given_up_whether_or_not_there_are_tools(error: Any, tools: Any) -> None:
    sent = {"model": "m", "messages": SENT["messages"], **tools, "response_format": {"type": "json_schema"}}
    body = {"error": {"message": error}} if isinstance(error, str) else error
    assert learn(body, sent, NOTHING_LEARNED) == Learned(dropped_params=frozenset({"response_format.json_schema"}))


def test_limits_are_remembered() -> None:
    assert taught(
        "This model's maximum context length is 131072 tokens. However, you requested 131134 tokens (122942 in the "
        "messages, 8192 in the completion)."
    ) == Learned(context_window=131072)
    assert taught("Invalid max_tokens value, the valid range of max_tokens is [1, 8192]") == Learned(
        max_output_tokens=8192
    )


def test_one_limit_is_not_forgotten_for_another() -> None:
    known = taught("This model's maximum context length is 131072 tokens. However, your prompt is too long: 140000")
    known = taught("Invalid max_tokens value, the valid range of max_tokens is [1, 8192]", known or NOTHING_LEARNED)
    assert known == Learned(context_window=131072, max_output_tokens=8192)
    known = taught(
        "This model's maximum context length is 65536 tokens. However, your prompt is too long: 70000", known
    )
    assert known == Learned(context_window=65536, max_output_tokens=8192)


@pytest.mark.parametrize("words", ["property 'stop' is unsupported", "max_tokens: 9 > 4, which is the maximum allowed"])
def test_what_is_known_already_is_no_lesson(words: str) -> None:
    lesson = taught(words)
    assert lesson is not None
    assert taught(words, lesson) is None


def test_lessons_add_up_and_bytes_teach_as_objects_do() -> None:
    known = Learned(no_images=True, dropped_params=frozenset({"stop"}))
    lesson = learn(b'{"error": {"message": "parallel_tool_calls is not supported"}}', SENT, known)
    assert lesson == Learned(no_images=True, dropped_params=frozenset({"stop", "parallel_tool_calls"}))
