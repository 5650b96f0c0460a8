"""Tool calls as models write them when nobody parses them, by grammar; made up, with the mistakes that are seen."""

import re
from itertools import product
from typing import Any, NamedTuple


class Leak(NamedTuple):
    """`raw` holds these calls, and `text` besides."""

    name: str
    raw: str
    calls: list[tuple[str, dict[str, Any]]]
    text: str = ""


PWD_JSON = '{"command": "pwd"}'
LS_JSON = '{"command": "ls -la"}'
HOSTS_JSON = '{"file_path": "/etc/hosts"}'
FENCED_PWD = f"Bash\n```json\n{PWD_JSON}\n```"
PWD = [("Bash", {"command": "pwd"})]
READ = [("Read", {"file_path": "/a.py", "offset": 5, "limit": 10})]
TWO = [("Bash", {"command": "ls -la"}), ("Read", {"file_path": "/etc/hosts"})]
CODE = "def f(x):\n    return {'a': [x, \"b\"]}  # </div> & <br/>\n"
GREP = [("Grep", {"pattern": "<T>", "-n": True, "-A": 3, "path": "src"})]
WRITE = [("Write", {"file_path": "/tmp/f.py", "content": CODE})]
XML = [("Write", {"file_path": "/a.xml", "content": "<content>x</content>"})]
CODE_JSON = '{"file_path": "/tmp/f.py", "content": "def f(x):\\n    return {\'a\': [x, \\"b\\"]}  # </div> & <br/>\\n"}'


def _dsml(bars: str, wrapper: str = "tool_calls") -> str:
    tag = f"{bars}DSML{bars}"
    return (
        f'<{tag}{wrapper}>\n<{tag}invoke name="Read">\n<{tag}parameter name="file_path" '
        f'string="true">/a.py</{tag}parameter>\n'
        f'<{tag}parameter name="offset" string="false">5</{tag}parameter>\n'
        f'<{tag}parameter name="limit" string="false">10</{tag}parameter>\n</{tag}invoke>\n</{tag}{wrapper}>'
    )


def _m3(*pieces: str) -> str:
    """The pieces with MiniMax M3's mark before each tag of those that are nothing but tags."""
    return "".join(
        re.sub("(?=<)", "]<]minimax[>[", piece) if re.fullmatch("(<[^<>]+>)+", piece) else piece for piece in pieces
    )


def _kimi(header: str, arguments: str) -> str:
    return f"<|tool_call_begin|>{header}<|tool_call_argument_begin|>{arguments}<|tool_call_end|>"


def _deepseek(header: str, arguments: str) -> str:
    return f"<｜tool▁call▁begin｜>{header}<｜tool▁sep｜>{arguments}<｜tool▁call▁end｜>"


def _k3(name: str, *arguments: tuple[str, str, str]) -> str:
    body = "".join(
        f'<|open|>argument key="{key}" type="{kind}"<|sep|>{value}<|close|>argument<|sep|>'
        for key, kind, value in arguments
    )
    return f'<|open|>call tool="{name}" index="1"<|sep|>{body}<|close|>call<|sep|>'


POSITIVE = [
    # Kimi K2
    Leak(
        "kimi-section",
        "<|tool_calls_section_begin|>" + _kimi("functions.Bash:0", PWD_JSON) + "<|tool_calls_section_end|>",
        PWD,
    ),
    Leak(
        "kimi-two-with-white-space",
        "I'll look.\n<|tool_calls_section_begin|>\n"
        + _kimi(" functions.Bash:3 ", LS_JSON)
        + "\n"
        + _kimi("functions.Read:4", HOSTS_JSON)
        + "\n<|tool_calls_section_end|><|im_end|>",
        TWO,
        "I'll look.\n",
    ),
    Leak("kimi-no-section", _kimi("Bash:12", '{"command": "pwd"}'), PWD),
    Leak("kimi-no-counter", _kimi("functions.Bash", '{"command": "pwd"}'), PWD),
    Leak("kimi-other-case", _kimi("functions.bash:0", '{"command": "pwd"}'), PWD),
    Leak("kimi-singular-section", "<|tool_call_section_begin|>" + _kimi("Bash:0", PWD_JSON), PWD),
    Leak(
        "kimi-unterminated",
        '<|tool_calls_section_begin|><|tool_call_begin|>functions.Bash:0<|tool_call_argument_begin|>{"command": "pwd"}',
        PWD,
    ),
    Leak("kimi-brace-missing", _kimi("functions.Bash:0", '{"command": "pwd"'), PWD),
    Leak("kimi-code", _kimi("functions.Write:0", CODE_JSON), WRITE),
    Leak(
        "kimi-token-in-a-string",
        _kimi("Bash:0", '{"command": "grep \'<|tool_call_end|>\' x"}'),
        [("Bash", {"command": "grep '<|tool_call_end|>' x"})],
    ),
    Leak("kimi-no-arguments", _kimi("functions.ListTasks:0", ""), [("ListTasks", {})]),
    # Kimi K3
    Leak(
        "kimi-k3",
        "<|open|>tools<|sep|>"
        + _k3("Read", ("file_path", "string", "/a.py"), ("offset", "number", "5"), ("limit", "number", "10"))
        + "<|close|>tools<|sep|><|close|>message<|sep|><|end_of_msg|>",
        READ,
    ),
    Leak(
        "kimi-k3-json-block",
        '<|open|>tools<|sep|><|open|>call tool="Bash" index="1"<|sep|><|open|>json type="object"<|sep|>{"command": '
        '"pwd"}'
        "<|close|>json<|sep|><|close|>call<|sep|><|close|>tools<|sep|>",
        PWD,
    ),
    Leak(
        "kimi-k3-two-without-section",
        _k3("Bash", ("command", "string", "ls -la")) + _k3("Read", ("file_path", "string", "/etc/hosts")),
        TWO,
    ),
    # Qwen and Hermes
    Leak("hermes", '<tool_call>\n{"name": "Bash", "arguments": {"command": "pwd"}}\n</tool_call>', PWD),
    Leak(
        "hermes-two",
        'Let me see.<tool_call>{"name":"Bash","arguments":{"command":"ls -la"}}</tool_call>\n'
        '<tool_call>{"arguments":{"file_path":"/etc/hosts"},"name":"Read"}</tool_call>',
        TWO,
        "Let me see.",
    ),
    Leak("hermes-unterminated", '<tool_call>\n{"name": "Bash", "arguments": {"command": "pwd"}}', PWD),
    Leak("hermes-single-quotes", "<tool_call>{'name': 'Bash', 'arguments': {'command': 'pwd'}}</tool_call>", PWD),
    Leak(
        "hermes-encoded-twice",
        '<tool_call>{"name": "Bash", "arguments": "{\\"command\\": \\"pwd\\"}"}</tool_call>',
        PWD,
    ),
    Leak("hermes-brace-missing", '<tool_call>{"name": "Bash", "arguments": {"command": "pwd"}</tool_call>', PWD),
    Leak(
        "hermes-words-beside-the-arguments",
        '<tool_call>{"name": "Bash", "description": "Where", "arguments": {"command": "pwd"}}</tool_call>',
        PWD,
    ),
    Leak("hermes-list", '<tool_call>[{"name": "Bash", "arguments": {"command": "pwd"}}]</tool_call>', PWD),
    Leak("hermes-parameters", '<function_call>{"name": "Bash", "parameters": {"command": "pwd"}}</function_call>', PWD),
    Leak("hermes-name-first", '<tool_call>\nBash\n{"command": "pwd"}\n</tool_call>', PWD),
    Leak(
        "hermes-fenced",
        '<tool_call>\n```json\n{"name": "Bash", "arguments": {"command": "pwd"}}\n```\n</tool_call>',
        PWD,
    ),
    Leak("hermes-name-in-tag", '<tool_call name="Bash">{"command": "pwd"}</tool_call>', PWD),
    Leak(
        "hermes-raw-line-end",
        '<tool_call>{"name": "Bash", "arguments": {"command": "a\nb"}}</tool_call>',
        [("Bash", {"command": "a\nb"})],
    ),
    Leak("hermes-tools-tag", '<tools>\n{"name": "Bash", "arguments": {"command": "pwd"}}\n</tools>', PWD),
    Leak(
        "hermes-wrong-end", '<tool_call>{"name": "Bash", "arguments": {"command": "pwd"}}</parameter></tool_call>', PWD
    ),
    Leak(
        "hermes-tag-in-a-string",
        '<tool_call>{"name": "Bash", "arguments": {"command": "grep \\"</tool_call>\\" *.md"}}</tool_call> Done.',
        [("Bash", {"command": 'grep "</tool_call>" *.md'})],
        " Done.",
    ),
    Leak(
        "hermes-coerced",
        '<tool_call>{"name": "Read", "arguments": {"file_path": "/a.py", "offset": "5", "limit": 10}}</tool_call>',
        READ,
    ),
    Leak(
        "qwen-coder",
        "<tool_call>\n<function=Read>\n<parameter=file_path>\n/a.py\n</parameter>\n<parameter=offset>\n5\n"
        "</parameter>\n"
        "<parameter=limit>\n10\n</parameter>\n</function>\n</tool_call>",
        READ,
    ),
    Leak(
        "qwen-coder-no-wrapper",
        "Now:\n<function=Bash>\n<parameter=command>\npwd\n</parameter>\n</function>",
        PWD,
        "Now:\n",
    ),
    Leak(
        "qwen-coder-no-opening-tag", "<function=Bash><parameter=command>pwd</parameter></function>\n</tool_call>", PWD
    ),
    Leak(
        "qwen-coder-end-of-parameter-missing",
        "<tool_call>\n<function=Bash>\n<parameter=command>\npwd\n</function>\n</tool_call>",
        PWD,
    ),
    Leak(
        "qwen-coder-end-of-first-parameter-missing",
        "<function=Write>\n<parameter=file_path>\n/x\n<parameter=content>\nhello\n</parameter>\n</function>",
        [("Write", {"file_path": "/x", "content": "hello"})],
    ),
    Leak(
        "qwen-coder-end-that-nothing-opened",
        "<tool_call>\n<function=Bash>\n<parameter=command>\npwd\n</parameter>\n</function>\n</function>\n"
        "</function_invocation>",
        PWD,
    ),
    Leak(
        "qwen-coder-code",
        f"<function=Write>\n<parameter=file_path>\n/tmp/f.py\n</parameter>\n<parameter=content>\n{CODE}\n"
        f"</parameter>\n</function>",
        WRITE,
    ),
    Leak(
        "qwen-coder-markup-in-a-value",
        "<function=Write>\n<parameter=file_path>\n/x\n</parameter>\n<parameter=content>\nEnd it with </parameter> and "
        "</function>, then go on.\n</parameter>\n</function>",
        [("Write", {"file_path": "/x", "content": "End it with </parameter> and </function>, then go on."})],
    ),
    *(
        Leak(f"value-that-is-an-element-of-the-parameter's-name-{number}", raw, XML)
        for number, raw in enumerate(
            (
                "<function=Write>\n<parameter=file_path>\n/a.xml\n</parameter>\n<parameter=content>\n"
                "<content>x</content>\n</parameter>\n</function>",
                '<invoke name="Write">\n<parameter name="file_path">/a.xml</parameter>\n'
                '<parameter name="content"><content>x</content></parameter>\n</invoke>',
                '<｜DSML｜invoke name="Write">\n<｜DSML｜parameter name="file_path" string="true">/a.xml'
                '</｜DSML｜parameter>\n<｜DSML｜parameter name="content" string="true"><content>x</content>'
                "</｜DSML｜parameter>\n</｜DSML｜invoke>",
                _k3("Write", ("file_path", "string", "/a.xml"), ("content", "string", "<content>x</content>")),
            )
        )
    ),
    *(
        Leak(
            f"value-that-ends-in-what-looks-like-a-slip-{number}",
            f"{before}{value}{after}",
            [("Write", {"file_path": "/a.xml", "content": value})],
        )
        for number, (value, (before, after)) in enumerate(
            product(
                ("<parameters>\n  <p>1</p>\n</parameters>", "x </parameterList>", "1\n</contentType>"),
                (
                    (
                        "<function=Write>\n<parameter=file_path>\n/a.xml\n</parameter>\n<parameter=content>\n",
                        "\n</parameter>\n</function>",
                    ),
                    (
                        '<invoke name="Write">\n<parameter name="file_path">/a.xml</parameter>\n'
                        '<parameter name="content">',
                        "</parameter>\n</invoke>",
                    ),
                    (
                        '<｜DSML｜invoke name="Write">\n<｜DSML｜parameter name="file_path" string="true">/a.xml'
                        '</｜DSML｜parameter>\n<｜DSML｜parameter name="content" string="true">',
                        "</｜DSML｜parameter>\n</｜DSML｜invoke>",
                    ),
                ),
            )
        )
    ),
    Leak(
        "qwen-coder-half-of-an-end-before-the-next-parameter",
        "<function=Read>\n<parameter=file_path>\n/a.py\n</parameter\n<parameter=offset>\n5\n</parameter>\n"
        "<parameter=limit>\n10\n</parameter>\n</function>",
        READ,
    ),
    Leak("qwen-coder-json-body", '<function=Bash>{"command": "pwd"}</function>', PWD),
    Leak("qwen-coder-attribute", '<function name="Bash"><param name="command">pwd</param></function>', PWD),
    Leak(
        "qwen-coder-name-inside",
        '<function>\n<name>Bash</name>\n<parameter name="command">pwd</parameter>\n</function>',
        PWD,
    ),
    Leak(
        "seed",
        "<seed:tool_call>\n<function=Bash>\n<parameter=command>pwd</parameter>\n</function>\n</seed:tool_call>",
        PWD,
    ),
    Leak(
        "qwen-coder-types",
        '<function=mcp__db__query>\n<parameter=sql>\n42\n</parameter>\n<parameter=options>\n{"dry": true}\n'
        "</parameter>\n"
        "<parameter=rows>\n7\n</parameter>\n<parameter=tenant>\nNone\n</parameter>\n<parameter=mode>\nexact\n"
        "</parameter>\n</function>",
        [("mcp__db__query", {"sql": "42", "options": {"dry": True}, "rows": 7, "tenant": None, "mode": "exact"})],
    ),
    # DeepSeek's DSML
    *(
        Leak(f"dsml-{number}-{wrapper}", _dsml(bars, wrapper), READ)
        for number, bars in enumerate(("｜", "｜｜", "‖", "‖‖", "|", "||"))
        for wrapper in ("tool_calls", "function_calls")
    ),
    Leak("dsml-spaces", _dsml("｜｜").replace("DSML｜｜", "DSML｜｜ "), READ),
    *(
        Leak(f"dsml-spaces-{number}", _dsml("｜").replace("<｜DSML｜", start).replace("</｜DSML｜", end), READ)
        for number, (start, end) in enumerate(
            [("<| DSML | ", "</| DSML | "), ("< | DSML | ", "</ | DSML | "), ("< ｜｜DSML｜｜", "</ ｜｜DSML｜｜")]
        )
    ),
    *(Leak(f"dsml-{wrapper}", _dsml("｜", wrapper), READ) for wrapper in ("toolcalls", "tool_use", "_tool_calls")),
    Leak("dsml-v4.1", _dsml("｜", "calls").replace("DSML｜", "DSML｜ "), READ),
    Leak(
        "dsml-name-and-fenced-json",
        'Reading.\n\n<｜DSML｜toolcall>Read\n\n```json\n{"file_path":"/a.py","offset":5,"limit":10}\n```',
        READ,
        "Reading.\n\n",
    ),
    Leak(
        "dsml-tool-as-tag",
        "<｜DSML｜Read>\n <｜DSML｜file_path>/a.py</｜DSML｜file_path>\n <offset>5</offset>\n <limit>10</limit>\n"
        "</｜DSML｜invoke>",
        READ,
    ),
    Leak("dsml-tool-as-tag-closed", "<｜DSML｜Bash>\n <command>pwd</command>\n</｜DSML｜Bash>", PWD),
    Leak(
        "dsml-tool-as-tag-with-json", '<｜DSML｜tool_calls>\n<｜DSML｜Bash>\n{"command": "pwd"}\n</｜DSML｜Bash>', PWD
    ),
    Leak("dsml-no-wrapper", _dsml("｜").split("\n", 1)[1].rsplit("\n", 1)[0], READ),
    Leak("dsml-wrapper-not-closed", "Reading.\n\n" + _dsml("｜").rsplit("\n", 1)[0], READ, "Reading.\n\n"),
    Leak("dsml-wrapper-tag-not-finished", _dsml("｜").replace("tool_calls>", "tool_calls", 1), READ),
    Leak("dsml-invoke-not-closed", _dsml("｜").replace("</｜DSML｜invoke>\n", ""), READ),
    Leak(
        "dsml-quotes",
        _dsml("｜").replace(' name="', " name=“").replace('" string="', "” string=“").replace('">', "”>"),
        READ,
    ),
    *(
        Leak(
            f"dsml-parameter-not-closed-{number}",
            _dsml("｜").replace(f"{value}</｜DSML｜parameter>\n", f"{value}{end}"),
            READ,
        )
        for number, (value, end) in enumerate(
            product(("/a.py", "10"), ("", "\n", "</｜DSML｜parameter\n", "</｜DSML｜parameter |\n"))
        )
    ),
    Leak("dsml-mixed-ends", _dsml("｜｜").replace("<｜｜DSML｜｜parameter", "<parameter"), READ),
    Leak("dsml-odd-attribute", _dsml("｜").replace('string="true"', 'string="yes"'), READ),
    Leak(
        "dsml-self-closing",
        '<｜DSML｜function_calls>\n<｜DSML｜invoke name="ListTasks"/>\n</｜DSML｜function_calls>',
        [("ListTasks", {})],
    ),
    *(
        Leak(
            f"dsml-arguments-one-level-too-deep-{number}",
            f'<｜DSML｜invoke name="Bash">\n{body}\n</｜DSML｜invoke>',
            PWD,
        )
        for number, body in enumerate(
            (
                '{"arguments": {"command": "pwd"}}',
                '<｜DSML｜parameter name="arguments" string="false">{"command": "pwd"}</｜DSML｜parameter>',
                '<｜DSML｜parameter name="input" string="true">{"command": "pwd"}</｜DSML｜parameter>',
                '<｜DSML｜parameter name="arguments" string="true">pwd</｜DSML｜parameter>',
            )
        )
    ),
    Leak("dsml-json-body", '<｜DSML｜invoke name="Bash">\n{\n  "command": "pwd"\n}\n</｜DSML｜invoke>', PWD),
    Leak(
        "dsml-text-that-looks-like-a-number",
        '<｜DSML｜invoke name="Bash"><｜DSML｜parameter name="command" string="true">true</｜DSML｜parameter>'
        "</｜DSML｜invoke>",
        [("Bash", {"command": "true"})],
    ),
    Leak(
        "dsml-second-one-opens-before-the-first-ends",
        '<｜DSML｜tool_calls><｜DSML｜invoke name="Bash"><｜DSML｜parameter name="command" string="true">ls '
        "-la</｜DSML｜parameter>"
        '<｜DSML｜invoke name="Read"><｜DSML｜parameter name="file_path" '
        'string="true">/etc/hosts</｜DSML｜parameter></｜DSML｜invoke>'
        "</｜DSML｜tool_calls>",
        TWO,
    ),
    # DeepSeek V3 and V3.1
    Leak(
        "deepseek-v3",
        "<｜tool▁calls▁begin｜>" + _deepseek("function", FENCED_PWD) + "<｜tool▁calls▁end｜><｜end▁of▁sentence｜>",
        PWD,
    ),
    Leak("deepseek-v3-no-section", _deepseek("function", FENCED_PWD), PWD),
    Leak("deepseek-v3-no-fence", _deepseek("function", 'Bash\n{"command": "pwd"}'), PWD),
    Leak(
        "deepseek-v3.1-two",
        "<｜tool▁calls▁begin｜>" + _deepseek("Bash", LS_JSON) + _deepseek("Read", HOSTS_JSON) + "<｜tool▁calls▁end｜>",
        TWO,
    ),
    Leak("deepseek-v3.1-ascii", _deepseek("Bash", '{"command": "pwd"}').replace("｜", "|").replace("▁", "_"), PWD),
    Leak("deepseek-v3.1-spaces", _deepseek("Bash", PWD_JSON).replace("▁", " "), PWD),
    # GLM
    Leak(
        "glm",
        "<tool_call>Read\n<arg_key>file_path</arg_key>\n<arg_value>/a.py</arg_value>\n<arg_key>offset</arg_key>\n"
        "<arg_value>5</arg_value>\n"
        "<arg_key>limit</arg_key>\n<arg_value>10</arg_value>\n</tool_call>",
        READ,
    ),
    Leak(
        "glm-one-line",
        "Checking.<tool_call>Bash<arg_key>command</arg_key><arg_value>pwd</arg_value></tool_call>",
        PWD,
        "Checking.",
    ),
    Leak("glm-value-not-opened", "<tool_call>Bash<arg_key>command</arg_key>pwd</arg_value></tool_call>", PWD),
    Leak(
        "glm-first-value-not-opened",
        "<tool_call>Read<arg_key>file_path</arg_key>/a.py</arg_value><arg_key>offset</arg_key><arg_value>5</arg_value>"
        "<arg_key>limit</arg_key>\n10</arg_value></tool_call>",
        READ,
    ),
    Leak(
        "glm-key-opened-twice",
        "<tool_call>Bash\n<arg_key><arg_key>command</arg_key><arg_value>pwd</arg_value></tool_call>",
        PWD,
    ),
    Leak(
        "glm-key-closed-twice",
        "<tool_call>Bash<arg_key>command</arg_key></arg_key><arg_value>pwd</arg_value></tool_call>",
        PWD,
    ),
    Leak("glm-unterminated", "<tool_call>Bash<arg_key>command</arg_key><arg_value>pwd</arg_value>", PWD),
    Leak("glm-no-arguments", "<tool_call>ListTasks\n</tool_call>", [("ListTasks", {})]),
    Leak(
        "glm-list",
        '<tool_call>TodoWrite<arg_key>todos</arg_key><arg_value>[{"content": "a", "done": false}]</arg_value>'
        "</tool_call>",
        [("TodoWrite", {"todos": [{"content": "a", "done": False}]})],
    ),
    Leak(
        "glm-markup-in-a-value",
        "<tool_call>Bash<arg_key>command</arg_key><arg_value>echo '</arg_value>' x</arg_value></tool_call>",
        [("Bash", {"command": "echo '</arg_value>' x"})],
    ),
    # MiniMax
    Leak(
        "minimax-m2",
        '<minimax:tool_call>\n<invoke name="Read">\n<parameter name="file_path">/a.py</parameter>\n<parameter '
        'name="offset">5</parameter>\n'
        '<parameter name="limit">10</parameter>\n</invoke>\n</minimax:tool_call>',
        READ,
    ),
    *(
        Leak(
            f"minimax-m3-elements-in-elements-{number}",
            _m3(f'<invoke name="{name}">', said, "</invoke>"),
            [(name, arguments)],
        )
        for number, (name, said, arguments) in enumerate(
            (
                (
                    "TodoWrite",
                    _m3("<todos><item><content>", "Read <b>\n", "</content><id>", "1", "</id></item></todos>"),
                    {"todos": [{"content": "Read <b>\n", "id": "1"}]},
                ),
                ("TodoWrite", _m3("<todos></todos>"), {"todos": []}),
                (
                    "mcp__db__query",
                    _m3("<sql>", "\n1\n", "</sql><options><a>", "x", "</a><b><item>", "y", "</item></b></options>"),
                    {"sql": "\n1\n", "options": {"a": "x", "b": ["y"]}},
                ),
                (
                    "mcp__db__query",
                    _m3(
                        "<sql>", "1", "</sql><options><a>", "x", "</a><a>", "y", "</a></options><rows>", "5", "</rows>"
                    ),
                    {"sql": "1", "options": {"a": ["x", "y"]}, "rows": 5},
                ),
            )
        )
    ),
    Leak(
        "minimax-m3",
        "Next.]<]minimax[>[<tool_call>\n]<]minimax[>[<invoke "
        'name="Bash">]<]minimax[>[<command>pwd]<]minimax[>[</command>'
        "]<]minimax[>[</invoke>\n]<]minimax[>[</tool_call>",
        PWD,
        "Next.",
    ),
    Leak(
        "minimax-m3-first-mark-missing",
        "<tool_call>\n]<]minimax[>[<invoke "
        'name="Bash">]<]minimax[>[<command>pwd]<]minimax[>[</command>]<]minimax[>[</tool_call>',
        PWD,
    ),
    Leak(
        "minimax-m1",
        '<tool_calls>\n{"name": "Bash", "arguments": {"command": "ls -la"}}\n{"name": "Read", "arguments": '
        '{"file_path": "/etc/hosts"}}\n</tool_calls>',
        TWO,
    ),
    Leak(
        "minimax-m1-bad-line",
        '<tool_calls>\n{"name": "Bash", "arguments": {"command": "ls -la"}}\n{what is this}\n{"name": "Read", '
        '"arguments": {"file_path": "/etc/hosts"}}\n</tool_calls>',
        TWO,
    ),
    # Anthropic's form
    Leak(
        "invoke",
        '<function_calls>\n<invoke name="Bash">\n<parameter name="command">pwd</parameter>\n</invoke>\n'
        "</function_calls>",
        PWD,
    ),
    Leak(
        "invoke-with-prefix",
        '<function_calls><invoke name="Bash"><parameter name="command">pwd</parameter></invoke></function_calls>'.replace(
            "<", "<antml:"
        ).replace("<antml:/", "</antml:"),
        PWD,
    ),
    Leak(
        "invoke-two",
        'call\n<invoke name="Bash">\n<parameter name="command">ls -la</parameter>\n</invoke>\n<invoke name="Read">\n'
        '<parameter name="file_path">/etc/hosts</parameter>\n</invoke>',
        TWO,
        "call\n",
    ),
    Leak("invoke-attributes", '<invoke name="Bash"><parameter name="command" value="pwd"/></invoke>', PWD),
    Leak(
        "invoke-children",
        '<invoke name="Bash">\n  <command>pwd</command>\n  <timeout>30</timeout>\n</invoke>',
        [("Bash", {"command": "pwd", "timeout": 30})],
    ),
    Leak("invoke-block-value", '<invoke name="Bash">\n<parameter name="command">\npwd\n</parameter>\n</invoke>', PWD),
    Leak(
        "invoke-parameters-element", '<invoke name="Bash"><parameters><command>pwd</command></parameters></invoke>', PWD
    ),
    # Mistral
    Leak(
        "mistral",
        '[TOOL_CALLS] [{"name": "Bash", "arguments": {"command": "ls -la"}}, {"name": "Read", "arguments": '
        '{"file_path": "/etc/hosts"}}]',
        TWO,
    ),
    Leak(
        "mistral-with-id", '[TOOL_CALLS][{"name": "Bash", "arguments": {"command": "pwd"}, "id": "abc123def"}]</s>', PWD
    ),
    Leak("mistral-v11", '[TOOL_CALLS]Bash{"command": "ls -la"}[TOOL_CALLS]Read{"file_path": "/etc/hosts"}', TWO),
    Leak("mistral-v13", 'Sure.[TOOL_CALLS]Bash[CALL_ID]abc123def[ARGS]{"command": "pwd"}', PWD, "Sure."),
    Leak("mistral-spaces", '[TOOL_CALLS] Bash [ARGS] {"command": "pwd"}', PWD),
    Leak("mistral-args", '[TOOL_CALLS]Bash[ARGS]{"command": "pwd"}', PWD),
    # Llama and Python calls
    Leak("llama-bare", '{"name": "Bash", "parameters": {"command": "pwd"}}', PWD),
    Leak("llama-bare-typed", '{"type": "function", "name": "Bash", "parameters": {"command": "pwd"}}<|eom_id|>', PWD),
    Leak(
        "llama-bare-two",
        '{"name": "Bash", "parameters": {"command": "ls -la"}}; {"name": "Read", "parameters": {"file_path": '
        '"/etc/hosts"}}',
        TWO,
    ),
    Leak("llama-bare-list", '[{"name": "Bash", "arguments": {"command": "pwd"}}]', PWD),
    Leak("llama-python-tag", '<|python_tag|>{"name": "Bash", "parameters": {"command": "pwd"}}<|eom_id|>', PWD),
    Leak("llama-python-tag-call", '<|python_tag|>Bash.call(command="pwd")', PWD),
    Leak("llama-4", "<|python_start|>[Bash(command='ls -la'), Read(file_path=\"/etc/hosts\")]<|python_end|>", TWO),
    Leak("llama-python-bare", '[Read(file_path="/a.py", offset=5, limit=10)]', READ),
    Leak(
        "olmo3-two-lines",
        '<function_calls>\nBash(command="ls -la")\nRead(file_path="/etc/hosts")\n</function_calls>',
        TWO,
    ),
    Leak("phi4-mini", 'functools[{"name": "Bash", "arguments": {"command": "pwd"}}]', PWD),
    Leak("longcat", f'<longcat_tool_call>\n{{"name": "Bash", "arguments": {PWD_JSON}}}\n</longcat_tool_call>', PWD),
    Leak(
        "longcat-pairs",
        "Now:<longcat_tool_call>Bash\n<longcat_arg_key>command</longcat_arg_key>\n"
        "<longcat_arg_value>pwd</longcat_arg_value>\n</longcat_tool_call>",
        PWD,
        "Now:",
    ),
    *(
        Leak(
            f"{family}-{number}",
            f'{before}<{space}invoke name="Read">\n<{space}parameter name="file_path">/a.py</{space}parameter>\n'
            f'<{space}parameter name="offset">5</{space}parameter>\n'
            f'<{space}parameter name="limit">10</{space}parameter>\n</{space}invoke>{behind}',
            READ,
        )
        for family, space, before, behind in (
            ("muse", "atem:", "<atem:function_calls>\n", "\n</atem:function_calls>"),
            (
                "step3",
                "steptml:",
                "<｜tool_calls_begin｜>\n<｜tool_call_begin｜>function<｜tool_sep｜>",
                "<｜tool_call_end｜>\n<｜tool_calls_end｜>",
            ),
        )
        for number, (before, behind) in enumerate(((before, behind), ("", "")))
    ),
    *(
        Leak(f"hunyuan3-{number}", f"<tool_calls>\n<tool_call>{said}</tool_call>\n</tool_calls>", calls)
        for number, (said, calls) in enumerate(
            (
                ("Bash<tool_sep>\n<arg_key>command</arg_key>\n<arg_value>pwd</arg_value>\n", PWD),
                ("ListTasks<tool_sep>", [("ListTasks", {})]),
            )
        )
    ),
    Leak("llama-4-dashes", "<|python_start|>[Grep(pattern='<T>', -n=True, -A=3, path='src')]<|python_end|>", GREP),
    Leak("lfm2", '<|tool_call_start|>[Bash(command="pwd")]<|tool_call_end|>', PWD),
    Leak("olmo", '<function_calls>\nBash(command="pwd")\n</function_calls>', PWD),
    Leak(
        "python-true",
        '<|python_start|>[Bash(command="pwd", run_in_background=True)]',
        [("Bash", {"command": "pwd", "run_in_background": True})],
    ),
    # gpt-oss
    Leak(
        "harmony", '<|channel|>commentary to=functions.Bash <|constrain|>json<|message|>{"command": "pwd"}<|call|>', PWD
    ),
    Leak(
        "harmony-start",
        '<|start|>assistant<|channel|>commentary to=functions.Bash json<|message|>{"command": "pwd"}<|call|>',
        PWD,
    ),
    Leak(
        "harmony-recipient-first",
        '<|start|>assistant to=functions.Bash<|channel|>commentary<|message|>{"command":"pwd"}<|call|>',
        PWD,
    ),
    Leak("harmony-bare-recipient", '<|channel|>commentary to=Bash<|message|>{"command": "pwd"}', PWD),
    Leak(
        "harmony-analysis-channel",
        '<|channel|>analysis to=functions.Bash code<|message|>{"command": "pwd"}<|call|>',
        PWD,
    ),
    # Gemma
    Leak("gemma-4", '<|tool_call>call:Read{file_path:<|"|>/a.py<|"|>,offset:5,limit:10}<tool_call|>', READ),
    Leak(
        "gemma-4-code",
        f'<|tool_call>call:Write{{file_path:<|"|>/tmp/f.py<|"|>,content:<|"|>{CODE}<|"|>}}<tool_call|>',
        WRITE,
    ),
    Leak(
        "gemma-4-dashes",
        '<|tool_call>call:Grep{pattern:<|"|><T><|"|>,-n:true,-A:3,path:<|"|>src<|"|>}<tool_call|>',
        GREP,
    ),
    Leak("gemma-4-plain-quotes", '<|tool_call>call:Bash{command:"pwd"}<tool_call|>', PWD),
    Leak("function-gemma", "<start_function_call>call:Bash{command:<escape>pwd<escape>}<end_function_call>", PWD),
    # Others
    Leak("nemotron", '<TOOLCALL>[{"name": "Bash", "arguments": {"command": "pwd"}}]</TOOLCALL><SPECIAL_12>', PWD),
    Leak("granite", '<|tool_call|>[{"name": "Bash", "arguments": {"command": "pwd"}}]', PWD),
    Leak("phi", '<|tool_call|>[{"name": "Bash", "arguments": {"command": "pwd"}}]<|/tool_call|>', PWD),
    Leak(
        "cohere",
        '<|START_ACTION|>[\n  {"tool_call_id": "0", "tool_name": "Bash", "parameters": {"command": "pwd"}}\n'
        "]<|END_ACTION|>",
        PWD,
    ),
    Leak(
        "internlm", '<|action_start|><|plugin|>\n{"name": "Bash", "parameters": {"command": "pwd"}}<|action_end|>', PWD
    ),
    Leak("apertus", '<|tools_prefix|>[{"Bash": {"command": "pwd"}}]<|tools_suffix|>', PWD),
    # Around calls
    Leak(
        "text-behind",
        '<tool_call>{"name": "Bash", "arguments": {"command": "pwd"}}</tool_call>\n\nThat will tell.',
        PWD,
        "\n\nThat will tell.",
    ),
    Leak(
        "mention-and-call",
        'The tag <tool_call> is mine.\n<tool_call>{"name": "Bash", "arguments": {"command": "pwd"}}</tool_call>',
        PWD,
        "The tag <tool_call> is mine.\n",
    ),
    Leak(
        "unknown-and-known",
        '<tool_call>{"name": "Nope", "arguments": {}}</tool_call><tool_call>{"name": "Bash", "arguments": '
        '{"command": "pwd"}}</tool_call>',
        PWD,
        '<tool_call>{"name": "Nope", "arguments": {}}</tool_call>',
    ),
    Leak(
        "after-a-closed-fence",
        '```xml\n<tool_call>\n```\n<tool_call>{"name": "Bash", "arguments": {"command": "pwd"}}</tool_call>',
        PWD,
        "```xml\n<tool_call>\n```\n",
    ),
    Leak(
        "after-code-spans",
        'Run `pwd` ``a`b``: <tool_call>{"name": "Bash", "arguments": {"command": "pwd"}}</tool_call>',
        PWD,
        "Run `pwd` ``a`b``: ",
    ),
    Leak(
        "begun-again",
        "<tool_call>\n<function=Bash>\n<tool_call>\n<function=Bash>\n<parameter=command>\npwd\n</parameter>\n"
        "</function>\n</tool_call>",
        PWD,
        "<tool_call>\n<function=Bash>\n",
    ),
]
