"""Calls written in tags: Qwen and Hermes, GLM, MiniMax, DeepSeek's DSML, Anthropic's form, Kimi K3, Seed, Nemotron.

    [wrapper]* entry          entry: <invoke name="Read"> or <function=Read>, parameters, and its end
    wrapper+ objects          Hermes, MiniMax M1, Nemotron, Granite
    wrapper+ name …           GLM (<arg_key>), and a name with JSON or Python arguments behind it

DeepSeek makes up names for its tags: one that is a tool's is an entry, `<｜DSML｜Read>`, and any other a wrapper.

One entry is read at a time. A further one in the same wrapper is found by its own opening tag, and the tags that close
wrappers are dropped after a call. So a wrapper may be missing, may be the wrong one, and need not be closed.
"""

import re
from collections.abc import Collection

from ..wire.codec import InvalidJSON, loads
from .elements import value_of
from .json_calls import Item, json_calls, object_text, python_arguments, python_calls
from .lenient_json import Unreadable, read_object
from .schema import Value, required
from .source import CutOff, Refuted, Source, Steps, Unfinished
from .tags import (
    DSML,
    INNER_CALL,
    INNER_GLM_CALL,
    LONGEST_CLOSING,
    MINIMAX_MARK,
    Nesting,
    Tag,
    closing,
    misspelt_closing,
    peek_tag,
    take,
)
from .toolbox import Call, Toolbox

WRAPPERS = frozenset(
    ("tool_call", "tool_calls", "function_call", "function_calls", "calls", "tools", "tool", "TOOLCALL", "toolcall")
)
_ENTRIES = frozenset(("invoke", "function", "call"))
_PARAMETERS = frozenset(("parameter", "param", "argument"))
_CONTAINERS = frozenset(("parameters", "arguments", "args", "input"))
_MAX_WRAPPERS = 2
_MAY_BE_EMPTY = frozenset(("tool_call", "tool_calls", "function_calls"))
# Qwen3.6 closes a function_invocation that it has not opened (QwenLM/Qwen3.8 #178).
CLOSES_A_CALL = WRAPPERS | _ENTRIES | _PARAMETERS | _CONTAINERS | {"message", "function_invocation"}
_NAMES = frozenset(("name", "tool_name"))
# A parameter of <function=…> whose end was left out: the next one begins a line, or function and wrapper end.
_LEFT_OUT = r"\n?(?=</function>\s{0,8}</(?:seed:)?tool_call>)|\n(?=<parameter=[^<>\n]{1,64}>\n)"
# DeepSeek's own mark makes its tags unmistakable: they need no line of their own (vllm #53227, #54838).
_LEFT_OUT_DSML = (
    rf"\n?(?=<\s?{DSML}parameter\s+name\s?=)"
    rf"|\n?(?=</\s?{DSML}invoke\s?>\s{{0,8}}(?:</\s?{DSML}|<\s?{DSML}invoke\s))"
)
_NAME_END = re.compile(r"[\n<({]")
_KEY_END = re.compile(r"[\n<]")
_LONGEST_KEY = 64
_GLM_KEYS = ("<arg_key>", "<longcat_arg_key>")
_GLM_VALUES = ("<arg_value>", "<longcat_arg_value>")
_GLM_KEY_ENDS = ("</arg_key>", "</longcat_arg_key>")
_GLM_KEY_END = re.compile("|".join(_GLM_KEY_ENDS))
_GLM_VALUE_END = re.compile(r"</(?:longcat_)?arg_value>")
_GLM_LONGEST = len("</longcat_arg_value>")
_GLM_CALL_ENDS = ("</tool_call>", "</longcat_tool_call>")
_GLM_NEXT = (*_GLM_KEYS, *_GLM_CALL_ENDS, "<tool_call>", "<longcat_tool_call>")


def markup(source: Source, tools: Toolbox) -> Steps[list[Item]]:
    """Take one call, or the objects of a wrapper; nothing where a wrapper that stands alone holds nothing."""
    wrapper: Tag | None = None
    for _ in range(_MAX_WRAPPERS + 1):
        tag = yield from peek_tag(source)
        if tag is None:
            break
        if tag.closes:
            return (yield from _nothing(source, tag, wrapper))
        names_tool = _names_tool(tag, tools)
        is_made_up = tag.is_dsml and tag.name not in _ENTRIES and not names_tool
        if (tag.name in WRAPPERS or is_made_up) and not tag.attributes:
            wrapper = tag
            take(source, tag)
            yield from source.space()
        elif tag.name in _ENTRIES or tag.name in WRAPPERS or names_tool:
            items = yield from _entry(source, tools, tag, _dialect(tag, wrapper))
            if not items and (wrapper is None or not source.is_line_start):
                raise Refuted
            return items
        else:
            raise Refuted
    else:
        raise Refuted
    if wrapper is None:
        raise Refuted
    is_fenced = yield from _fence(source)
    at = yield from source.peek()
    if not at:
        raise CutOff
    if at in "{[":
        items = yield from json_calls(source, tools, _dialect(wrapper, None), in_lines=wrapper.name == "tool_calls")
    else:
        items = yield from _named(source, tools)
    if is_fenced:
        yield from _fence(source)
    return items


def _names_tool(tag: Tag, tools: Toolbox) -> bool:
    """Whether it is a tag of DeepSeek's, and its name a tool's (pi-free #376, #381)."""
    return tag.is_dsml and tag.name not in WRAPPERS | _ENTRIES and tools.names.find(tag.name) is not None


def _fence(source: Source) -> Steps[bool]:
    """Take what fences JSON, if it stands here, and the white space around it."""
    gap = yield from source.space()
    if not (yield from source.accept("```")):
        source.unread(gap)
        return False
    yield from source.accept("json")
    yield from source.space()
    return True


def _dialect(tag: Tag, wrapper: Tag | None) -> str:
    """What to call the grammar in the statistics."""
    texts = tag.text + (wrapper.text if wrapper else "")
    if "DSML" in texts:
        return "dsml"
    if "minimax" in texts:
        return "minimax"
    if texts.startswith("<|open|>"):
        return "kimi_k3"
    return {"function": "qwen3_coder", "invoke": "invoke", "TOOLCALL": "nemotron"}.get(tag.name, "hermes")


def _nothing(source: Source, tag: Tag, wrapper: Tag | None) -> Steps[list[Item]]:
    """A wrapper with nothing in it calls nothing; on a line of its own it is no mention of the tags either."""
    if wrapper is None or tag.name not in _MAY_BE_EMPTY or not source.is_line_start:
        raise Refuted
    take(source, tag)
    if (yield from source.peek()) not in ("", "\n", "\r"):
        raise Refuted
    return []


def _entry(source: Source, tools: Toolbox, tag: Tag, dialect: str) -> Steps[list[Item]]:
    """One call from its opening tag to its closing tag, or to whatever shows that this was left out."""
    take(source, tag)
    said = tag.value or tag.attribute("name", "tool") or (tag.name if _names_tool(tag, tools) else "")
    name = tools.names.find(said)
    if said and name is None:
        raise Refuted
    arguments: dict[str, Value] = {}
    is_open = not tag.is_empty
    while is_open:
        yield from source.space()
        inner = yield from peek_tag(source)
        if inner is None:
            if arguments or (yield from source.peek()) != "{":
                raise CutOff if source.has_ended else Refuted
            arguments = yield from _object(source)
        elif inner.closes and (inner.name in _ENTRIES or inner.name == tag.name):
            take(source, inner)
            is_open = False
        elif inner.name in _ENTRIES or inner.name in WRAPPERS:
            if not arguments and required(tools.schema(name)):
                raise Refuted  # begun, given up, and begun again
            is_open = False
        elif inner.name in _CONTAINERS and not tools.has_parameter(name, inner.name):
            take(source, inner)
        elif inner.closes:
            raise Refuted
        elif inner.name in _PARAMETERS:
            parameter = inner.value or inner.attribute("name", "key")
            arguments[parameter] = yield from _value(source, tools, name, parameter, inner, given=arguments)
        elif name is None and inner.name in _NAMES:
            name = tools.names.find((yield from _value(source, tools, None, "", inner)))
            if name is None:
                raise Refuted
        elif inner.name == "json":
            take(source, inner)
            arguments = yield from _object(source)
            yield from source.until(closing("json"), LONGEST_CLOSING, limit=LONGEST_CLOSING)
        elif name is not None and tools.has_parameter(name, inner.name):
            arguments[inner.name] = yield from _value(source, tools, name, inner.name, inner)
        else:
            raise Refuted
    if name is None:
        if tag.attributes:
            raise Refuted
        return []  # it names no tool: there is nothing to call and nothing to read in it
    try:
        return [tools.call(name, arguments, dialect)]
    except Unreadable as error:
        raise Refuted from error


def _object(source: Source) -> Steps[dict[str, Value]]:
    """The body of an entry that is JSON."""
    text, missing = yield from object_text(source)
    try:
        return read_object(text, missing=missing)
    except Unreadable as error:
        raise Refuted from error


def _value(
    source: Source, tools: Toolbox, name: str | None, parameter: str, tag: Tag, *, given: Collection[str] = ()
) -> Steps[Value]:
    """A parameter's value. Its closing tag counts only where the call goes on or ends behind it, and not inside of a
    call that the value holds, as a file about tool calls does."""
    take(source, tag)
    if tag.is_empty:
        return tools.from_text(name, parameter, tag.attribute("value"))
    names = _PARAMETERS if tag.name in _PARAMETERS else (tag.name,)
    end = misspelt_closing(*names, parameter) if parameter and tag.name in _PARAMETERS else closing(*names)
    if tag.value or tag.is_dsml:
        end = re.compile(f"{end.pattern}|{_LEFT_OUT if tag.value else _LEFT_OUT_DSML}")
    opening = re.compile(rf"<{re.escape(parameter)}[\s>/]")
    opens_own = False
    parts: list[str] = []
    nesting = Nesting(INNER_CALL)
    while True:
        before, mark = yield from _of_value(source, end, LONGEST_CLOSING)
        is_inside = nesting.add(before) > 0
        gap = yield from source.space()
        following = yield from peek_tag(source)
        if following is None and source.has_ended and not (yield from source.peek()):
            raise Unfinished
        parts.append(before)
        opens_own = opens_own or opening.search(before) is not None
        if opens_own and mark.strip() in (f"</{parameter}>", f"</{parameter} >"):
            following = None  # what the value opened by the parameter's name, that name closes
        others = None if mark.strip() else {*given, parameter}
        if others is not None and following is not None:
            is_inside = is_inside or nesting.opens_before(mark + gap + following.text)
        if following is not None and not is_inside and _belongs(following, tools, name, others):
            break
        taken = mark + gap
        if not taken:  # where an end was left out nothing stands; go on behind the tag that showed it
            taken = source.text[source.position] if following is None else following.text
            source.position += len(taken)
        nesting.add(taken)
        parts.append(taken)
    exact = closing(*names, parameter) if parameter else closing(*names)
    text = "".join(_without_stray_ends(parts, {*names, parameter} if opens_own else names, exact))
    if tag.text.startswith(MINIMAX_MARK) and tag.name not in _PARAMETERS:
        return value_of(text, tools.schema_of(name, parameter))
    if MINIMAX_MARK in text:
        raise Refuted  # its elements have names of their own
    if tag.value or (text.startswith("\n") and text.endswith("\n") and not tag.attribute("string")):
        text = text.removeprefix("\n").removesuffix("\n")
    return _typed(text, tools, name, parameter, tag)


def _of_value(source: Source, end: re.Pattern[str], longest: int) -> Steps[tuple[str, str]]:
    """`until` what may be the end of a value."""
    try:
        return (yield from source.until(end, longest, wake=">"))
    except CutOff as cut_off:
        raise Unfinished from cut_off


def _without_stray_ends(parts: list[str], names: Collection[str], exact: re.Pattern[str]) -> list[str]:
    """Closing tags that stand one behind the other are one end, unless the value opened one of them itself. A misspelt
    one is an end where there is no other; in front of another, it closes an element of the value: `</parameters>`."""
    end = len(parts)
    while end > 2 and not parts[end - 1] and exact.fullmatch(parts[end - 2].strip()):
        end -= 2
    kept = parts[:end]
    if end < len(parts) and re.search(rf"<(?:{'|'.join(map(re.escape, names))})[\s=>]", "".join(kept)):
        return parts
    return kept


def _belongs(tag: Tag, tools: Toolbox, name: str | None, given: Collection[str] | None) -> bool:
    """Whether the tag can stand behind a parameter. `given`, where the end of that was left out: the parameters that
    the call has; then only another one that the tool takes shows that its value is over."""
    if given is not None and tag.name in _PARAMETERS and not tag.closes:
        key = tag.value or tag.attribute("name", "key")
        return key not in given and tools.has_parameter(name, key)
    if tag.name in _ENTRIES or tag.name in WRAPPERS or tag.name in _CONTAINERS:
        return True
    if tag.closes:
        return tag.is_dsml and tag.name not in _PARAMETERS
    return tag.name in _PARAMETERS or (name is None or tools.has_parameter(name, tag.name))


def _typed(text: str, tools: Toolbox, name: str | None, parameter: str, tag: Tag) -> Value:
    """DSML and Kimi K3 say of each parameter whether it is text; elsewhere the schema says it."""
    says_text = tag.attributes.get("string") == "true" or tag.attributes.get("type") == "string"
    says_json = tag.attributes.get("string") == "false" or tag.attribute("type") not in ("", "string")
    if says_text:
        return text
    if says_json:
        try:
            return loads(text)
        except InvalidJSON:
            pass  # then the schema may know
    return tools.from_text(name, parameter, text)


def _named(source: Source, tools: Toolbox) -> Steps[list[Item]]:
    """GLM's form: the name, then <arg_key> and <arg_value> in turn; also a name with JSON or Python arguments."""
    name, slipped = yield from _declared_name(source, tools)
    yield from source.accept("<tool_sep>")  # Hunyuan
    yield from source.space()
    at = yield from source.peek()
    try:
        if at == "(":
            first = yield from python_arguments(source, tools, name, "hermes")
            return (yield from python_calls(source, tools, "hermes", begun=[first]))  # Olmo 3: one on each line
        is_fenced = yield from _fence(source)
        if (yield from source.peek()) == "{":
            text, missing = yield from object_text(source)
            if is_fenced:
                yield from _fence(source)
            return [tools.call_with_text(name, text, "hermes", missing=missing)]
        if (yield from source.accept("</arg_value>")) and required(tools.schema(name)):
            raise Refuted
        arguments: dict[str, Value] = {}
        while slipped or (yield from _glm_key(source, tools, name, is_first=not arguments)):
            key, slipped = slipped, ""
            if key:
                yield from source.expect(*_GLM_KEY_ENDS)
            else:
                key, _ = yield from source.until(_GLM_KEY_END, _GLM_LONGEST, wake=">", limit=200)
            key = key.strip()
            yield from source.space()
            if (yield from source.accept(*_GLM_KEY_ENDS)):  # once more (vllm #54971)
                yield from source.space()
            # Under load GLM leaves out what opens a value; behind a key of the tool's, one begins (vllm #49248).
            if not (yield from source.accept(*_GLM_VALUES)) and not tools.lists(name, key):
                raise CutOff if source.has_ended else Refuted
            arguments[key] = tools.from_text(name, key, (yield from _glm_value(source)))
        return [tools.call(name, arguments, "glm")]
    except Unreadable as error:
        raise Refuted from error


def call_in_name(said: str, tools: Toolbox) -> Call | None:
    """GLM's form where a parser took it whole for the name, `Read<arg_key>…` (zai-org/GLM-5 #84); None if it is not."""
    source = Source(said, 0)
    source.end(was_cut=False)
    try:
        next(_named(source, tools))
    except StopIteration as stop:
        calls: list[Call] = stop.value
        is_whole = not source.text[source.position :].strip()
        return calls[0] if is_whole and len(calls) == 1 else None
    except Refuted:
        return None
    return None


def _declared_name(source: Source, tools: Toolbox) -> Steps[tuple[str, str]]:
    """A name that the text begins with, and the key that slipped into it; refuted as soon as no declared name begins
    so. GLM at times leaves out the <arg_key> that would part them (vllm #47190)."""
    said = ""
    longest = tools.names.longest + _LONGEST_KEY
    while True:
        last = min(len(source.text), source.position + longest + 1)
        found = _NAME_END.search(source.text, source.position, last)
        end = found.start() if found else last
        said += source.text[source.position : end]
        source.position = end
        declared, key = tools.split_name(said)
        if len(said) > longest or not (declared or tools.names.may_become(said)):
            raise Refuted
        if found:
            name = tools.names.find(said)
            if name is not None and found.group() == "\n":
                yield from source.space()
                if not (yield from source.peek()).isalpha():
                    return name, ""
                return name, (yield from source.word(_KEY_END, _LONGEST_KEY)).strip()
            if name is not None:
                return name, ""
            if declared and found.group() == "<" and tools.lists(declared, key):
                return declared, key
            raise Refuted
        yield from source.more()


def _glm_key(source: Source, tools: Toolbox, name: str, *, is_first: bool) -> Steps[bool]:
    """Take what opens the next pair; False if the call is over: closed, or ended with its last pair complete."""
    gap = yield from source.space()
    opened = yield from source.accept(*_GLM_NEXT)
    if opened in _GLM_KEYS:
        yield from source.accept(opened)  # once more
        return True
    if opened in _GLM_CALL_ENDS:
        return False
    if opened and is_first:  # <tool_call> in the place of the first <arg_key> (sigit #95)
        key = yield from source.word(_KEY_END, _LONGEST_KEY)
        source.unread(key)
        if tools.lists(name, key.strip()):
            return True
        raise Refuted
    if is_first or (source.has_ended and source.was_cut):
        raise CutOff if source.has_ended else Refuted
    source.unread(opened or gap)
    return False


def _glm_value(source: Source) -> Steps[str]:
    parts: list[str] = []
    nesting = Nesting(INNER_GLM_CALL)
    while True:
        before, mark = yield from _of_value(source, _GLM_VALUE_END, _GLM_LONGEST)
        is_inside = nesting.add(before) > 0
        gap = yield from source.space()
        following = yield from source.accept(*_GLM_NEXT)
        parts.append(before)
        source.unread(following)
        if not is_inside and (following or (source.has_ended and not (yield from source.peek()))):
            return "".join(parts)
        nesting.add(mark + gap)
        parts += (mark, gap)
