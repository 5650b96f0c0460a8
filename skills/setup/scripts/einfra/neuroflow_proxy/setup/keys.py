"""Where the provider's API key comes from. A key is never an argument's value and is shown by its last four letters.

A key belongs to the service that made it. One that merely lies about is offered to a person who can say no, but is
never sent to another service unasked.
"""

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from ..errors import SettingsError
from ..presets import EINFRA, OWN_KEY, PRESETS, preset_of
from ..settings import CustomLlm
from ..wire.hosts import is_this_machine

EINFRA_VARIABLES = EINFRA.variables
OPENAI_VARIABLE = "OPENAI_API_KEY"
OPENAI_BASE_URL = "https://api.openai.com/v1"
_LONGEST_KEY = 8192


@dataclass(frozen=True, slots=True)
class Key:
    """A key and where it was found, in words."""

    value: str = field(repr=False)
    source: str

    @property
    def shown(self) -> str:
        return last_four(self.value)


NO_KEY = Key("", "nowhere")


def last_four(key: str) -> str:
    """All of a key that is ever shown. Of a short one, nothing."""
    return f"…{key[-4:]}" if len(key) >= 12 else "…"


def where_keys_are_made(base_url: str) -> str:
    """Where somebody finds a key that the provider takes."""
    preset = preset_of(base_url)
    if preset:
        return preset.where_keys_are_made
    host = urlsplit(base_url).hostname
    return OWN_KEY if is_this_machine(base_url) else f"Keys are made at the account pages of {host}."


def provider_name(base_url: str) -> str:
    """What a provider is called in the settings and in messages."""
    preset = preset_of(base_url)
    return preset.name if preset else urlsplit(base_url).hostname or "custom"


def is_einfra(base_url: str) -> bool:
    return preset_of(base_url) is EINFRA


def looks_like_a_jwt(key: str) -> bool:
    return re.fullmatch(r"eyJ[\w-]*\.[\w-]+\.[\w-]*", key, re.ASCII) is not None


def checked(raw: str, source: str) -> Key:
    """A key as it was pasted or read, made fit for a header. Raises `SettingsError` without quoting it."""
    value = raw.removeprefix("\ufeff").strip()
    if not value:
        raise SettingsError(f"There is no key in {source}.")
    if not re.fullmatch(r"[!-~]+", value) or len(value) > _LONGEST_KEY:
        raise SettingsError(
            f"What stands in {source} is no API key: it holds spaces, line breaks or letters that no key has.",
            hint="Give the key alone, on one line.",
        )
    return Key(value, source)


def key_from_flags(*, from_stdin: bool, variable: str | None, file: Path | None, env: Mapping[str, str]) -> Key | None:
    """The key that `--key-stdin`, `--key-env NAME` or `--key-file PATH` points to, if one of them was given."""
    if from_stdin:
        if sys.stdin.isatty():
            raise SettingsError(
                "--key-stdin reads the key from a pipe, and this is a terminal, which would show it.",
                hint="Leave the flag out, and set-up asks for the key without showing it.",
            )
        return checked(sys.stdin.buffer.readline(_LONGEST_KEY + 2).decode("utf-8", "replace"), "standard input")
    if variable:
        if variable not in env:
            raise SettingsError("The variable that --key-env names is not set.", hint="Export it first.")
        return checked(env[variable], f"the variable {variable}")
    if file:
        try:
            return checked(file.read_text("utf-8"), str(file))
        except OSError as error:
            raise SettingsError(f"The file that --key-file names cannot be read: {error.strerror}.") from error
        except UnicodeDecodeError as error:
            raise SettingsError("The file that --key-file names is no text file.") from error
    return None


def found_keys(base_url: str, env: Mapping[str, str], files: Sequence[tuple[Path, CustomLlm]]) -> list[Key]:
    """Keys of the service at `base_url` that are lying about: in the environment, then in `files`, each only once."""
    homes = [(name, preset.base_url) for preset in PRESETS for name in preset.variables]
    homes.append((OPENAI_VARIABLE, env.get("OPENAI_BASE_URL") or OPENAI_BASE_URL))
    found = [(env.get(name, ""), f"the variable {name}", home) for name, home in homes]
    found += [(section.api_key, str(path), section.base_url) for path, section in files]
    keys: dict[str, Key] = {}
    for raw, source, home in found:
        if raw.strip() and urlsplit(home).netloc == urlsplit(base_url).netloc:
            key = checked(raw, source)
            keys.setdefault(key.value, key)
    return list(keys.values())
