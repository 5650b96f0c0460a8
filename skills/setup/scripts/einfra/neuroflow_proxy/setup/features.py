"""What Claude Code can do only after a choice of the user's: web search and auto mode. The words for it, and the one
setting of Claude Code's own that goes with it.
"""

from pathlib import Path

from ..settings import CustomLlm
from .json_file import parse, read_bytes, section_of
from .undo import Journal, set_fields

OFF = "off"
PERMISSIONS = "permissions"
_MODE = "defaultMode"
_ASKS = "default"
"""Claude Code's name, as of 2.1.330 one of two, for asking before whatever is not allowed by a rule."""

_LEAVES = "what is searched for leaves the academic network"
_SEARCH_OFF = f"Web search is off; `configure.py setup --web-search ddgs` turns it on, and {_LEAVES}."
_AUTO_MODE = {
    "off": [
        "Auto mode is off: Claude Code asks before each action that no rule allows.",
        "  `--auto-mode model`: the provider's model decides; fewer questions, some seconds each, can be wrong.",
        "  `--auto-mode local`: the small model decides, by Claude Code's own rules; a request of 144 KB each.",
    ],
    "model": [
        "Auto mode: the provider's model decides on each action, which takes some seconds and can be wrong.",
        "  Where it cannot tell, you are asked.",
    ],
    "local": [
        "Auto mode: the small model decides by Claude Code's own rules, in a request of 144 KB for each action.",
        "  Where it cannot tell, the action is refused.",
    ],
}


def words_on_features(section: CustomLlm) -> list[str]:
    """What is on, what is off, and how that is changed. Empty in direct mode, where there is no proxy to do it."""
    if section.proxy_mode == "direct":
        return []
    searching = f"Web search: {section.web_search}; {_LEAVES}." if section.web_search else _SEARCH_OFF
    return [searching, *_AUTO_MODE[section.auto_mode]]


def set_permission_mode(path: Path, section: CustomLlm, journal: Journal) -> bool:
    """Have Claude Code ask, where nobody could judge in auto mode, its default. Returns whether the file was changed.

    A mode that somebody else has set stays.
    """
    asks = section.proxy_mode == "custom" and section.auto_mode == OFF
    ours = (str(path.resolve()), PERMISSIONS) in {(entry.path, entry.section) for entry in journal.entries()}
    has_one = _MODE in section_of(path, parse(path, read_bytes(path)), PERMISSIONS)
    if not ours and (has_one or not asks):
        return False
    return set_fields(path, journal, section=PERMISSIONS, fields={_MODE: _ASKS} if asks else {})
