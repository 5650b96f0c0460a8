"""Which model answers: the client asks for a tier (`claude-opus-…`, `haiku`) or a model; the settings say what that is.

No Claude name is ever sent to a provider that does not list it: Claude Code asks for its own tiers (subagents, the
classifier) whatever model was chosen, and each of them has to be somebody.
"""

from collections.abc import Collection, Mapping

from ..wire.messages_api import LISTED_AS

_LARGE_WINDOW = "[1m]"
_CLAUDE = "claude-"
_BIG_TIERS = ("opus", "sonnet", "fable", "default", "best", "opusplan")
_SMALL_TIERS = ("haiku",)


def plain_name(requested: str) -> str:
    """The model name without what clients put around it: `anthropic/` before, `[1m]` behind."""
    name = requested.strip()
    while name.lower().endswith(_LARGE_WINDOW):
        name = name[: -len(_LARGE_WINDOW)].rstrip()
    return name[len(LISTED_AS) :] if name.lower().startswith(LISTED_AS) else name


def resolve_model(
    requested: str,
    *,
    big: str,
    small: str,
    tiers: Mapping[str, str] | None = None,
    known: Collection[str] = (),
) -> str:
    """The provider's model id for the name that a client asked for. Never fails.

    `known` are the ids that the provider lists. `tiers` are what the user chose for words in Claude's names (`opus`);
    where none is found, `haiku` means `small` and everything else `big`. Any other name is taken for a model id.
    """
    name = plain_name(requested)
    lowered = name.lower()
    # `claude-<id>` is another way to bring an id past the picker.
    for candidate in dict.fromkeys((lowered, lowered.removeprefix(_CLAUDE))):
        same = [known_id for known_id in known if known_id.lower() == candidate]
        if same:
            return min(same)
    if name and "claude" not in lowered and lowered not in (*_BIG_TIERS, *_SMALL_TIERS):
        return name
    for word, model in (tiers or {}).items():
        if word.lower() in lowered:
            return model
    return small if any(tier in lowered for tier in _SMALL_TIERS) else big
