"""What Claude Code can do only after a choice of the user's: web search and auto mode. The words for it, and the one
setting of Claude Code's own that goes with it.
"""

from collections.abc import Mapping
from pathlib import Path

from ..settings import CustomLlm
from .json_file import parse, read_bytes, section_of
from .undo import Journal, set_fields

OFF = "off"
PERMISSIONS = "permissions"
_MODE, _AUTO = "defaultMode", "auto"
_NO_AUTO_MODE = {"disableAutoMode": "disable"}
"""Then Claude Code 2.1.330 begins in the mode that asks, as before there was auto mode, and does not offer the other.
It does offer it, with the answer yes at hand, to whoever has `defaultMode` in the user's settings.
"""

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


def allow_auto_mode(path: Path, section: CustomLlm, journal: Journal) -> bool:
    """Keep Claude Code from auto mode, its default, where nobody could judge in it, and give it back where somebody
    can. Returns whether the file was changed.
    """
    fields = permissions(path, section, journal)
    return fields is not None and set_fields(path, journal, section=PERMISSIONS, fields=fields)


def permissions(path: Path, section: CustomLlm, journal: Journal) -> Mapping[str, str] | None:
    """Our part of Claude Code's permissions; None if nothing of it is ours.

    With which mode a session begins is not. Who has chosen auto mode all the same keeps it.
    """
    is_off = section.proxy_mode == "custom" and section.auto_mode == OFF
    ours = (str(path.resolve()), PERMISSIONS) in {(entry.path, entry.section) for entry in journal.entries()}
    is_chosen = section_of(path, parse(path, read_bytes(path)), PERMISSIONS).get(_MODE) == _AUTO
    if not ours and (is_chosen or not is_off):
        return None
    return _NO_AUTO_MODE if is_off else {}
