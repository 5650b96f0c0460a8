"""The conversation, from Messages to Chat Completions. Pure; the same history always gives the same messages.

Consecutive messages of the assistant are one turn, and so is everything between two of them (user messages, system
messages that came later, tool results). A turn of the assistant becomes one message. A turn of the user becomes, in
this order: one `tool` message for each call of the turn before, in the order of the calls; then one `user` message with
the images of those results and all that was said.

No history is refused for its shape (a client that has one keeps it, so its session would be locked for good): a call
without a result gets one that says so, a result without a call is quoted, of two results the first counts.

Each turn is translated by itself, and nothing that comes later changes it: the provider finds the beginning of every
request in its prefix cache.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..models.profiles import Profile, Replay
from ..wire.web_search import RESULT_TYPE, words_of
from .content import ContentReader, Image, Piece, as_content, as_text, block_type, server_tool_text
from .documents import PdfReader
from .fields import (
    Path,
    a_string,
    an_array,
    an_object,
    complaint,
    encodable_dumps,
    missing,
    note,
    refusal,
    refuse_depth,
)
from .texts import block_texts, is_blank, joined
from .tool_ids import IdForge
from .tools import upstream_name

EMPTY = "(no content)"
NO_OUTPUT = "(no output)"
NO_RESULT = "[no result: the call was interrupted]"
NO_REASONING = "(not recorded)"
CONTINUE = "Continue exactly where you stopped, without repeating anything."
SEEN = "(The images follow.)"
"""Said in the assistant's name between tool results and their images where no user message may follow a result."""

_KNOWN_FIELDS = frozenset({"role", "content", "output_config", "id", "type"})
_ROLES = ("user", "assistant", "system")
_REASONING_FIELDS: dict[Replay, tuple[str, ...]] = {
    Replay.NONE: (),
    Replay.TAGS: (),
    Replay.REASONING: ("reasoning",),
    Replay.REASONING_CONTENT: ("reasoning_content",),
    Replay.BOTH: ("reasoning_content", "reasoning"),
}


class Call(NamedTuple):
    """A tool call; `name` is the tool's upstream."""

    client_id: str
    upstream_id: str
    name: str


class Pause(NamedTuple):
    """A place before a turn of the assistant; what stands before it, nothing that follows can change."""

    read: int
    """How many of the client's messages stand before it."""
    written: int
    """How many of the provider's."""
    calls: int
    """How many calls."""


class Conversation(NamedTuple):
    """The result of `read_conversation`."""

    leading_system: list[str]
    """Texts of system messages that stood before everything else: part of the system prompt."""
    messages: list[dict[str, Any]]
    calls: list[Call]
    pauses: list[Pause]
    ignored: dict[str, int]
    """Fields that nobody here knows, and how often each occurred."""

    def until(self, pause: Pause) -> "Conversation":
        """What stands before one of its pauses."""
        return Conversation(
            list(self.leading_system),
            self.messages[: pause.written],
            self.calls[: pause.calls],
            self.pauses[: self.pauses.index(pause)],
            dict(self.ignored),
        )


class Manner(NamedTuple):
    """All but the messages on which their translation depends."""

    profile: Profile
    replay: Replay
    """How reasoning is sent back in this request."""
    reasoning_required: bool
    """Calls must not be sent back without reasoning in this request."""
    sees_images: bool
    read_pdf: PdfReader
    search_name: str | None
    """The client's name for the server tool `web_search`, if the model has it."""


def read_conversation(
    body: dict[str, Any], manner: Manner, before: Conversation | None = None, start: int = 0
) -> Conversation:
    """Translate `messages`.

    `before` is what was read already, up to the client's message at `start`, which is the assistant's; the rest is
    added to it.
    """
    conversation = before or Conversation([], [], [], [], {})
    writer = _Writer(conversation, manner)
    for role, turn in _turns(body, start, conversation):
        if role == "assistant":
            writer.pause(turn[0].number)
            writer.assistant_turn(turn)
        else:
            writer.user_turn(turn)
    return writer.finish()


class _Message(NamedTuple):
    role: str
    content: Any
    number: int
    """Its place in the request."""

    @property
    def path(self) -> Path:
        return ("messages", self.number), "content"


def _turns(body: dict[str, Any], start: int, conversation: Conversation) -> Iterator[tuple[str, list[_Message]]]:
    """The turns of the conversation, without empty system messages; leading ones go to its `leading_system`."""
    if "messages" not in body:
        raise missing("messages")
    turn: list[_Message] = []
    turn_role = ""
    for number, item in enumerate(an_array(body["messages"], "messages")[start:], start):
        message = _message(item, number, conversation.ignored)
        role = message.role
        if role == "system":
            texts = block_texts(message.content, message.path)
            if not turn_role:
                conversation.leading_system.extend(texts)
            if not turn_role or not texts:
                continue
            message = message._replace(content=joined(texts))
            role = "user"
        if role != turn_role and turn:
            yield turn_role, turn
            turn = []
        turn_role = role
        turn.append(message)
    if not turn:
        raise refusal("messages", "at least one message is required")
    yield turn_role, turn


def _message(value: Any, number: int, ignored: dict[str, int]) -> _Message:
    path = ("messages", number)
    message = an_object(value, path)
    role = a_string(message, "role", path)
    if role not in _ROLES:
        raise refusal((path, "role"), "Input should be 'user', 'assistant' or 'system'")
    if "content" not in message:
        raise missing((path, "content"))
    if not _KNOWN_FIELDS.issuperset(message):
        note(ignored, [f"messages.{key[:60]}" for key in message.keys() - _KNOWN_FIELDS])
    return _Message(role, message["content"], number)


def _blocks(message: _Message) -> Iterator[tuple[dict[str, Any], Path]]:
    """The content blocks of a message with their paths; a string is one block of text."""
    content, path = message.content, message.path
    if isinstance(content, str):
        yield {"type": "text", "text": content}, path
        return
    if not isinstance(content, list):
        raise complaint(path, "a string or an array", content)
    for index, item in enumerate(content):
        block_path = (path, index)
        yield an_object(item, block_path), block_path


@dataclass(slots=True)
class _Answer:
    """One answer of the model's, as it is collected from a turn of the assistant."""

    texts: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)
    found: dict[str, str] = field(default_factory=dict)
    """What server tools have answered to its calls, by the client's id of the call."""
    _said: list[str] = field(default_factory=list)
    _thought: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        self._said.append(text)

    def think(self, text: str) -> None:
        self._thought.append(text)

    def end_message(self) -> None:
        """Blocks of one message are one text that was cut at a call or a thought, so nothing stands between them."""
        self.texts.append("".join(self._said))
        self.thoughts.append("".join(self._thought))
        self._said.clear()
        self._thought.clear()


class _Writer:
    def __init__(self, conversation: Conversation, manner: Manner) -> None:
        self.conversation = conversation
        self._add = conversation.messages.append
        self._user_after_tool = manner.profile.user_after_tool
        self._replays_in_tags = manner.replay is Replay.TAGS
        self._reasoning_fields = _REASONING_FIELDS[manner.replay]
        self._reasoning_required = manner.reasoning_required
        self._reader = ContentReader(manner.sees_images, manner.read_pdf, conversation.ignored)
        self._search_name = manner.search_name
        self._forge = IdForge(manner.profile.tool_ids, [call.upstream_id for call in conversation.calls])
        self._unanswered: list[Call] = []
        self._shown: list[Piece] = []

    def pause(self, read: int) -> None:
        """Between two turns: the next one begins with the client's message at `read`."""
        conversation = self.conversation
        if conversation.messages:
            conversation.pauses.append(Pause(read, len(conversation.messages), len(conversation.calls)))

    def assistant_turn(self, turn: list[_Message]) -> None:
        if not self.conversation.messages:  # strict templates want the user to begin
            self._add({"role": "user", "content": EMPTY})
        answer = _Answer()
        for message in turn:
            for block, path in _blocks(message):
                if answer.found and block.get("type") != RESULT_TYPE and self._are_answered_by(answer.found):
                    # The model was asked anew with what was found, and has said the rest in another answer.
                    self._add_answer(answer)
                    answer = _Answer()
                self._read_block(block, path, answer)
            answer.end_message()
        self._add_answer(answer)

    def _read_block(self, block: dict[str, Any], path: Path, answer: _Answer) -> None:
        match block_type(block, path, self._reader.ignored):
            case "text":
                answer.say(a_string(block, "text", path))
            case "thinking":
                answer.think(a_string(block, "thinking", path))
            case "tool_use":
                answer.calls.append(self._tool_call(block, path))
            case "redacted_thinking":
                pass
            case "server_tool_use" if self._search_name is not None and block.get("name") == self._search_name:
                answer.calls.append(self._tool_call(block, path))
            case kind if kind == RESULT_TYPE and self._waits_for(block.get("tool_use_id")):
                answer.found[a_string(block, "tool_use_id", path)] = words_of(block)
            case _:
                answer.say(server_tool_text(block, path) or "")

    def _add_answer(self, answer: _Answer) -> None:
        """Add an answer of the model's, and what server tools have answered to its calls."""
        answer.end_message()
        self._add(self._assistant_message(joined(answer.texts), joined(answer.thoughts), answer.calls))
        if not answer.found:
            return
        for call in [call for call in self._unanswered if call.client_id in answer.found]:
            self._unanswered.remove(call)
            self._add({"role": "tool", "tool_call_id": call.upstream_id, "content": answer.found[call.client_id]})

    def _are_answered_by(self, found: dict[str, str]) -> bool:
        return all(call.client_id in found for call in self._unanswered)

    def _waits_for(self, client_id: Any) -> bool:
        return any(call.client_id == client_id for call in self._unanswered)

    def _tool_call(self, block: dict[str, Any], path: Path) -> dict[str, Any]:
        client_id = a_string(block, "id", path)
        name = upstream_name(a_string(block, "name", path))
        call = Call(client_id, self._forge.id_for(client_id, name), name)
        self.conversation.calls.append(call)
        self._unanswered.append(call)
        arguments = block.get("input")
        refuse_depth(arguments, (path, "input"))
        if not isinstance(arguments, dict):  # as the model wrote it, where that was no object; templates want one
            arguments = {} if arguments is None else {"input": arguments}
        function = {"name": name, "arguments": encodable_dumps(arguments)[1].decode()}
        return {"id": call.upstream_id, "type": "function", "function": function}

    def _assistant_message(self, text: str, reasoning: str, calls: list[dict[str, Any]]) -> dict[str, Any]:
        if not reasoning and calls and self._reasoning_required:
            reasoning = NO_REASONING
        if is_blank(text):
            text = "" if calls else EMPTY
        if reasoning and self._replays_in_tags:
            text = f"<think>\n{reasoning}\n</think>\n\n{text}"
        message: dict[str, Any] = {"role": "assistant", "content": text}
        if reasoning:
            message |= dict.fromkeys(self._reasoning_fields, reasoning)
        if calls:
            message["tool_calls"] = calls
        return message

    def user_turn(self, turn: list[_Message]) -> None:
        asked = Counter(call.client_id for call in self._unanswered)
        results: dict[str, list[list[Piece]]] = {}
        said: list[Piece] = []
        for message in turn:
            if message.role == "system":
                said.append(_as_reminder(message.content))
                continue
            for block, path in _blocks(message):
                if block.get("type") == "tool_result":
                    self._tool_result(block, path, asked, results, said)
                else:
                    said += self._reader.block_pieces(block, path)
        self._answer_calls(results)
        self._say(said)

    def _tool_result(
        self,
        block: dict[str, Any],
        path: Path,
        asked: Counter[str],
        results: dict[str, list[list[Piece]]],
        said: list[Piece],
    ) -> None:
        """Read one result into `results`, or into `said` if it answers no call of the turn before.

        `asked` says how many calls of each id wait.
        """
        block_type(block, path, self._reader.ignored)
        client_id = a_string(block, "tool_use_id", path)
        pieces = self._reader.pieces(block.get("content"), (path, "content"))
        if block.get("is_error") is True:
            pieces = _marked_as_error(pieces)
        known = results.setdefault(client_id, [])
        if len(known) < asked[client_id]:
            known.append(pieces)
        elif not asked[client_id]:
            said += ["[result of a tool call that is no longer in this conversation]", *pieces]

    def _answer_calls(self, results: dict[str, list[list[Piece]]]) -> None:
        """Add a tool message for each call that waits for one; their images wait for the user message."""
        self._shown = []
        for call in self._unanswered:
            waiting = results.get(call.client_id)
            pieces = waiting.pop(0) if waiting else [NO_RESULT]
            images = [piece for piece in pieces if isinstance(piece, Image)]
            if images:
                self._shown += [f"[{_count(images)} from the result of {call.name}, call {call.upstream_id}]", *images]
                pieces = [*(piece for piece in pieces if isinstance(piece, str)), f"[{_count(images)}: shown below]"]
            self._add({"role": "tool", "tool_call_id": call.upstream_id, "content": as_text(pieces) or NO_OUTPUT})
        self._unanswered = []

    def _say(self, said: list[Piece]) -> None:
        """Add what was said, with the images of the results before it."""
        messages = self.conversation.messages
        result = messages[-1] if messages and messages[-1]["role"] == "tool" else None
        if result is None:
            # The user's words last, as Claude Code has it where it sends its reminders in the user's name.
            self._add({"role": "user", "content": as_content(sorted(said, key=_is_words)) or EMPTY})
            return
        if not said and not self._shown:
            return
        # A reminder belongs to the result: after a user message, templates forget the reasoning of the work under way.
        result["content"] = joined([result["content"], *[str(piece) for piece in said if self._joins_result(piece)]])
        left = [*self._shown, *[piece for piece in said if not self._joins_result(piece)]]
        if left:
            if not self._user_after_tool:
                self._add({"role": "assistant", "content": SEEN})
            self._add({"role": "user", "content": as_content(left)})

    def _joins_result(self, piece: Piece) -> bool:
        return isinstance(piece, str) and not (self._user_after_tool and _is_words(piece))

    def finish(self) -> Conversation:
        if self._unanswered:
            self._answer_calls({})
        elif self.conversation.messages[-1]["role"] == "assistant":  # a prefill
            self._add({"role": "user", "content": CONTINUE})
        return self.conversation


def _as_reminder(text: str) -> str:
    return text if not _is_words(text) else f"<system-reminder>\n{text}\n</system-reminder>"


def _is_words(piece: Piece) -> bool:
    """False of what Claude Code says in its own name, beside or among what the user says."""
    if isinstance(piece, Image):
        return True
    # The end is looked at only where the beginning is right: to strip a text is to copy it.
    return not (piece.lstrip().startswith("<system-reminder>") and piece.rstrip().endswith("</system-reminder>"))


def _marked_as_error(pieces: list[Piece]) -> list[Piece]:
    if pieces and isinstance(pieces[0], str):
        first = pieces[0]
        return pieces if first.lower().startswith(("error", "<tool_use_error>")) else [f"Error: {first}", *pieces[1:]]
    return ["Error", *pieces]


def _count(images: list[Image]) -> str:
    return "1 image" if len(images) == 1 else f"{len(images)} images"
