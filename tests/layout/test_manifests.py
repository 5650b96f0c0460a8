"""Every file that says the same thing as another says the same thing."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from neuroflow_proxy.settings import integrations_schema
from neuroflow_proxy.version import VERSION
from tests.e2e.claude import install_claude, minimal_environment
from tests.start.repository import copy_repository

ROOT = Path(__file__).parents[2]
EINFRA = ROOT / "skills" / "setup" / "scripts" / "einfra"
ENTRY_SCRIPTS = [EINFRA / "proxy.py", EINFRA / "configure.py"]


def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def inline_metadata(script: Path) -> dict[str, Any]:
    """The PEP 723 block, found with the expression that the PEP gives."""
    blocks = re.findall(r"(?m)^# /// script$\s(?P<content>(^#(| .*)$\s)+)^# ///$", script.read_text(encoding="utf-8"))
    assert len(blocks) == 1, f"{script.name} needs exactly one script block"
    lines = blocks[0][0].splitlines(keepends=True)
    return tomllib.loads("".join(line[2:] if line.startswith("# ") else line[1:] for line in lines))


@pytest.mark.parametrize("manifest", ["plugin.json", "marketplace.json"])
def test_every_manifest_names_the_same_version(manifest: str) -> None:
    document = json.loads((ROOT / ".claude-plugin" / manifest).read_text(encoding="utf-8"))
    entries = document["plugins"] if manifest == "marketplace.json" else [document]
    assert [entry["version"] for entry in entries] == [VERSION]


def test_the_changelog_has_an_entry_for_this_version() -> None:
    assert re.search(rf"(?m)^## {re.escape(VERSION)}\b", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))


def test_every_script_that_a_hook_calls_is_in_the_plugin() -> None:
    document = json.loads((ROOT / "hooks" / "hooks.json").read_text(encoding="utf-8"))
    commands = [hook["command"] for one in document["hooks"]["SessionStart"] for hook in one["hooks"]]
    scripts = [script for command in commands for script in re.findall(r'"\$\{CLAUDE_PLUGIN_ROOT\}/([^"]+)"', command)]
    assert scripts
    assert [script for script in scripts if not (ROOT / script).is_file()] == []


@pytest.mark.parametrize("tag", [f"v{VERSION}", VERSION, "v99.0.0"])
def test_a_release_is_refused_under_another_name_and_says_what_the_changelog_says(tag: str) -> None:
    ran = subprocess.run(
        [sys.executable, ROOT / "scripts" / "release", "notes", tag], capture_output=True, text=True, check=False
    )
    assert (ran.returncode == 0) is (tag == f"v{VERSION}"), ran.stderr
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert ran.stdout.strip() in changelog
    assert ran.stdout.startswith("- ") or ran.returncode


@pytest.mark.parametrize("script", ENTRY_SCRIPTS, ids=lambda script: script.name)
def test_a_script_installs_only_what_the_package_depends_on(script: Path) -> None:
    metadata = inline_metadata(script)
    assert metadata["requires-python"] == pyproject()["project"]["requires-python"]
    assert set(metadata["dependencies"]) <= all_dependencies()


@pytest.mark.parametrize(("script", "others"), [("proxy.py", {"psutil", "questionary"}), ("configure.py", set())])
def test_a_script_has_all_that_its_proxy_needs(script: str, others: set[str]) -> None:
    """What set-up starts runs with set-up's own packages. What only set-up needs may be left out of the proxy's own."""
    left_out = all_dependencies() - set(inline_metadata(EINFRA / script)["dependencies"])
    assert {re.split(r"\W", requirement)[0] for requirement in left_out} == others


def all_dependencies() -> set[str]:
    """What the package asks for, with what it does on demand."""
    project = pyproject()["project"]
    return {*project["dependencies"], *project["optional-dependencies"]["search"]}


def test_the_scripts_folder_is_fenced_off_from_uv() -> None:
    fence = tomllib.loads((EINFRA / "pyproject.toml").read_text(encoding="utf-8"))
    # Without a [project] table uv takes the folder for a workspace and writes .venv and uv.lock there all the same.
    assert "project" in fence
    assert fence["tool"]["uv"]["managed"] is False


def test_the_published_schema_is_the_one_of_the_settings() -> None:
    published = json.loads((ROOT / "integrations.schema.json").read_text(encoding="utf-8"))
    assert published == integrations_schema()


@pytest.mark.parametrize(
    "path",
    [".ci/run", "scripts/check", "scripts/demo", "scripts/release", "scripts/setup"],
    ids=lambda path: path.rpartition("/")[2],
)
@pytest.mark.skipif(os.name == "nt", reason="Windows has no executable bit")
def test_what_is_to_be_run_may_be_run(path: str) -> None:
    assert os.access(ROOT / path, os.X_OK)


@pytest.mark.e2e
@pytest.mark.parametrize(
    "arguments",
    [["."], [".", "--profile", "directory"], [".claude-plugin/plugin.json"], [".claude-plugin/marketplace.json"]],
    ids=["folder", "directory", "plugin", "marketplace"],
)
def test_claude_code_finds_no_fault_with_the_plugin(arguments: list[str], tmp_path: Path) -> None:
    """Nor do the rules of the official directory of plugins."""
    result = subprocess.run(
        [install_claude(), "plugin", "validate", "--strict", *arguments],
        cwd=copy_repository(tmp_path / "repository"),
        env=minimal_environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
