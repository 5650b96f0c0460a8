"""What we tell the model beyond what the client tells it, and when. All such words stand here.

Open-weight models like to announce their next step and to end the turn without taking it (`Let me look at the file.`),
which stops an agent; a directive in the system prompt cures most of it (measured: 33 % of runs down to none).
The directive stands at the end of the system prompt and is the same in every turn, so the provider's prefix cache
holds. That is why it stays in a compaction request as well: that is the conversation so far and one message more, and
without the directive its hundred thousand tokens would be read anew. The last line makes room for such requests.
"""

from typing import Any

from ..models.learned import ENFORCED_SCHEMA, Learned
from ..models.profiles import Profile
from ..wire.codec import dumps_text
from .request_kind import RequestKind
from .tools import Tools

DIRECTIVE = """\
# How to act
- When the next step needs a tool, call it in this very answer; never end an answer by only announcing a step.
- Go on until the task is done. End your turn only with the result, or with a question that only the user can answer.
- Call tools through the tool interface only; never write a call out as text.
- Do not repeat a call that you already have the result of.
- When you are asked for an answer without tools, answer in text."""

_KINDS_WITH_DIRECTIVE = (RequestKind.MAIN, RequestKind.COMPACTION)


def directive_for(kind: RequestKind, profile: Profile, tools: Tools) -> list[str]:
    """The directive, where there are tools to use and a model that needs telling; else nothing."""
    wanted = profile.needs_directive and tools.functions and kind in _KINDS_WITH_DIRECTIVE
    return [DIRECTIVE] if wanted else []


def words_for_refused(fields: dict[str, Any], learned: Learned) -> list[str]:
    """Says in words what the provider has refused to be told by a field of the body."""
    if not learned.dropped_params:
        return []
    words = []
    choice = fields.get("tool_choice")
    if "tool_choice" in learned.dropped_params and choice not in (None, "none"):
        name = choice["function"]["name"] if isinstance(choice, dict) else None
        words.append(f"Answer by calling the tool {name}." if name else "Answer by calling a tool.")
    form = fields.get("response_format")
    if form and learned.dropped_params & {"response_format", ENFORCED_SCHEMA}:
        schema = dumps_text(form["json_schema"]["schema"])
        words.append(f"Answer with one JSON object and nothing else. It must be valid against this schema: {schema}")
    return words
