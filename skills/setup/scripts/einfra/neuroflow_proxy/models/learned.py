"""What a provider has taught us about one model while running: limits and refusals. Obeyed for an hour.

What reads the provider's refusals fills it in; what builds requests obeys it.
"""

from dataclasses import dataclass

FORCED_FUNCTION = "tool_choice.function"
"""No single tool can be forced; `required` is sent instead."""
ENFORCED_SCHEMA = "response_format.json_schema"
"""Schemas are not enforced; plain JSON mode and words are used instead."""
REASONING_BACK = "messages.reasoning_content"
"""Reasoning must not be sent back."""


@dataclass(frozen=True, slots=True)
class Learned:
    """Lessons about one model of one provider. The empty value means: nothing is known beyond the profile.

    `dropped_params` holds what must not be sent any more: names of top-level fields of the Chat Completions body
    (`temperature`, `top_k`, `stop`, `stream_options`, `parallel_tool_calls`, `chat_template_kwargs`,
    `reasoning_effort`, `response_format`, `tool_choice`, …) and the finer ones above.
    """

    no_images: bool = False
    dropped_params: frozenset[str] = frozenset()
    max_output_tokens: int | None = None
    context_window: int | None = None
    simple_schemas: bool = False
    """A tool schema was refused: send only the plainest JSON Schema."""
    reasoning_required: bool = False
    """An assistant message without its reasoning was refused: send it back, with a stand-in where there is none."""


NOTHING_LEARNED = Learned()
