"""Where Claude Code takes its variables from, and which source wins. Reads; `connect.py` writes.

Claude Code lays the `env` of its settings files over the variables of the shell that started it, so a line that was
pasted into a shell can be without effect.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..wire.messages_api import LISTED_AS
from ..wire.plain_json import InvalidJSON, loads
from .claude_code import BASE_URL, TOKEN, Variable
from .place import Place
from .platforms import managed_settings

SHELL = "the shell"
BESIDE_VARIABLES = {"skipWebFetchPreflight": True}
"""What is set beside the variables. Else Claude Code asks Anthropic about the host of every page that it is to fetch:
who works with another provider need not tell it, and may not reach it.
"""


@dataclass(frozen=True, slots=True)
class Source:
    """One place that variables come from. `problem` says why it counts for nothing, if it does."""

    name: str
    path: Path | None
    env: Mapping[str, str]
    problem: str = ""

    def leads_to(self, wanted: Variable) -> bool:
        """Whether a variable of its own leads where we want it to; a slash at the end of an address means nothing."""
        return self.env[wanted.name].rstrip("/") == wanted.value


@dataclass(frozen=True, slots=True)
class Outranked:
    """A variable without which no request arrives, and the file that sets it to something else than we do."""

    name: str
    path: Path

    @property
    def words(self) -> str:
        return (
            f"But {self.path} sets {self.name} to something else, and overrides this: Claude Code is not connected "
            "here until you take it out."
        )


def project_settings(folder: Path) -> Path:
    """A project's settings that are nobody else's: git is to ignore this file."""
    return folder / ".claude" / "settings.local.json"


def repository_root(folder: Path) -> Path | None:
    """The root of the repository that a folder is in. Seen with 2.1.330: a Claude Code that is started further down
    reads the local settings there, over those of its own folder, but not the shared ones. Of a linked work tree that is
    the root of the main one, and never its own; with a bare repository there is none. Without a repository it looks
    into its own folder alone, as 2.1.197 always did.
    """
    root = next((one for one in (folder, *folder.parents) if (one / ".git").exists()), None)
    if root is None or (root / ".git").is_dir():
        return root
    try:
        git = root / (root / ".git").read_text("utf-8").removeprefix("gitdir:").strip()
        common = (git / (git / "commondir").read_text("utf-8").strip()).resolve()
    except (OSError, UnicodeDecodeError):  # that file is in linked work trees alone: a submodule is on its own
        return root
    return common.parent if common.name == ".git" else None


def user_settings(place: Place) -> Path:
    """The settings for everything that this user does."""
    return claude_folder(place) / "settings.json"


def claude_folder(place: Place) -> Path:
    named = place.env.get("CLAUDE_CONFIG_DIR")
    return Path(named) if named else place.home / ".claude"


def sources(place: Place) -> list[Source]:
    """Every source of variables for a Claude Code that is started here, the strongest first."""
    root = repository_root(place.cwd)
    files = [
        ("managed settings", managed_settings(place.platform)),
        *([("the repository's local settings", project_settings(root))] if root not in (None, place.cwd) else []),
        ("the project's local settings", project_settings(place.cwd)),
        ("the project's shared settings", place.cwd / ".claude" / "settings.json"),
        ("the user's settings", user_settings(place)),
    ]
    return [*(_read(name, path) for name, path in files), Source(SHELL, None, place.env)]


def model_saved_for_no_proxy(place: Place) -> str | None:
    """The proxy's model that Claude Code begins with though nothing leads it to a proxy here; None if there is none.

    `/model` saves what was chosen with Enter in the user's settings, from where it reaches every folder.
    """
    if any(BASE_URL in source.env for source in sources(place) if source.path):
        return None
    try:
        model = loads(user_settings(place).read_bytes())["model"]
    except (OSError, InvalidJSON, KeyError, TypeError):
        return None
    return model if str(model).startswith(LISTED_AS) else None


def winner(found: Sequence[Source], name: str) -> Source | None:
    """The source that decides over a variable."""
    return next((source for source in found if name in source.env), None)


def outranking(wanted: Iterable[Variable], place: Place) -> Outranked | None:
    """What keeps a Claude Code that is started here from asking whom it should; None if nothing does."""
    found = sources(place)
    for variable in wanted:
        source = winner(found, variable.name) if variable.name in (BASE_URL, TOKEN) else None
        if source and source.path and not source.leads_to(variable):
            return Outranked(variable.name, source.path)
    return None


def _read(name: str, path: Path) -> Source:
    try:
        document = loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return Source(name, path, {})
    except OSError as error:
        return Source(name, path, {}, f"it cannot be read ({error.strerror})")
    except InvalidJSON as error:
        return Source(name, path, {}, f"it is not valid JSON ({error})")
    env = document.get("env", {}) if isinstance(document, dict) else None
    if not isinstance(env, dict):
        return Source(name, path, {}, "it is not as it should be")
    return Source(name, path, {key: str(value) for key, value in env.items()})
