"""The effective settings: environment over project file over global file. The only reader of the environment.

`SECTION_SCHEMA` is the one model of our section of `.neuroflow/integrations.json`: files are checked against it, and
`integrations.schema.json` is made from it. It is plain JSON Schema and not a class of some library because `status`
must answer in a blink. Other programs keep their own entries in that file, so unknown keys are no fault anywhere.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from .errors import SettingsError
from .wire.hosts import sends_keys_in_the_clear
from .wire.plain_json import InvalidJSON, loads

EINFRA_BASE_URL = "https://llm.ai.e-infra.cz/v1"
DEFAULT_MODEL = "kimi-k2.5"
FIRST_PORT = 4001
TIERS = ("opus", "sonnet", "haiku", "fable")
"""The sizes of Claude's models: Claude Code asks for them by these names, whatever model was chosen."""
LEAST_WINDOW, MOST_WINDOW = 1_000, 100_000_000
"""In tokens. What is beyond them is no model's context window."""
INTEGRATIONS_NAME = Path(".neuroflow") / "integrations.json"
SECTION = "custom_llm"

_HTTP_URL = r"^\s*https?://"
_NOT_EMPTY = r"\S"
_SEARCH_SERVICE = r"^\s*(ddgs|https?://\S+)\s*$"
_WORDS_FOR = {
    _HTTP_URL: "an http(s) URL",
    _NOT_EMPTY: "a string that is not empty",
    _SEARCH_SERVICE: "ddgs, or the http(s) URL of a SearXNG instance",
}
"""What a text must be that one of these patterns is to find."""

SECTION_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "The model service that Claude Code is connected to, and the local proxy in between.",
    "properties": {
        "provider": {
            "type": "string",
            "default": "einfra",
            "description": "Name of the provider, as it is shown: einfra, openrouter, custom, …",
        },
        "base_url": {
            "type": "string",
            "pattern": _HTTP_URL,
            "default": EINFRA_BASE_URL,
            "description": "Base URL of the provider's OpenAI-compatible API, the part before /chat/completions.",
        },
        "allow_http": {
            "type": "boolean",
            "default": False,
            "description": "Allow an unencrypted base URL (http) on another machine: everybody on the way there can"
            " read the key and the conversation.",
        },
        "api_key": {
            "type": "string",
            "default": "",
            "writeOnly": True,
            "description": "The provider's API key. A secret: nobody else may read this file.",
        },
        "model": {
            "type": "string",
            "pattern": _NOT_EMPTY,
            "default": DEFAULT_MODEL,
            "description": "Model id for the main conversation.",
        },
        "small_model": {
            "type": ["string", "null"],
            "pattern": _NOT_EMPTY,
            "default": None,
            "description": "Model id for small requests in the background, such as titles. By default the main model.",
        },
        "tiers": {
            "type": "object",
            "properties": {tier: {"type": "string", "pattern": _NOT_EMPTY} for tier in TIERS},
            "default": {},
            "description": "Model ids by Claude Code's tier. By default haiku is the small model, others the main one.",
        },
        "context_windows": {
            "type": "object",
            "additionalProperties": {"type": "integer", "minimum": LEAST_WINDOW, "maximum": MOST_WINDOW},
            "default": {},
            "description": "Context windows in tokens, by model id, as the provider reports them. By default those of"
            " the model's family.",
        },
        "proxy_mode": {
            "enum": ["custom", "direct"],
            "default": "custom",
            "description": "custom: through the local proxy; direct: without it, to the provider's own Messages API.",
        },
        "proxy_port": {
            "type": "integer",
            "minimum": 1,
            "maximum": 65535,
            "default": FIRST_PORT,
            "description": "Port of the local proxy on 127.0.0.1.",
        },
        "fallback_models": {
            "type": "array",
            "items": {"type": "string", "pattern": _NOT_EMPTY},
            "default": [],
            "description": "Model ids to try, in this order, when the chosen model is down or overloaded.",
        },
        "max_concurrent_requests": {
            "type": ["integer", "null"],
            "minimum": 1,
            "maximum": 1000,
            "default": None,
            "description": "How many requests may run at once. By default the limit that the provider reports, else 2.",
        },
        "idle_minutes": {
            "type": ["integer", "null"],
            "minimum": 1,
            "maximum": 10080,
            "default": None,
            "description": "Minutes without a request after which the proxy stops by itself. By default never.",
        },
        "directive": {
            "type": "boolean",
            "default": True,
            "description": "Tell models that need it, in the system prompt, to act and not just to announce it.",
        },
        "second_try": {
            "type": "boolean",
            "default": True,
            "description": "Ask the model again, once and unseen, after a turn of only reasoning or an announcement, or"
            " whose call was lost.",
        },
        "web_search": {
            "type": ["string", "null"],
            "pattern": _SEARCH_SERVICE,
            "default": None,
            "description": "Service for web search: ddgs, or the URL of a SearXNG instance. By default search is off.",
        },
        "auto_mode": {
            "enum": ["off", "model", "local"],
            "default": "off",
            "description": "What judges actions in Claude Code's auto mode. off: nothing, and you are asked; model: the"
            " provider's model; local: Claude Code's own check on the small model, a long request for each action.",
        },
        "proxy_token": {
            "type": ["string", "null"],
            "default": None,
            "writeOnly": True,
            "description": "Access token that the local proxy demands of Claude Code. A secret.",
        },
    },
}


VARIABLES = {
    "OPENAI_API_KEY": "The provider's API key. Overrides `api_key`.",
    "OPENAI_BASE_URL": "The provider's base URL. Overrides `base_url`; `context_windows` then does not count.",
    "BIG_MODEL": "Model id for the main conversation. Overrides `model`; `small_model` and `tiers` then do not count.",
    "SMALL_MODEL": "Model id for small background requests. Overrides `small_model`.",
    "NEUROFLOW_PROXY_TOKEN": "Access token that the proxy demands of its clients. Overrides `proxy_token`.",
    "NEUROFLOW_PROXY_PORT": "Port on 127.0.0.1. Overrides `proxy_port`.",
    "NEUROFLOW_PROXY_ALLOW_HTTP": "`1`: the same as `allow_http`.",
    "NEUROFLOW_PROXY_INTEGRATIONS": "Path of the integrations file to read, in place of the project's or your home's.",
    "NEUROFLOW_PROXY_LOG": "File to log to, in place of standard error.",
    "NEUROFLOW_PROXY_INSTANCE_ID": "Name by which a background proxy is recognized; set-up gives each its own.",
    "PROXY_DEBUG": "`1`: requests and answers are recorded, without keys; see `configure.py record`.",
}
"""The environment variables that the proxy reads, each with what it is for."""


@dataclass(frozen=True, slots=True)
class CustomLlm:
    """Our section of the integrations file, checked, with the defaults filled in."""

    provider: str
    base_url: str
    allow_http: bool
    api_key: str = field(repr=False)
    model: str
    small_model: str | None
    tiers: Mapping[str, str]
    context_windows: Mapping[str, int]
    proxy_mode: Literal["custom", "direct"]
    proxy_port: int
    fallback_models: tuple[str, ...]
    max_concurrent_requests: int | None
    idle_minutes: int | None
    directive: bool
    second_try: bool
    web_search: str | None
    auto_mode: Literal["off", "model", "local"]
    proxy_token: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Settings:
    """What one request is served with. Never holds a default for the key."""

    provider: str
    base_url: str
    api_key: str = field(repr=False)
    model: str
    small_model: str
    tiers: Mapping[str, str]
    context_windows: Mapping[str, int]
    port: int
    token: str | None = field(repr=False)
    fallback_models: tuple[str, ...]
    max_concurrent_requests: int | None
    idle_minutes: int | None
    directive: bool
    second_try: bool
    web_search: str | None
    auto_mode: Literal["off", "model", "local"]
    instance_id: str | None
    log: Path | None
    """Where the log goes; None: to the standard error."""
    recordings: Path | None
    """Where requests and answers are recorded; None, unless PROXY_DEBUG says otherwise: nowhere."""
    path: Path | None
    """The integrations file that was used, if there was one."""


def secrets_of(settings: Settings) -> list[str]:
    """What must stand in no log, no message and no recording."""
    return [secret for secret in (settings.api_key, settings.token) if secret]


def environment() -> dict[str, str]:
    """A copy of the process environment, for those who look into it or hand it on to a child."""
    return dict(os.environ)


def integrations_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the integrations file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "neuroflow integrations",
        "description": "`.neuroflow/integrations.json`: one section for each integration of the project.",
        "type": "object",
        "properties": {SECTION: SECTION_SCHEMA},
    }


def find_integrations(cwd: Path, home: Path, env: Mapping[str, str]) -> Path | None:
    """The integrations file that applies in `cwd`: named by the environment, the project's, or the global one.

    The project's file is looked for from `cwd` upwards. A file without our section does not count.
    """
    named = env.get("NEUROFLOW_PROXY_INTEGRATIONS")
    if named:
        return Path(named)
    candidates = [folder / INTEGRATIONS_NAME for folder in (cwd, *cwd.parents)]
    global_path = home / INTEGRATIONS_NAME
    if global_path not in candidates:
        candidates.append(global_path)
    for path in candidates:
        if path.is_file() and read_section(path) is not None:
            return path
    return None


def file_stamp(path: Path | None) -> list[int] | None:
    """What tells one state of a file from the next without reading it; None if it is not there."""
    if path is None:
        return None
    try:
        status = path.stat()
    except OSError:  # gone for now; whoever replaces it may be half-way
        return None
    return [status.st_mtime_ns, status.st_size, status.st_ino]


def read_section(path: Path) -> CustomLlm | None:
    """Our section of an integrations file, or None if it has none. Raises `SettingsError` in words."""
    try:
        document = loads(path.read_bytes())  # an empty file is no JSON: somebody may be about to write it
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}.") from error
    except InvalidJSON as error:
        raise SettingsError(f"{path} is not valid JSON: {error}.", hint="Fix or remove it.") from error
    if not isinstance(document, dict):
        raise SettingsError(f"{path} is not as it should be: it must hold a JSON object.")
    if SECTION not in document:
        return None
    try:
        return parse_section(document[SECTION])
    except ValueError as error:
        raise SettingsError(f"{path} is not as it should be: {error}.") from error


def parse_section(section: object) -> CustomLlm:
    """Check a section against `SECTION_SCHEMA`. Raises `ValueError` naming each bad field, never its value."""
    if not isinstance(section, dict):
        raise ValueError(f"{SECTION} must be an object")
    values: dict[str, Any] = {}
    problems: list[str] = []
    for name, rule in SECTION_SCHEMA["properties"].items():
        value = section.get(name, rule["default"])
        if isinstance(value, float) and value.is_integer():
            value = int(value)  # JSON has one kind of number
        problem = _complaint(value, rule)
        if problem:
            # The value stays out of it: it may be the key.
            problems.append(f"{SECTION}.{name} must be {problem}")
        else:
            values[name] = _plain(value, rule)
    if not problems and sends_keys_in_the_clear(values["base_url"]) and not values["allow_http"]:
        problems.append(f"{SECTION}.base_url must be an https URL, unless {SECTION}.allow_http is true")
    if problems:
        raise ValueError("; ".join(problems))
    return CustomLlm(**values)


def _plain(value: Any, rule: Mapping[str, Any]) -> Any:
    """A value that was found good, as the rest of the program wants it: without padding, and without unknown keys."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, list):
        return tuple(_plain(item, rule["items"]) for item in value)
    if isinstance(value, dict):
        return {name: _plain(value[name], inner) for name, inner in _rules_within(value, rule).items()}
    return value


def _rules_within(value: Mapping[str, Any], rule: Mapping[str, Any]) -> Mapping[str, Any]:
    """The rule for each field of an object that has one."""
    rest = rule.get("additionalProperties")
    rules = {**dict.fromkeys(value, rest), **rule.get("properties", {})}
    return {name: inner for name, inner in rules.items() if inner is not None and name in value}


def _complaint(value: object, rule: Mapping[str, Any]) -> str | None:
    """What `value` would have to be, if it is not. Knows the keywords that `SECTION_SCHEMA` uses, and no others."""
    if "enum" in rule:
        return None if value in rule["enum"] else f"one of {', '.join(rule['enum'])}"
    if value is None and "null" in rule["type"]:
        return None
    if rule["type"] == "array":
        if not isinstance(value, list):
            return "a list"
        complaints = (_complaint(item, rule["items"]) for item in value)
        return next((f"a list, each item {complaint}" for complaint in complaints if complaint), None)
    if rule["type"] == "object":
        if not isinstance(value, dict):
            return "an object"
        inner = ((name, _complaint(value[name], kind)) for name, kind in _rules_within(value, rule).items())
        return next((f"an object, {name} in it {complaint}" for name, complaint in inner if complaint), None)
    if rule["type"] == "boolean":
        return None if isinstance(value, bool) else "true or false"
    if "integer" in rule["type"]:
        low, high = rule["minimum"], rule["maximum"]
        is_integer = isinstance(value, int) and not isinstance(value, bool)
        return None if is_integer and low <= value <= high else f"a number from {low} to {high}"
    if not isinstance(value, str):
        return "a string"
    pattern = rule.get("pattern", "")
    return None if re.search(pattern, value) else _WORDS_FOR[pattern]


def load_settings(
    env: Mapping[str, str] | None = None, *, cwd: Path | None = None, home: Path | None = None
) -> Settings:
    """Read the effective settings. Raises `SettingsError` if a file is broken or a value is no good.

    A missing key is no error here: the proxy starts without one and says so when it is first needed.
    """
    env = os.environ if env is None else env
    cwd = Path.cwd() if cwd is None else cwd
    home = Path.home() if home is None else home
    path = find_integrations(cwd, home, env)
    section = (read_section(path) if path else None) or parse_section({})
    base_url = (env.get("OPENAI_BASE_URL") or section.base_url).rstrip("/")
    if not base_url.startswith(("http://", "https://")):
        raise SettingsError("OPENAI_BASE_URL is no http(s) URL.", hint=f"For example {EINFRA_BASE_URL}.")
    if not (section.allow_http or _is_on(env, "NEUROFLOW_PROXY_ALLOW_HTTP")):
        refuse_clear_text(base_url)
    own_model = env.get("BIG_MODEL")  # with it, what the file names beside its model means nothing
    model = own_model or section.model
    log = Path(env["NEUROFLOW_PROXY_LOG"]) if env.get("NEUROFLOW_PROXY_LOG") else None
    recordings = log.with_suffix(".recordings") if log else home / INTEGRATIONS_NAME.with_name("recordings")
    return Settings(
        provider=section.provider,
        base_url=base_url,
        api_key=_key(env) or section.api_key,
        model=model,
        small_model=env.get("SMALL_MODEL") or (None if own_model else section.small_model) or model,
        tiers={} if own_model else section.tiers,
        context_windows=section.context_windows if base_url == section.base_url.rstrip("/") else {},
        port=_port(env) or section.proxy_port,
        token=env.get("NEUROFLOW_PROXY_TOKEN") or section.proxy_token,
        fallback_models=section.fallback_models,
        max_concurrent_requests=section.max_concurrent_requests,
        idle_minutes=section.idle_minutes,
        directive=section.directive,
        second_try=section.second_try,
        web_search=section.web_search,
        auto_mode=section.auto_mode,
        instance_id=env.get("NEUROFLOW_PROXY_INSTANCE_ID"),
        log=log,
        recordings=recordings if _is_on(env, "PROXY_DEBUG") else None,
        path=path,
    )


def refuse_clear_text(base_url: str) -> None:
    """Raise `SettingsError` if everybody on the way to the provider could read the key and the conversation."""
    if sends_keys_in_the_clear(base_url):
        raise SettingsError(
            "The base URL is not encrypted and not on this machine: who is on the way could read the key and all else.",
            hint="Use https. Who knows the way to be safe allows it: `configure.py setup --allow-http`, "
            "or NEUROFLOW_PROXY_ALLOW_HTTP=1.",
        )


def _key(env: Mapping[str, str]) -> str:
    key = env.get("OPENAI_API_KEY", "").strip()
    if re.fullmatch(r"[!-~]*", key):
        return key
    # The network's own complaint would quote it.
    raise SettingsError("OPENAI_API_KEY holds spaces, line breaks or letters that no key has.", hint="Set it anew.")


def _is_on(env: Mapping[str, str], name: str) -> bool:
    return env.get(name, "").lower() in ("1", "true", "yes")


def _port(env: Mapping[str, str]) -> int | None:
    raw = env.get("NEUROFLOW_PROXY_PORT")
    if not raw:
        return None
    if not re.fullmatch(r"[0-9]{1,5}", raw) or not 0 < int(raw) < 65536:
        raise SettingsError(f"NEUROFLOW_PROXY_PORT is {raw!r}, which is no port.", hint="Ports are 1 to 65535.")
    return int(raw)
