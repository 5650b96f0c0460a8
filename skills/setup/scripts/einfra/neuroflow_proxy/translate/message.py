"""The answer that is not streamed: a fold over the same events, so that there is one way to translate."""

from collections.abc import Iterable

from ..errors import StreamStateError
from ..wire.codec import InvalidJSON, loads
from ..wire.messages_api import JSON


class MessageFold:
    """Collects the events of one answer into one Message."""

    def __init__(self) -> None:
        self._message: JSON | None = None
        self._block: JSON = {}
        self._pieces: list[str] = []

    def feed(self, events: Iterable[JSON]) -> None:
        for event in events:
            match event["type"]:
                case "message_start":
                    self._message = {**event["message"], "content": []}
                case "content_block_start":
                    self._block, self._pieces = dict(event["content_block"]), []
                case "content_block_delta":
                    self._delta(event["delta"])
                case "content_block_stop":
                    self._close()
                case "message_delta":
                    self.message.update(event["delta"], usage=event["usage"])

    @property
    def has_begun(self) -> bool:
        return self._message is not None

    @property
    def message(self) -> JSON:
        """The Message so far; whole once the last event was fed."""
        if self._message is None:
            raise StreamStateError("no answer has begun")
        return self._message

    def _delta(self, delta: JSON) -> None:
        match delta["type"]:
            case "text_delta":
                self._pieces.append(delta["text"])
            case "thinking_delta":
                self._pieces.append(delta["thinking"])
            case "input_json_delta":
                self._pieces.append(delta["partial_json"])
            case "citations_delta":
                self._block.setdefault("citations", []).append(delta["citation"])
            case "signature_delta":
                self._block["signature"] = delta["signature"]

    def _close(self) -> None:
        whole = "".join(self._pieces)
        match self._block["type"]:
            case "text":
                self._block["text"] = whole
            case "thinking":
                self._block["thinking"] = whole
            case "tool_use" | "server_tool_use":
                self._block["input"] = _input(whole)
        self.message["content"].append(self._block)


def _input(arguments: str) -> object:
    """The value of a tool's input. What is not JSON stays the text that it is, for the client to refuse.

    Claude Code keeps such a string in its history and tells the model.
    """
    if not arguments:
        return {}
    try:
        return loads(arguments)
    except InvalidJSON:
        return arguments
