"""The questions, asked of a person at a terminal. The only importer of questionary.

Whoever comes here has made sure that there is a terminal: on a pipe questionary silently takes the first choice.
"""

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import questionary

from ..errors import ProxyError, SettingsError, UpstreamError
from ..presets import PRESETS, preset_of
from ..settings import TIERS
from ..wire.hosts import is_this_machine
from .asker import Mode, SideModels, Way
from .catalog import Choice, is_stand_in, is_up, recommended
from .connect import Connect
from .integrations import Scope
from .keys import NO_KEY, Key, checked, where_keys_are_made
from .model_table import table
from .urls import to_base_url

_STYLE = questionary.Style([("highlighted", "bold"), ("pointer", "bold"), ("instruction", "fg:ansibrightblack")])
_MARGIN = 4  # the pointer before each row, and a column that terminals keep for the end of the line
_INDENT = "   "  # as questionary indents rows, for the pointer
_SCOPES = {Scope.PROJECT: "this project", Scope.MACHINE: "everything I do on this machine"}


class Terminal:
    """An `Asker` that asks. Ctrl-C raises `KeyboardInterrupt`. Paths below `home` are shown as people write them."""

    def __init__(self, home: Path) -> None:
        self._home = home

    def base_url(self, default: str) -> str:
        choices = [questionary.Choice(preset.title, value=preset.base_url) for preset in PRESETS]
        if preset_of(default) is None:
            choices.insert(1, questionary.Choice(default, value=default))
        choices.append(questionary.Choice("another OpenAI-compatible service", value=""))
        preset = preset_of(default)
        chosen: str = _choose("Which service?", choices, preset.base_url if preset else default)
        if chosen:
            return chosen
        typed: str = _answer(questionary.text("Its base URL, or just its host:", validate=_accepts(to_base_url)))
        return to_base_url(typed)

    def allows_http(self, base_url: str) -> bool:
        questionary.print(
            f"{base_url} is not encrypted: everybody on the way there can read the key and the conversation."
        )
        return _confirm("Use it all the same?", default=False)

    def key(self, base_url: str, found: Sequence[Key], refusal: UpstreamError | None) -> Key:
        if refusal:
            questionary.print(f"{refusal.message}\n{refusal.hint}\n")
        if found:
            choices = [questionary.Choice(f"{key.shown} from {self._short(key.source)}", value=key) for key in found]
            known: Key = _choose("Which API key?", [*choices, questionary.Choice("another one", value=NO_KEY)])
            if known is not NO_KEY:
                return known
        if is_this_machine(base_url):
            question = "API key, or just Enter if it needs none:"
            return _as_local_key(_answer(questionary.password(question, validate=_accepts(_as_local_key))))
        if not refusal:
            questionary.print(where_keys_are_made(base_url))
        return checked(_answer(questionary.password("API key:", validate=_accepts(_as_key))), "your typing")

    def model(self, choices: Sequence[Choice], current: str | None) -> str:
        best = recommended(choices)
        if best and best.id != current and is_stand_in(best):
            questionary.print(f"{best.id} is {best.note}.")
        # Where the cursor stands first: on what is in use, unless that does not answer now.
        default = next((choice.id for choice in choices if choice.id == current and is_up(choice)), None)
        head, rows = _models(choices, current)
        chosen: str = _search("Which model?", head, rows, default)
        return chosen

    def model_name(self, base_url: str, current: str | None) -> str:
        typed: str = _answer(
            questionary.text(
                "The id of the model:",
                default=current or "",
                validate=lambda text: bool(text.strip()) or "Type its name.",
            )
        )
        return typed.strip()

    def side_models(self, choices: Sequence[Choice], current: SideModels) -> SideModels:
        each = "one for each of opus, sonnet, haiku and fable"
        beside = [questionary.Choice("the same", value=""), questionary.Choice(each, value=each)]
        default = each if current.tiers else current.small or ""
        question = "Which model for small work in the background?"
        head, rows = _models(choices, current.small)
        chosen = _search(question, head, [*beside, *rows], default)
        return self._tiers(choices, current) if chosen == each else SideModels(chosen or None, {})

    def _tiers(self, choices: Sequence[Choice], current: SideModels) -> SideModels:
        """What Claude Code calls haiku is the small work."""
        known = {"haiku": current.small, **current.tiers}
        chosen = {}
        for tier in TIERS:
            same = questionary.Choice("the one for the conversation", value="")
            question = f"Which model where Claude Code asks for {tier}?"
            head, rows = _models(choices, known.get(tier))
            chosen[tier] = _search(question, head, [same, *rows], known.get(tier) or "")
        small = chosen.pop("haiku")
        return SideModels(small or None, {tier: model for tier, model in chosen.items() if model})

    def scope(self, default: Scope, paths: Mapping[Scope, Path], obstacles: Mapping[Scope, SettingsError]) -> Scope:
        if paths[Scope.PROJECT] == paths[Scope.MACHINE]:
            return Scope.MACHINE
        for problem in obstacles.values():
            questionary.print(f"{problem.message}\n{problem.hint}")
        free = [scope for scope in Scope if scope not in obstacles]
        if not free:
            return default
        choices = [
            questionary.Choice(
                f"{_SCOPES[scope]}: {self._short(paths[scope])}",
                value=scope,
                disabled=None if scope in free else "not now, see above",
            )
            for scope in Scope
        ]
        chosen: Scope = _choose("Where should this apply?", choices, default if default in free else free[0])
        return chosen

    def way(self, settings: Path, direct_url: str, current: Mode) -> Way:
        here = Way(Connect.SETTINGS, "custom")
        choices = [
            questionary.Choice(f"in its settings, so that `claude` just works: {self._short(settings)}", value=here),
            questionary.Choice("start it now, and leave its settings alone", value=Way(Connect.LAUNCH, "custom")),
            questionary.Choice("with lines that I paste into my shell", value=Way(Connect.PRINT, "custom")),
        ]
        direct = Way(Connect.SETTINGS, "direct")
        if direct_url:
            choices.append(
                questionary.Choice("without the proxy, directly to the provider, with all its faults", value=direct)
            )
        chosen: Way = _choose(
            "How should Claude Code be connected?", choices, direct if direct_url and current == "direct" else here
        )
        return chosen if direct_url else Way(chosen.connect, current)

    def skips_login(self) -> bool:
        questionary.print("Claude Code has never been started here, and would first ask for an account at Anthropic.")
        return _confirm("Skip that?", default=True)

    def shares(self, folder: Path) -> bool:
        return _confirm(f"Keep provider and models, not the key, in {self._short(folder)} too?", default=True)

    def takes_instead(self, verdict: str, other: str) -> bool:
        questionary.print(verdict)
        return _confirm(f"Take {other} instead?", default=True)

    def _short(self, words: object) -> str:
        return str(words).replace(f"{self._home}{os.sep}", f"~{os.sep}")


def _search(question: str, head: str, choices: Sequence[questionary.Choice], default: Any) -> Any:
    """Choose from a list that may be long: typing searches it. Of the row that was taken, only its name stays.

    The head of the table is no row (a `Separator`): questionary finds, points at and takes such a row like any other as
    soon as something was typed, and with one row found it looks for another one for ever, deaf to Ctrl-C.
    """
    chosen = _choose(
        question,
        choices,
        default,
        use_search_filter=True,
        use_jk_keys=False,
        instruction=f"(arrow keys, or type to search)\n{_INDENT}{head}",
        erase_when_done=True,
    )
    title = next(choice.title for choice in choices if choice.value == chosen)
    questionary.print(f"? {question} {chosen or title}")
    return chosen


def _choose(question: str, choices: Sequence[questionary.Choice], default: Any = None, **how: Any) -> Any:
    """The value of the choice that a person takes; the cursor stands first on the one whose value is `default`."""
    first = next((choice for choice in choices if default is not None and choice.value == default), None)
    return _answer(questionary.select(question, choices=choices, default=first, style=_STYLE, **how))


def _confirm(question: str, *, default: bool) -> bool:
    chosen: bool = _answer(questionary.confirm(question, default=default, style=_STYLE))
    return chosen


def _answer(question: questionary.Question) -> Any:
    """What a person answers. Ctrl-D, which says that nothing more will come, is Ctrl-C."""
    try:
        return question.unsafe_ask()
    except EOFError:
        raise KeyboardInterrupt from None


def _models(choices: Sequence[Choice], current: str | None) -> tuple[str, list[questionary.Choice]]:
    """The head of the table, and its rows."""
    listed = table(choices, current, width=shutil.get_terminal_size().columns - _MARGIN)
    rows = zip(listed.rows, choices, strict=True)
    return listed.head, [questionary.Choice(row, value=choice.id) for row, choice in rows]


def _as_local_key(text: str) -> Key:
    return _as_key(text) if text.strip() else NO_KEY


def _as_key(text: str) -> Key:
    return checked(text, "this line")


def _accepts(parse: Callable[[str], object]) -> Callable[[str], bool | str]:
    """A validator that says, in the words of the error, what `parse` has against a text."""

    def validate(text: str) -> bool | str:
        try:
            parse(text)
        except ProxyError as error:
            return error.full_message
        return True

    return validate
