"""The two skill files follow the rules of all who read them: the open standard, Claude Code, the skill installers."""

import re
from pathlib import Path

import pytest
import skills_ref

from neuroflow_proxy.presets import PRESETS
from neuroflow_proxy.setup.keys import OPENAI_VARIABLE

ROOT = Path(__file__).parents[2]
PORTABLE, OURS = ROOT / "SKILL.md", ROOT / "skills" / "setup" / "SKILL.md"

both = pytest.mark.parametrize("skill", [PORTABLE, OURS], ids=["portable", "setup"])


def front_matter(skill: Path) -> tuple[dict[str, str], str]:
    """The top-level keys with their text, and the body."""
    opening, header, body = skill.read_text(encoding="utf-8").split("---\n", 2)
    assert opening == ""
    entries = re.findall(r"(?m)^([a-z-]+):[ ]?(.*(?:\n[ ]+.*)*)", header)
    return dict(entries), body


@both
def test_the_validator_of_the_open_standard_finds_no_fault(skill: Path, tmp_path: Path) -> None:
    """In a folder of the skill's name, as the standard wants it and installers make it."""
    name = front_matter(skill)[0]["name"]
    folder = tmp_path / name
    folder.mkdir()
    (folder / "SKILL.md").write_bytes(skill.read_bytes())
    assert skills_ref.validate(folder) == []


def test_no_word_of_the_program_names_a_command_that_the_plugin_does_not_have() -> None:
    sources = OURS.parent.glob("scripts/**/*.py")
    named = {name for source in sources for name in re.findall(r"/neuroflow:([a-z]+)", source.read_text("utf-8"))}
    assert named == {skill.parent.name for skill in (ROOT / "skills").glob("*/SKILL.md")}


def test_the_setup_skill_is_valid_where_it_is() -> None:
    assert skills_ref.validate(OURS.parent) == []


@both
def test_a_skill_that_starts_a_server_waits_to_be_asked(skill: Path) -> None:
    """Claude Code's `disable-model-invocation` would say it harder, but the open standard refuses a file with it."""
    assert "Use when the person asks" in front_matter(skill)[0]["description"]


@both
def test_every_variable_that_may_hold_a_key_is_declared(skill: Path) -> None:
    """Registries compare what a skill declares with what its scripts read."""
    declared = re.findall(r"- name: (\w+)", front_matter(skill)[0]["metadata"])
    assert set(declared) == {OPENAI_VARIABLE, *(name for preset in PRESETS for name in preset.variables)}


@both
def test_names_and_descriptions_are_within_their_limits(skill: Path) -> None:
    header, body = front_matter(skill)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", header["name"])
    assert len(header["name"]) <= 64
    assert 40 <= len(header["description"]) <= 1024
    assert len(body.splitlines()) < 200


@both
def test_the_header_is_in_block_style(skill: Path) -> None:
    """The standard's validator parses with strictyaml, to which `[a, b]` and `{a: b}` are errors."""
    header, _ = front_matter(skill)
    values = [line.partition(":")[2].strip() for line in header.get("metadata", "").splitlines()]
    assert [value for value in values if value.startswith(("[", "{"))] == []


def test_every_command_in_the_setup_skill_is_one_that_it_may_run() -> None:
    """The rule is compared with the command's text, quotes included."""
    header, body = front_matter(OURS)
    allowed = re.findall(r"Bash\((.+?) \*\)", header["allowed-tools"])
    commands = re.findall(r"(?m)^\s*(uv run .+)$", body)
    assert commands
    assert [command for command in commands if not command.startswith(tuple(f"{rule} " for rule in allowed))] == []


@both
def test_every_file_that_a_skill_points_to_is_there(skill: Path) -> None:
    _, body = front_matter(skill)
    named = re.findall(r"\]\(([^)#:]+)\)|\$\{CLAUDE_SKILL_DIR\}/([\w./-]+)", body)
    paths = [link or file for link, file in named]
    assert paths
    assert [path for path in paths if not (skill.parent / path).exists()] == []


@both
def test_no_skill_runs_a_command_while_it_is_read(skill: Path) -> None:
    """`!` before a code span runs it at once, and any failure there aborts the whole skill."""
    assert "!`" not in skill.read_text(encoding="utf-8")
