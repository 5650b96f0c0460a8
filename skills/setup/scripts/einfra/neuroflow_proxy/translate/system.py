"""The system prompt: the client's, in all the forms in which it comes, as texts."""

from typing import Any

from .texts import block_texts

_BILLING = "x-anthropic-billing-header:"


def system_texts(system: Any) -> list[str]:
    """The texts of the `system` field, without Claude Code's attribution line.

    That line leads the prompt and differs from one conversation (in older versions: request) to the next, so that no
    prefix would ever be found in the provider's cache.
    """
    if system is None:
        return []
    texts = block_texts(system, "system")
    if texts and texts[0].startswith(_BILLING):
        rest = texts[0].partition("\n")[2].lstrip("\n")
        texts[:1] = [rest] if rest.strip() else []
    return texts
