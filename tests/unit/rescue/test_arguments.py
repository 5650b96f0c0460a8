"""Arguments that are JSON stream through untouched; others are repaired if that fits the tool, or left as they were."""

import json
from typing import Any

import pytest

from neuroflow_proxy.rescue.arguments import MAX_BLANKS, ArgumentsStream
from tests.leaks.tools import TOOLS


def run(tool: str, text: str, *, cut_off: bool = False, size: int = 1) -> tuple[str, ArgumentsStream]:
    """Everything that was sent for the arguments."""
    stream = ArgumentsStream(TOOLS[tool])
    sent = [stream.feed(text[i : i + size]) for i in range(0, len(text), size)]
    return "".join(sent) + stream.finish(cut_off=cut_off), stream


REPAIRS: dict[str, tuple[str, str, Any]] = {
    "trailing comma": ("Bash", '{"command": "ls",}', {"command": "ls"}),
    "trailing comma in a list": ("TodoWrite", '{"todos": [{"a": 1}, ]}', {"todos": [{"a": 1}]}),
    "single quotes": ("Bash", "{'command': 'ls'}", {"command": "ls"}),
    "single quotes with an apostrophe": ("Bash", "{'command': 'echo it\\'s'}", {"command": "echo it's"}),
    "apostrophe without escape": ("Bash", "{'command': 'echo it's'}", {"command": "echo it's"}),
    "Python literals": (
        "Bash",
        "{'command': 'ls', 'run_in_background': True, 'timeout': None}",
        {"command": "ls", "run_in_background": True},
    ),
    "raw line end in a string": (
        "Write",
        '{"file_path": "/a", "content": "one\ntwo\tthree"}',
        {"file_path": "/a", "content": "one\ntwo\tthree"},
    ),
    "raw control character": ("Bash", '{"command": "a\x01b"}', {"command": "a\x01b"}),
    "invalid escape": ("Bash", '{"command": "grep \\d+ \\.py"}', {"command": "grep \\d+ \\.py"}),
    "Windows path": ("Read", '{"file_path": "C:\\Users\\me"}', {"file_path": "C:\\Users\\me"}),
    "Python escape": ("Bash", '{"command": "\\x41\\\'"}', {"command": "A'"}),
    "encoded twice": ("Bash", '"{\\"command\\": \\"ls\\"}"', {"command": "ls"}),
    "encoded twice and broken inside": ("Bash", '"{\\"command\\": \\"ls\\",}"', {"command": "ls"}),
    "quotes in quotes": ("Bash", '{"command": "echo "hi" now"}', {"command": 'echo "hi" now'}),
    "quotes at the end of quotes": (
        "Bash",
        '{"command": "git commit -m "fix: a, b"", "timeout": 5}',
        {"command": 'git commit -m "fix: a, b"', "timeout": 5},
    ),
    "braces in quotes in quotes": ("Bash", '{"command": "awk "{print}" f"}', {"command": 'awk "{print}" f'}),
    "code fence": ("Bash", '```json\n{"command": "ls"}\n```', {"command": "ls"}),
    "control token in front": ("Bash", '<|message|>{"command": "ls"}<|call|>', {"command": "ls"}),
    "comment": ("Bash", '{"command": "ls" // list\n, /* s */ "timeout": 5 # end\n}', {"command": "ls", "timeout": 5}),
    "missing comma": ("Bash", '{"command": "ls" "timeout": 5}', {"command": "ls", "timeout": 5}),
    "missing comma on a new line": ("Bash", '{"timeout": 5\n"command": "ls"}', {"command": "ls", "timeout": 5}),
    "unquoted keys": ("Bash", "{command: 'ls', timeout: 5}", {"command": "ls", "timeout": 5}),
    "unquoted keys with dashes": (
        "Grep",
        "{pattern: 'a', -n: true, path: '.'}",
        {"pattern": "a", "-n": True, "path": "."},
    ),
    "triple quotes": ("Bash", '{"command": """a "b"\nc"""}', {"command": 'a "b"\nc'}),
    "brace missing": ("Bash", '{"command": "ls"', {"command": "ls"}),
    "first brace missing": ("Bash", '"command": "ls", "timeout": 5}', {"command": "ls", "timeout": 5}),
    "both braces missing": ("Bash", ' "command": "ls"', {"command": "ls"}),
    "brackets missing": ("TodoWrite", '{"todos": [{"a": {"b": true', {"todos": [{"a": {"b": True}}]}),
    "cut behind a comma": ("Bash", '{"command": "ls", ', {"command": "ls"}),
    "nothing at all": ("ListTasks", "", {}),
    "null": ("ListTasks", "null", {}),
    "blank": ("ListTasks", " \n", {}),
    "blank in front": ("Bash", '\n {"command": "ls",}', {"command": "ls"}),
    "behind an empty object": ("Bash", '{}{"command": "ls"}', {"command": "ls"}),
    "behind an empty object and wrong": (
        "Read",
        '{} {"file_path": "/a", "offset": "5",}',
        {"file_path": "/a", "offset": 5},
    ),
    "begun again": (
        "Bash",
        '{"command": "ls | head"{"command": "ls | head", "timeout": 5}',
        {"command": "ls | head", "timeout": 5},
    ),
    "begun again behind a number": (
        "Read",
        '{"file_path": "/a", "limit": 5{"file_path": "/a", "limit": 5, "offset": 3}',
        {"file_path": "/a", "limit": 5, "offset": 3},
    ),
    "begun again inside": (
        "mcp__db__query",
        '{"options": {"options": {"options": 1}}, "sql": "a",}',
        {"options": {"options": {"options": 1}}, "sql": "a"},
    ),
    "one level too deep": ("Bash", '{"arguments": {"command": "ls"}}', {"command": "ls"}),
    "one level too deep and of the wrong type": (
        "Read",
        '{\n  "input": {"file_path": "/a", "offset": "5"}}',
        {"file_path": "/a", "offset": 5},
    ),
    "one level too deep as text": ("Bash", '{"arguments": "{\\"command\\": \\"ls\\"}"}', {"command": "ls"}),
    "nothing but the one thing to tell": ("Bash", '{"arguments": "ls -la"}', {"command": "ls -la"}),
    "the end of the parameter in its text": (
        "Bash",
        '{"command": "make 2>&1</｜DSML｜parameter',
        {"command": "make 2>&1"},
    ),
    "the end of the parameter in its text, with a gap": (
        "Bash",
        '{"command": "ls</｜DSML｜ parameter>',
        {"command": "ls"},
    ),
    "the end of the parameter in its text, and brackets": (
        "Bash",
        '{"command": "cat <</arg_value>}',
        {"command": "cat <"},
    ),
    "repaired and coerced": ("Read", "{'offset': '5', 'file_path': '/a'}", {"file_path": "/a", "offset": 5}),
}


@pytest.mark.parametrize(
    "text", ['{"command": "rm -r build/old', '{"command": "ls\\', '{"command": "sleep", "timeout": 12']
)
def test_where_a_string_or_a_number_would_have_ended_is_not_guessed(text: str) -> None:
    sent, stream = run("Bash", text, size=3)
    assert sent == text
    assert not stream.is_complete


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
@pytest.mark.parametrize(("tool", "text", "meant"), REPAIRS.values(), ids=REPAIRS.keys())
def test_what_was_meant_is_sent(tool: str, text: str, meant: Any, size: int) -> None:
    sent, stream = run(tool, text, size=size)
    assert json.loads(sent) == meant
    assert stream.is_complete
    assert stream.repaired


HOPELESS = {
    "no JSON": ("Bash", "ls -la"),
    "a string": ("Bash", '"ls"'),
    "a list": ("Bash", '["ls"]'),
    "a key without a value": ("Bash", '{"command": "ls", "timeout": }'),
    "cut behind a key": ("Bash", "{'command': 'ls', 'timeout'"),
    "cut in a key": ("Bash", '{"command": "ls", "time'),
    "cut before a value": ("Bash", '{"command": "ls", "timeout":'),
    "half a literal": ("Bash", '{"command": "ls", "run_in_background": tru'),
    "a word without quotes": ("Bash", '{"command": ls}'),
    "not a number": ("Bash", '{"command": "ls", "timeout": NaN}'),
    "required field missing": ("Bash", '{"timeout": 5,}'),
    "required field missing behind the end of a parameter": ("Write", '{"file_path": "a>b</｜DSML｜parameter'),
    "half of the end of a parameter": ("Bash", '{"command": "ls</｜DSML'),
    "wrong type": ("TodoWrite", '{"todos": "all",}'),
    "nothing, but something is required": ("Bash", ""),
    "null, but something is required": ("Bash", "null"),
    "placeholder": ("Bash", "xxxxx"),
    "nested without end": ("TodoWrite", '{"todos": ' + "[" * 5000),
    "quotes that end nowhere": ("Bash", '{"command": "a" b}'),
}


@pytest.mark.parametrize("size", [1, 3, 10_000])
@pytest.mark.parametrize(("tool", "text"), HOPELESS.values(), ids=HOPELESS.keys())
def test_what_cannot_be_repaired_arrives_as_it_was(tool: str, text: str, size: int) -> None:
    sent, stream = run(tool, text, size=size)
    assert sent == text
    assert not stream.is_complete
    assert not stream.repaired


@pytest.mark.parametrize(("tool", "text", "meant"), REPAIRS.values(), ids=REPAIRS.keys())
def test_what_was_cut_off_is_never_completed(tool: str, text: str, meant: Any) -> None:
    sent, stream = run(tool, text, cut_off=True)
    assert sent == text
    assert not stream.repaired


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ('{"command": "ls -l', '{"command": "ls -l'),
        ('{"command": "ls"', '{"command": "ls'),
        ('{"command": "ls",', '{"command": "ls'),
        ('{"command": "ls", "t', '{"command": "ls", "t'),
        ('{"a": 1', '{"a":'),
        ('{"a": 1,', '{"a":'),
        ('{"a": [1, "', '{"a": [1, "'),
        ('{"a": {"b": true}', '{"a": {"b": true}'),
        ('{"a": "\\u00', '{"a": "'),
        ('{"a": "\\', '{"a": "'),
        ('{"a": "<b></', '{"a": "<b>'),
        ('{"a": "<b></b', '{"a": "<b></b'),
        (" {", " {"),
        ('"', ""),
    ],
)
def test_all_that_is_certain_is_sent_at_once(text: str, sent: str) -> None:
    stream = ArgumentsStream({"type": "object"})
    assert "".join(stream.feed(character) for character in text) == sent
    assert ArgumentsStream({"type": "object"}).feed(text) == sent


def test_a_large_file_streams() -> None:
    stream = ArgumentsStream(TOOLS["Write"])
    assert stream.feed('{"file_path": "/a", "content": "') == '{"file_path": "/a", "content": "'
    for _ in range(1000):
        assert stream.feed("some text \\n and \\u00e9") == "some text \\n and \\u00e9"
    assert not stream.is_complete
    assert stream.feed('"}') == '"}'
    assert stream.is_complete


@pytest.mark.parametrize("behind", ["", " \n", "</tool_call>", '{"command": "ls"}', '{"command": "rm"}', "\n```", "}"])
def test_behind_a_whole_object_nothing_counts(behind: str) -> None:
    for size in (1, 1000):
        sent, stream = run("Bash", '{"command": "ls"}' + behind, size=size)
        assert sent == '{"command": "ls"}'
        assert stream.is_complete
        assert stream.repaired == bool(behind.strip())


def test_a_valid_object_stays_as_it_is_even_where_the_schema_would_want_it_otherwise() -> None:
    text = '{"file_path": "/a", "offset": "5", "other": {}}'
    sent, stream = run("Read", text)
    assert sent == text
    assert not stream.repaired


@pytest.mark.parametrize("tag", ["</｜DSML｜parameter>", "</｜DSML｜parameter", "</arg_value>"])
def test_a_value_may_hold_the_tag_that_ends_a_parameter(tag: str) -> None:
    text = f'{{"file_path": "/a", "content": "End it with {tag}, or {tag}"}}'
    for size in (1, 5, 1000):
        sent, stream = run("Write", text, size=size)
        assert sent == text
        assert not stream.repaired


TAKES_INPUT = {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        (TAKES_INPUT, '{"input": "{\\"input\\": 1}"}'),
        ({"type": "object"}, '{"arguments": {"a": 1}}'),
        (TOOLS["Bash"], '{"arguments": {"path": "ls"}}'),
        (TOOLS["Bash"], '{"arguments": ["ls"]}'),
        (TOOLS["Bash"], '{"arguments": {"command": "ls"}, "timeout": 5}'),
        (TOOLS["Write"], '{"arguments": "/a"}'),
        (TOOLS["Write"], '{"argument": {"file_path": "/a", "content": ""}}'),
    ],
)
def test_a_parameter_of_the_tool_is_no_wrapper_and_what_fits_nowhere_stays(schema: Any, text: str) -> None:
    for size in (1, 4, 1000):
        stream = ArgumentsStream(schema)
        sent = "".join(stream.feed(text[i : i + size]) for i in range(0, len(text), size))
        assert sent + stream.finish(cut_off=False) == text
        assert not stream.repaired


def test_an_empty_object_is_whole_but_ends_only_with_the_call() -> None:
    stream = ArgumentsStream(TOOLS["ListTasks"])
    assert stream.feed("{}") == "{"
    assert stream.is_complete
    assert stream.finish(cut_off=True) == "}"


def test_endless_white_space_is_not_passed_on_and_not_kept() -> None:
    stream = ArgumentsStream(TOOLS["Bash"])
    assert stream.feed('{"command": "ls"') == '{"command": "ls'
    for _ in range(100_000):
        assert stream.feed(" \n") == ""
    sent = stream.feed(', "timeout": 5}')
    assert len(sent) < 2 * MAX_BLANKS
    assert json.loads('{"command": "ls' + sent) == {"command": "ls", "timeout": 5}


def test_without_a_schema_arguments_are_repaired_as_well() -> None:
    stream = ArgumentsStream(None)
    assert stream.feed("{'a': 1}") + stream.finish(cut_off=False) == '{"a": 1}'
