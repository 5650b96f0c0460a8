"""Calls written between control tokens: Kimi K2, DeepSeek V3 and V3.1, Mistral, gpt-oss, Gemma, Llama and others."""

import re

from ..wire.codec import InvalidJSON, dumps_text, loads
from .json_calls import Item, json_calls, object_text, python_calls
from .lenient_json import Missing, Unreadable, read_object
from .markup import markup
from .source import CutOff, Refuted, Source, Steps
from .spans import HARMONY_ENDS, Span
from .toolbox import Toolbox

GAPS = "▁_ "  # what the tokenizer's "▁" is shown as
_KIMI_SEPARATOR = "<|tool_call_argument_begin|>"
_SEPARATORS = tuple(f"<{bar}tool{gap}sep{bar}>" for bar in "｜|" for gap in GAPS)
SECTIONS = (
    "<|tool_calls_section_begin|>",
    "<|tool_call_section_begin|>",
    *(f"<{bar}tool{gap}calls{gap}begin{bar}>" for bar in "｜|" for gap in GAPS),
)
CALL_BEGINS = tuple(f"<{bar}tool{gap}call{gap}begin{bar}>" for bar in "｜|" for gap in GAPS)
_HEADER_END = re.compile("|".join(map(re.escape, (_KIMI_SEPARATOR, *_SEPARATORS))))
_LINE_END = re.compile(r"\n")

WRAPPED = ("<|tool_call|>", "<|START_ACTION|>", "<|action_start|>", "<|tools_prefix|>", "<|tool_call_start|>")
PYTHON_TAGS = ("<|python_tag|>", "<|python_start|>")
MISTRAL = "[TOOL_CALLS]"
PHI = "functools["
HARMONY = ("<|start|>assistant", "<|channel|>")
GEMMA = {"<|tool_call>": '<|"|>', "<start_function_call>": "<escape>"}
"""Opening token -> what stands for a quotation mark."""

_MISTRAL_NAME_END = re.compile(r"[^\w.:-]")
_MISTRAL_ID_END = re.compile(r"\[ARGS\]")
_QUOTE = re.compile('"')
_MESSAGE = re.compile(r"<\|message\|>")
_HARMONY_TYPE = re.compile(r"\s*(?:<\|constrain\|>)?[\w.-]*\s*")
_RECIPIENT_END = re.compile(r"[\s<]")
# The first key of an object that is a call; other JSON is an answer, and passes at once.
_CALL_HEAD = re.compile(
    r"""\[?\s*(?:\{\s*["'](?:name|tool_name|function_name|function|tool|type|id|arguments|parameters)["']\s*:"""
    r"""|(?<=\[)[^\W\d][\w.-]*\()"""
)
_PART_OF_CALL_HEAD = re.compile(r"""\[?\s*(?:\{\s*(?:["']\w*(?:["']\s*)?)?|[^\W\d][\w.-]*)?""")
_GEMMA_NAME_END = re.compile(r"[^\w.-]")
_GEMMA_STOPS = {mark: re.compile(rf'[{{}}]|(?<!<\|)"|{re.escape(mark)}') for mark in GEMMA.values()}
_GEMMA_QUOTES = {mark: re.compile(re.escape(mark)) for mark in (*GEMMA.values(), '"')}


def sections(source: Source, tools: Toolbox) -> Steps[list[Item]]:
    """Take one call of a section (Kimi K2, DeepSeek V3, V3.1); the section's own marks may be missing."""
    if (yield from source.accept(*SECTIONS)):
        yield from source.space()
    yield from source.expect(*CALL_BEGINS)
    header, separator = yield from source.until(_HEADER_END, 32, wake=">", limit=200)
    is_kimi = separator == _KIMI_SEPARATOR
    if "<" in header:
        raise Refuted
    if header.strip() == "function" and tools.names.find("function") is None:
        if (yield from source.peek()) == "<":  # Step 3
            return (yield from markup(source, tools))
        # DeepSeek V3: the name comes after the type.
        header, _ = yield from source.until(_LINE_END, 1, limit=200)
    name = _declared(header, tools)
    grammar = "kimi_k2" if is_kimi else "deepseek_v3"
    yield from source.space()
    is_fenced = bool((yield from source.accept("```")))
    if is_fenced:
        yield from source.accept("json")
        yield from source.space()
    try:
        if (yield from source.peek()) == "<":
            return [tools.call_with_text(name, "", grammar)]
        if (yield from source.accept('"')):
            return [tools.call_with_text(name, (yield from _encoded_twice(source)), grammar)]
        text, missing = yield from object_text(source)
        if is_fenced and missing is Missing.NOTHING:
            yield from source.space()
            yield from source.accept("```")
        elif is_fenced:
            text = text.rstrip().removesuffix("```")  # read as well, in search of the bracket
        return [tools.call_with_text(name, text, grammar, missing=missing)]
    except Unreadable as error:
        raise Refuted from error


def _encoded_twice(source: Source) -> Steps[str]:
    """The text of a JSON string behind its opening quotation mark, where an object should stand (Kimi-K2 #26)."""
    parts = ['"']
    while True:
        before, quote = yield from source.until(_QUOTE, 1, wake='"')
        parts += (before, quote)
        if (len(before) - len(before.rstrip("\\"))) % 2 == 0:
            break
    try:
        return str(loads("".join(parts)))
    except InvalidJSON as error:
        raise Refuted from error


def _declared(said: str, tools: Toolbox) -> str:
    """The declared name that is meant."""
    name = tools.names.find(said)
    if name is None:
        raise Refuted
    return name


def _call_with_object(source: Source, tools: Toolbox, name: str, grammar: str) -> Steps[list[Item]]:
    """Take the arguments of a call whose name was read."""
    yield from source.space()
    text, missing = yield from object_text(source)
    try:
        return [tools.call_with_text(name, text, grammar, missing=missing)]
    except Unreadable as error:
        raise Refuted from error


def wrapped(source: Source, tools: Toolbox) -> Steps[list[Item]]:
    """Take objects (Phi, Granite, Cohere, InternLM, Apertus) or a list of Python calls (LFM2) behind a token."""
    yield from source.expect(*WRAPPED)
    yield from source.space()
    yield from source.accept("<|plugin|>")
    yield from source.space()
    return (yield from _objects_or_python(source, tools, "tokens"))


def llama(source: Source, tools: Toolbox) -> Steps[list[Item]]:
    """Take what stands behind Llama's <|python_tag|>: objects, or a Python expression."""
    yield from source.expect(*PYTHON_TAGS)
    yield from source.space()
    return (yield from _objects_or_python(source, tools, "llama"))


def bare(source: Source, tools: Toolbox) -> Steps[list[Item]]:
    """Take an answer that is nothing but calls: objects (Llama), or a list of objects or of Python calls."""
    while True:
        ahead = source.text[source.position : source.position + 64]
        if _CALL_HEAD.match(ahead):
            break
        if source.has_ended or len(ahead) == 64 or not _PART_OF_CALL_HEAD.fullmatch(ahead):
            raise Refuted
        yield ""
    items = yield from _objects_or_python(source, tools, "llama")
    while True:
        yield from source.space()
        if not (yield from source.accept("<|eom_id|>", "<|eot_id|>", "<|im_end|>")):
            break
    if (yield from source.peek()) or any(isinstance(item, str) for item in items):
        raise Refuted
    return items


def _objects_or_python(source: Source, tools: Toolbox, grammar: str) -> Steps[list[Item]]:
    while True:  # `[` begins both: what follows it decides
        ahead = source.text[source.position : source.position + 32].removeprefix("[").lstrip()
        if ahead or source.has_ended:
            break
        yield ""
    if not ahead:
        raise CutOff
    read = json_calls if ahead[0] in "{[" else python_calls
    return (yield from read(source, tools, grammar))


def mistral(source: Source, tools: Toolbox) -> Steps[list[Item]]:
    """Take [TOOL_CALLS] with an array of objects, or with a name and its arguments (v11, v13)."""
    yield from source.expect(MISTRAL)
    yield from source.space()
    if (yield from source.peek()) in ("[", "{"):
        return (yield from json_calls(source, tools, "mistral"))
    name = _declared((yield from source.word(_MISTRAL_NAME_END, tools.names.longest)), tools)
    yield from source.space()
    if (yield from source.accept("[CALL_ID]")):
        yield from source.until(_MISTRAL_ID_END, 6, limit=64)
    else:
        yield from source.accept("[ARGS]")
    return (yield from _call_with_object(source, tools, name, "mistral"))


def phi(source: Source, tools: Toolbox) -> Steps[list[Item]]:
    """Take the list of objects that Phi-4-mini puts behind a word."""
    yield from source.expect(PHI)
    source.unread("[")
    return (yield from json_calls(source, tools, "phi"))


def harmony(source: Source, tools: Toolbox) -> Steps[list[Item | Span]]:
    """Take the header of one of gpt-oss's messages, and its body where it is a call; else say whose body follows."""
    to = ""
    if (yield from source.expect(*HARMONY)) != "<|channel|>":
        to = yield from _recipient(source, tools)
        yield from source.expect("<|channel|>")
    channel = yield from source.expect("analysis", "commentary", "final")
    to = to or (yield from _recipient(source, tools))
    kind, _ = yield from source.until(_MESSAGE, len("<|message|>"), limit=40)
    if not _HARMONY_TYPE.fullmatch(kind):
        raise Refuted
    if to:
        return [*(yield from _call_with_object(source, tools, _declared(to, tools), "harmony"))]
    if not source.is_fresh:
        raise Refuted
    return [Span("", HARMONY_ENDS, is_thought=channel == "analysis", is_framed=True)]


def _recipient(source: Source, tools: Toolbox) -> Steps[str]:
    gap = yield from source.space()
    if (yield from source.accept("to=")):
        return (yield from source.word(_RECIPIENT_END, tools.names.longest))
    source.unread(gap)
    return ""


def gemma(source: Source, tools: Toolbox) -> Steps[list[Item]]:
    """Take Gemma's call:NAME{key:value}, where keys are bare and a token stands for the quotation mark."""
    mark = GEMMA[(yield from source.expect(*GEMMA))]
    yield from source.space()
    yield from source.expect("call:")
    name = _declared((yield from source.word(_GEMMA_NAME_END, tools.names.longest)), tools)
    if (yield from source.peek()) != "{":
        raise Refuted
    pieces: list[str] = []
    depth = 0
    while depth or not pieces:
        before, stop = yield from source.until(_GEMMA_STOPS[mark], len(mark))
        pieces.append(before)
        if stop in "{}":
            depth += 1 if stop == "{" else -1
            pieces.append(stop)
        else:
            text, _ = yield from source.until(_GEMMA_QUOTES[stop], len(stop), wake=stop[-1])
            pieces.append(dumps_text(text))
    try:
        return [tools.call(name, read_object("".join(pieces)), "gemma")]
    except Unreadable as error:
        raise Refuted from error
