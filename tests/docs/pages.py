"""Tables in the documentation that are made from the program's own data; a test keeps each equal to what it is made of.

Run the test with NEUROFLOW_TEST_UPDATE=1 to write them into the pages.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from neuroflow_proxy.models.profiles import FAMILIES, GENERIC, Profile, Replay
from neuroflow_proxy.presets import PRESETS
from neuroflow_proxy.settings import SECTION_SCHEMA, VARIABLES

ROOT = Path(__file__).parents[2]


def is_up_to_date(page: str, name: str, table: str) -> bool:
    """Whether the page holds this table between the marks of that name; with NEUROFLOW_TEST_UPDATE it does then."""
    path = ROOT / page
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
    text = path.read_text("utf-8")
    before, rest = text.split(begin)
    wanted = f"{before}{begin}{table}\n{end}{rest.split(end)[1]}"
    if os.environ.get("NEUROFLOW_TEST_UPDATE"):
        path.write_text(wanted, "utf-8")
        return True
    return text == wanted


def settings_table() -> str:
    """The fields of our section of the integrations file."""
    rows = [
        (f"`{name}`", _kind(rule), _default(rule["default"]), rule["description"])
        for name, rule in SECTION_SCHEMA["properties"].items()
    ]
    return _table(("Field", "Value", "Default", "Meaning"), rows)


def variables_table() -> str:
    return _table(("Variable", "Meaning"), [(f"`{name}`", meaning) for name, meaning in VARIABLES.items()])


def presets_table() -> str:
    rows = [
        (
            f"`{preset.name}`",
            preset.title,
            f"`{preset.base_url}`",
            preset.keys_page or "no key",
            ", ".join(f"`{variable}`" for variable in preset.variables),
        )
        for preset in PRESETS
    ]
    return _table(("Name", "Provider", "Base URL", "Get a key at", "Variables that hold it"), rows)


def models_table() -> str:
    """The families of models, in the order in which they are tried."""
    head = ("Model id has", "Family", "Window", "Sees images", "Reasons", "Reasoning sent back as", "Tool call ids")
    families = [(f"`{pattern}`", profile) for pattern, profile in FAMILIES]
    return _table(head, [_family(pattern, profile) for pattern, profile in (*families, ("anything else", GENERIC))])


def _family(pattern: str, profile: Profile) -> tuple[str, ...]:
    replay = profile.replay.value.replace("<", "&lt;")
    if profile.replay is not Replay.NONE and profile.reasoning_required:
        replay += ", required"
    return (
        pattern,
        profile.family,
        f"{profile.context_window:,}",
        {True: "yes", False: "no", None: "if it does not refuse"}[profile.sees_images],
        _reasons(profile),
        replay,
        profile.tool_ids.value,
    )


def _reasons(profile: Profile) -> str:
    thinking = profile.thinking
    if thinking.always:
        return "always"
    if thinking.on is None:
        return "no"
    return f"from effort {thinking.adaptive_from}" if thinking.adaptive_from != "low" else "when asked to"


def _kind(rule: Mapping[str, Any]) -> str:
    if "enum" in rule:
        return " or ".join(f"`{value}`" for value in rule["enum"])
    kinds = rule["type"] if isinstance(rule["type"], list) else [rule["type"]]
    if "array" in kinds:
        return "list of strings"
    if "object" in kinds:
        if "additionalProperties" in rule:
            return f"object of numbers from {rule['additionalProperties']['minimum']} up"
        return "object with " + ", ".join(f"`{name}`" for name in rule["properties"])
    if "integer" in kinds:
        return f"{rule['minimum']} to {rule['maximum']}"
    return "`true` or `false`" if "boolean" in kinds else "string"


def _default(value: object) -> str:
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value}`" if value else ""


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)
