"""Texts that only look like tool calls: they must pass byte for byte, whatever tools are declared."""

_CALL = '<tool_call>\n{"name": "Bash", "arguments": {"command": "pwd"}}\n</tool_call>'
_INVOKE = '<invoke name="Bash">\n<parameter name="command">pwd</parameter>\n</invoke>'
_KIMI = '<|tool_call_begin|>functions.Bash:0<|tool_call_argument_begin|>{"command": "pwd"}<|tool_call_end|>'

NEGATIVE = {
    # Quoted as code
    "fence": f"The format is:\n\n```xml\n{_CALL}\n```\n\nNothing else.",
    "fence-tildes": f"~~~\n{_CALL}\n~~~\n",
    "fence-long": f"````md\n```\n{_CALL}\n```\n````\n",
    "fence-in-list": f"1. Write\n   ```\n   {_CALL}\n   ```\n2. Done",
    "fence-in-fence": f"```markdown\n# Doc\n```xml\n{_CALL}\n```\nMore.\n```\n\nThat is all.",
    "fence-behind-a-span-of-three": f"```npm install```\n\nThen:\n\n```xml\n{_CALL}\n```\nDone.",
    "fence-unclosed": f"```\n{_CALL}",
    "fence-with-info": f'```xml title="a"\n{_INVOKE}\n```',
    "inline": 'Models write `<tool_call>{"name": "Bash", "arguments": {"command": "pwd"}}</tool_call>` for a call.',
    "inline-double": '``<tool_call>{"name": "Bash", "arguments": {}}</tool_call>``',
    "inline-kimi": f"Kimi writes `{_KIMI}` here.",
    "inline-mistral": 'It begins with `[TOOL_CALLS]Bash{"command": "pwd"}` and ends.',
    "inline-dsml": (
        'DeepSeek: `<｜DSML｜invoke name="Bash"><｜DSML｜parameter name="command" '
        'string="true">pwd</｜DSML｜parameter></｜DSML｜invoke>`.'
    ),
    "block-quote": f"> {_INVOKE.replace(chr(10), chr(10) + '> ')}\n\nas the docs say",
    # Talked about
    "prose-tags": "Use <tool_call> to open and </tool_call> to close.",
    "prose-empty-pair": "Put it between <tool_call></tool_call> tags, please.",
    "prose-function": "The tag <function=name> opens it, <parameter=key> follows.",
    "prose-invoke": 'An <invoke name="..."> element holds <parameter> elements.',
    "prose-kimi": "The token <|tool_calls_section_begin|> comes first, then <|tool_call_begin|>, and so on.",
    "prose-dsml": "DeepSeek's <｜DSML｜function_calls> block, and <|DSML|invoke, and ‖DSML‖.",
    "prose-dsml-names": "Its tags are <｜DSML｜Bash>, < | DSML | Read> or <｜DSML｜ListTasks>, closed by </｜DSML｜invoke>.",
    "prose-dsml-wrapper": "<｜DSML｜anything>\n\n</｜DSML｜anything>\n\n<｜DSML｜toolcall>Bash is how it begins.",
    "prose-fence-in-tag": "<tool_call>\n```json\n{}\n```\n</tool_call>\n<tool_call>\n```python\nBash()\n```\n</tool_call>",
    "prose-mistral": "Mistral's [TOOL_CALLS] marker [TOOL_CALLS], see [ARGS].",
    "prose-harmony": "A <|channel|> may be analysis, commentary or final; <|start|>assistant begins a message.",
    "prose-harmony-mid": "So: <|channel|>analysis<|message|>thinking<|end|> is how it thinks.",
    "prose-glm": "GLM uses <arg_key>k</arg_key><arg_value>v</arg_value> pairs in a <tool_call>.",
    "prose-name-begins": "<tool_call>Bashful people do not call.",
    "prose-functools": "functools[0] is no Python; functools[{'a': 1}] neither, and functools.wraps is.",
    "prose-python": "<|python_tag|> is followed by code: <|python_tag|>print(1)",
    "prose-gemma": "Gemma: <|tool_call>call:unknown{a:1}<tool_call|>",
    "prose-lonely-tokens": "It ended with <|im_end|>, </s>, <|eot_id|>, <|call|> and <|tool_call_end|>.",
    "prose-control-in-code": 'if (x <|foo|> y) { return "<|bar|>"; } // <|end|>',
    "prose-closing-tags": "</tool_call></function></invoke>",
    # Not declared, not whole
    "undeclared-hermes": '<tool_call>{"name": "Launch", "arguments": {"x": 1}}</tool_call>',
    "undeclared-kimi": _KIMI.replace("Bash", "Launch"),
    "undeclared-invoke": _INVOKE.replace("Bash", "Launch"),
    "undeclared-function": "<function=Launch>\n<parameter=a>\n1\n</parameter>\n</function>",
    "undeclared-mistral": '[TOOL_CALLS] [{"name": "Launch", "arguments": {}}]',
    "undeclared-harmony": 'x <|channel|>commentary to=functions.Launch<|message|>{"a": 1}<|call|>',
    "undeclared-glm": "<tool_call>Launch<arg_key>a</arg_key><arg_value>1</arg_value></tool_call>",
    "undeclared-dsml": (
        '<｜DSML｜invoke name="Launch"><｜DSML｜parameter name="a" string="true">1</｜DSML｜parameter></｜DSML｜invoke>'
    ),
    "broken-json": '<tool_call>{"name": "Bash", "arguments": {command pwd}}</tool_call>',
    "broken-attribute": '<invoke name="Bash"><parameter name="command>pwd</parameter></invoke>"',
    "broken-attribute-line": '<invoke name="Bash">\n<parameter name="a>b\n</x" string="true">pwd</parameter>\n</invoke>',
    "broken-nothing": "<tool_call>{}</tool_call>",
    "broken-no-name": '<tool_call>{"arguments": {"command": "pwd"}}</tool_call>',
    "broken-kimi-json": "<|tool_call_begin|>functions.Bash:0<|tool_call_argument_begin|>command=pwd<|tool_call_end|>",
    "cut-in-a-string": '<tool_call>\n{"name": "Bash", "arguments": {"command": "rm -rf /tmp/',
    "cut-in-a-parameter": "<function=Write>\n<parameter=file_path>\n/x\n</parameter>\n<parameter=content>\nhalf of",
    "cut-before-the-end": '<invoke name="Bash">\n<parameter name="command">pwd</parameter>',
    "cut-header": "<|tool_calls_section_begin|><|tool_call_begin|>functions.Ba",
    "minimax-elements-not-whole": (
        ']<]minimax[>[<invoke name="TodoWrite">]<]minimax[>[<todos>]<]minimax[>[<item>a]<]minimax[>[</todos>'
        "]<]minimax[>[</invoke>"
    ),
    "minimax-words-between-elements": (
        ']<]minimax[>[<invoke name="TodoWrite">]<]minimax[>[<todos>these:]<]minimax[>[<item>a]<]minimax[>[</item>'
        "]<]minimax[>[</todos>]<]minimax[>[</invoke>"
    ),
    "cut-dsml": '<｜DSML｜tool_calls>\n<｜DSML｜invoke name="Bash">\n<｜DSML｜parameter name="command" str',
    "text-between-parameters": '<invoke name="Bash">Now the <parameter name="command">pwd</parameter></invoke>',
    # Bare JSON and lists that are answers
    "json-answer": '{"result": [1, 2, 3], "name": "Bash"}',
    "json-call-and-text": '{"name": "Bash", "parameters": {"command": "pwd"}}\n\nThat is how the call would look.',
    "json-declaration": (
        '{"name": "Read", "description": "Reads", "parameters": {"type": "object", "properties": {"file_path": {}}}}'
    ),
    "json-declarations": (
        '[{"type": "function", "function": {"name": "ListTasks", "parameters": {"type": "object", "properties": {}}}}]'
    ),
    "json-declaration-of-another-api": '{"name": "ListTasks", "input_schema": {"type": "object"}}',
    "tags-declaration": '<tools>\n{"name": "Read", "parameters": {"type": "object", "properties": {}}}\n</tools>',
    "json-name-only": '{"name": "Bash"}',
    "json-package": '{"name": "bash", "version": "1.0.0", "parameters": "none"}',
    "json-behind-text": 'Call it so:\n{"name": "Bash", "parameters": {"command": "pwd"}}',
    "list-answer": '["Bash", "Read"]',
    "checkbox": "[ ] Bash\n[x] Read",
    "link": "[Read](https://example.org/read) the docs [TOOL",
    "python-list": "[Launch(1), Bash]",
    "markup-html": "<div><input name='a'/><param name=\"x\">1</param><br></div> <b>bold</b> a<b && c>d",
    "markup-jsx": 'return <Tool onCall={() => invoke("x")}><Function name={n}/></Tool>',
    "half-marks": "<tool_cal <tool_ca <|tool_calls_section_beg <｜DSM [TOOL_CALL ]<]minimax[> <thin ◁thin",
    "ends-in-half-a-mark": "and then <|tool_calls_sec",
    "xml-tools": "<tools>\n<tool>hammer</tool>\n<tool>saw</tool>\n</tools>",
    "xml-function": "<function>\n<body>x</body>\n</function>",
    "xml-empty": "<tools></tools>\n<function></function>\n<invoke></invoke>",
}
