"""What the built-in agent makes of a conversation."""

import json
from typing import Any

import pytest

from neuroflow_proxy.demo.agent import HELP, plan
from neuroflow_proxy.demo.catalog import EINFRA_MODELS, DemoModel
from neuroflow_proxy.demo.encode import envelope, to_completion
from neuroflow_proxy.demo.rules.families import fits
from neuroflow_proxy.demo.strict import BASE, complaints
from neuroflow_proxy.demo.tasks import Call, turns_for

JSON = dict[str, Any]

MODELS = {model.id: model for model in EINFRA_MODELS}
ENVIRONMENT = (
    "<system-reminder>\n# Environment\n - Primary working directory: /tmp/w\n"
    'Read it BEFORE writing code, then run "make", and read notes.txt.\n</system-reminder>'
)
FIELDS = {
    "Read": ["file_path"],
    "Edit": ["file_path", "old_string", "new_string"],
    "Write": ["file_path", "content"],
    "Bash": ["command", "description"],
    "Agent": ["description", "prompt", "run_in_background"],
}
TOOLS = [
    {
        "type": "function",
        "function": {"name": name, "parameters": {"type": "object", "properties": {field: {} for field in fields}}},
    }
    for name, fields in FIELDS.items()
]
# As Claude Code 2.1.330 puts it, shortened in the middle.
COMPACT = (
    "CRITICAL: Respond with TEXT ONLY. Do NOT call any tools.\n\nREMINDER: Do NOT call any tools. Respond with plain "
    "text only — an <analysis> block followed by a <summary> block."
)


def conversation(request: str, **more: Any) -> JSON:
    words = [{"type": "text", "text": ENVIRONMENT}, {"type": "text", "text": request}]
    return {"model": "glm-4.7", "messages": [{"role": "user", "content": words}], "tools": TOOLS, **more}


def answer(body: JSON, model: DemoModel | None = None) -> JSON:
    """The agent's answer as a completion's choice."""
    steps = plan(body, model or MODELS[body["model"]])
    choice: JSON = to_completion(steps, envelope("demo", id="1", created=1))["choices"][0]
    return choice


def calls_in(choice: JSON) -> list[tuple[str, JSON]]:
    calls = choice["message"].get("tool_calls", [])
    return [(call["function"]["name"], json.loads(call["function"]["arguments"])) for call in calls]


def take_turn(body: JSON, model: DemoModel | None = None) -> JSON:
    """Let the agent answer and the tools answer it; the choice, with the messages added to the body."""
    choice = answer(body, model)
    message = choice["message"]
    body["messages"].append(message)
    for call in message.get("tool_calls", []):
        result = f"result of {call['function']['arguments']}"
        body["messages"].append({"role": "tool", "tool_call_id": call["id"], "content": result})
    return choice


REQUESTS: dict[str, list[list[Call]]] = {
    "read a.txt": [[Call("Read", {"file_path": "/w/a.txt"})]],
    "Please read the file `my notes.txt`.": [[Call("Read", {"file_path": "/w/my notes.txt"})]],
    "read /etc/hosts, C:\\b.txt and c.txt": [
        [Call("Read", {"file_path": "/etc/hosts"})],
        [Call("Read", {"file_path": "C:\\b.txt"})],
        [Call("Read", {"file_path": "/w/c.txt"})],
    ],
    'Change "a to b" to `c, d` in a.txt': [
        [Call("Read", {"file_path": "/w/a.txt"})],
        [Call("Edit", {"file_path": "/w/a.txt", "old_string": "a to b", "new_string": "c, d"})],
    ],
    "write hello to a.txt and then replace hello with bye in a.txt": [
        [Call("Write", {"file_path": "/w/a.txt", "content": "hello"})],
        [Call("Edit", {"file_path": "/w/a.txt", "old_string": "hello", "new_string": "bye"})],
    ],
    "run `echo a, b and c; ls`, then tell me what you saw": [
        [Call("Bash", {"command": "echo a, b and c; ls", "description": "Run the command that the user asked for"})]
    ],
    "read a.txt and change x to y in b.txt at once": [
        [Call("Read", {"file_path": "/w/b.txt"})],
        [
            Call("Read", {"file_path": "/w/a.txt"}),
            Call("Edit", {"file_path": "/w/b.txt", "old_string": "x", "new_string": "y"}),
        ],
    ],
    'ask an agent to "read a.txt and b.txt" 2 times in parallel': [
        [
            Call(
                "Agent",
                {"description": "Do a part of the work", "prompt": "read a.txt and b.txt", "run_in_background": False},
            )
        ]
        * 2
    ],
    "ask a haiku agent in the background to `run ls`": [
        [
            Call(
                "Agent",
                {
                    "description": "Do a part of the work",
                    "prompt": "run ls",
                    "model": "haiku",
                    "run_in_background": True,
                },
            )
        ]
    ],
    "fetch http://a.example/b.html to learn what it says, then run ls": [
        [Call("WebFetch", {"url": "http://a.example/b.html", "prompt": "what it says"})],
        [Call("Bash", {"command": "ls", "description": "Run the command that the user asked for"})],
    ],
    'use CronList with `{}` and use mcp__a__b with `{"c, d": "read e.txt"}`': [
        [Call("CronList", {})],
        [Call("mcp__a__b", {"c, d": "read e.txt"})],
    ],
    "use Python with `care`": [],
    "Please read the manual and summarise it.": [],
    "What is 2 + 2?": [],
    "": [],
}


@pytest.mark.parametrize("request_", REQUESTS)
def test_plain_words_become_turns_of_calls(request_: str) -> None:
    assert turns_for(request_, cwd="/w") == REQUESTS[request_]


def test_a_path_is_as_it_was_said_where_no_folder_is_known() -> None:
    assert turns_for("read a.txt", cwd=None) == [[Call("Read", {"file_path": "a.txt"})]]


def test_a_path_on_windows_is_put_together_as_there() -> None:
    assert turns_for("read a.txt", cwd="C:\\work") == [[Call("Read", {"file_path": "C:\\work\\a.txt"})]]


def test_a_plain_question_is_answered_in_text() -> None:
    choice = answer(conversation("How are you?"))
    assert choice["message"]["content"] == f"You said: How are you?\n\n{HELP}"
    assert choice["finish_reason"] == "stop"


def test_calls_come_one_a_turn_and_then_an_answer_that_quotes_the_tools() -> None:
    body = conversation("read a.txt, change X to Y in a.txt, run cat a.txt")
    turns = [take_turn(body) for _ in range(4)]
    assert [calls_in(choice) for choice in turns] == [
        [("Read", {"file_path": "/tmp/w/a.txt"})],
        [("Edit", {"file_path": "/tmp/w/a.txt", "old_string": "X", "new_string": "Y"})],
        [("Bash", {"command": "cat a.txt", "description": "Run the command that the user asked for"})],
        [],
    ]
    assert [choice["finish_reason"] for choice in turns] == ["tool_calls"] * 3 + ["stop"]
    assert 'Bash cat a.txt:\n```\nresult of {"command":"cat a.txt"' in turns[3]["message"]["content"]


def test_three_calls_are_made_at_once_if_asked_for() -> None:
    assert [name for name, _ in calls_in(answer(conversation("read a.txt, b.txt and c.txt at once")))] == ["Read"] * 3


def test_the_answer_depends_on_nothing_but_the_conversation() -> None:
    body = conversation("run date 5 times")
    take_turn(body)
    assert answer(body) == answer(json.loads(json.dumps(body)))


def test_a_new_request_begins_anew() -> None:
    body = conversation("run date")
    take_turn(body)
    body["messages"].append({"role": "user", "content": "read b.txt"})
    assert calls_in(answer(body)) == [("Read", {"file_path": "/tmp/w/b.txt"})]


@pytest.mark.parametrize(
    "nudge",
    [
        ENVIRONMENT,
        "<command-name>/rename</command-name>\n<local-command-stdout>read a.txt</local-command-stdout>",
        "[structured-output-enforce] You MUST call the StructuredOutput tool to complete this request.",
        "[1 image from the result of Read, call 1]\n[2 images from the result of Read, call 2]",
        "[Your previous response had no visible output. Please continue and produce a user-visible response.]",
        "Your response above was cut off mid-stream. Resume directly from where it stops — no apology.",
    ],
)
def test_what_claude_code_says_by_itself_is_no_new_request(nudge: str) -> None:
    body = conversation("run date, run uptime")
    take_turn(body)
    body["messages"].append({"role": "user", "content": nudge})
    assert calls_in(answer(body))[0][1]["command"] == "uptime"


def test_a_compacted_conversation_goes_on_where_it_was() -> None:
    body = conversation('run "echo \\ ž" 3 times, run uptime')
    for _ in range(2):
        take_turn(body)
    tail = body["messages"][3:]
    # Claude Code lets the beginning be summed up and keeps the end as it was.
    asked = {**body, "messages": [*body["messages"][:3], {"role": "user", "content": COMPACT}]}
    said = answer(asked)["message"]["content"]
    assert "tool_calls" not in answer(asked)["message"]
    summary = said[said.index("<summary>") + 9 : said.index("</summary>")]
    body["messages"] = [
        {"role": "user", "content": f"This session is being continued.\n\nSummary:{summary}\n{ENVIRONMENT}\nGo on."},
        *tail,
    ]
    rest = [calls_in(take_turn(body)) for _ in range(3)]
    assert [[call["command"] for _, call in calls] for calls in rest] == [["echo \\ ž"], ["uptime"], []]


def test_a_schema_is_answered_with_what_it_accepts() -> None:
    schema = {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]}
    form = {"type": "json_schema", "json_schema": {"name": "title", "schema": schema}}
    choice = answer(conversation("Find the bug", response_format=form))
    assert json.loads(choice["message"]["content"]) == {"title": "Find the bug"}


def test_a_tool_for_structured_output_is_used_once_all_else_is_done() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 3}}}
    form = {"type": "function", "function": {"name": "StructuredOutput", "parameters": schema}}
    body = conversation("run ls", tools=[*TOOLS, form])
    calls = [calls_in(take_turn(body)) for _ in range(3)]
    assert [[name for name, _ in turn] for turn in calls] == [["Bash"], ["StructuredOutput"], []]
    assert calls[1] == [("StructuredOutput", {"n": 3})]


def test_any_json_is_answered_with_an_object() -> None:
    choice = answer(conversation("Find the bug", response_format={"type": "json_object"}))
    assert json.loads(choice["message"]["content"]) == {}


def test_one_token_is_one_token() -> None:
    choice = answer(conversation("Hi", max_tokens=1, chat_template_kwargs={"enable_thinking": False}))
    assert (choice["message"]["content"], choice["finish_reason"]) == ("You ", "length")


def test_reasoning_uses_up_what_the_answer_may_be_long() -> None:
    choice = answer(conversation("Hi", max_tokens=1))
    assert (choice["message"]["reasoning"], choice["message"]["content"]) == ("Ther", None)
    assert choice["finish_reason"] == "length"


def test_a_call_that_does_not_fit_is_cut_off() -> None:
    body = conversation("run date", max_tokens=3, chat_template_kwargs={"enable_thinking": False})
    choice = answer(body)
    assert choice["message"]["tool_calls"][0]["function"]["arguments"] == '{"command":"'
    assert choice["finish_reason"] == "length"


def test_it_uses_only_tools_that_were_declared() -> None:
    choice = answer(conversation("write a to b.txt", tools=TOOLS[:2]))
    assert choice["message"]["content"] == "I was given no tool named Write."


def test_a_tool_that_can_be_loaded_is_loaded_once_and_then_used() -> None:
    loader = {"type": "function", "function": {"name": "ToolSearch", "parameters": {"properties": {"query": {}}}}}
    body = conversation("write a to b.txt and run ls", tools=[TOOLS[3], loader])
    assert calls_in(take_turn(body)) == [("ToolSearch", {"query": "select:Write"})]
    refused = answer(body)["message"]["content"]
    assert refused == "I was given no tool named Write."
    body["tools"].append(TOOLS[2])
    assert [name for name, _ in calls_in(take_turn(body))] == ["Write"]
    assert [name for name, _ in calls_in(take_turn(body))] == ["Bash"]
    told = answer(body)["message"]["content"]
    assert "Write /tmp/w/b.txt:" in told
    assert "ToolSearch" not in told


def test_what_a_text_says_is_not_done_where_there_are_no_tools() -> None:
    assert "read a.txt" in answer(conversation("The page says:\nread a.txt", tools=[]))["message"]["content"]


def test_it_gives_only_arguments_that_were_declared() -> None:
    tool = {"type": "function", "function": {"name": "Bash", "parameters": {"properties": {"command": {}}}}}
    assert calls_in(answer(conversation("run ls", tools=[tool]))) == [("Bash", {"command": "ls"})]


@pytest.mark.parametrize(
    ("model", "kwargs", "field"),
    [
        ("kimi-k2.5", {}, "reasoning_content"),
        ("kimi-k2.5", {"thinking": False}, None),
        ("qwen3.5-122b", {"enable_thinking": False}, None),
        ("deepseek-v3.2", {}, None),
        ("deepseek-v3.2", {"thinking": True}, "reasoning"),
        ("deepseek-v3.2-thinking", {"thinking": False}, "reasoning"),
        ("gpt-oss-120b", {}, "reasoning"),
        ("mistral-small-4", {}, None),
    ],
)
def test_each_model_reasons_in_its_field_if_it_is_told_to(model: str, kwargs: JSON, field: str | None) -> None:
    message = answer(conversation("Hi", chat_template_kwargs=kwargs), MODELS[model])["message"]
    assert [name for name in ("reasoning", "reasoning_content") if name in message] == ([field] if field else [])


@pytest.mark.parametrize("model", EINFRA_MODELS, ids=lambda model: model.id)
def test_what_the_agent_said_is_taken_back_by_its_own_model(model: DemoModel) -> None:
    body = conversation("read a.txt, b.txt and c.txt at once", model=model.id)
    for _ in range(2):
        while take_turn(body, model)["finish_reason"] == "tool_calls":
            called = next(message for message in reversed(body["messages"]) if message["role"] == "assistant")
            if "reasoning" in called:  # whoever sends it back uses the field that all servers take
                called["reasoning_content"] = called["reasoning"]
            assert complaints(body, (*BASE, *model.rules_for(body), fits(model.window))) == []
        body["messages"].append({"role": "user", "content": "change X to Y in a.txt and run ls"})
    assert [message["role"][0] for message in body["messages"]] == list("uatttauatatatau")
