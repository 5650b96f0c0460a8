"""The tables of the documentation say what the program does."""

import ast
import json
import re
from collections.abc import Callable

import pytest

from neuroflow_proxy.settings import VARIABLES, parse_section
from tests.docs.commands import PAGES
from tests.docs.pages import ROOT, is_up_to_date, models_table, presets_table, settings_table, variables_table

SETTINGS = ROOT / "skills" / "setup" / "scripts" / "einfra" / "neuroflow_proxy" / "settings.py"


@pytest.mark.parametrize(
    ("page", "name", "table"),
    [
        ("docs/configuration.md", "settings", settings_table),
        ("docs/configuration.md", "variables", variables_table),
        ("docs/models.md", "table", models_table),
        ("skills/setup/references/providers.md", "table", presets_table),
    ],
    ids=["settings", "variables", "models", "providers"],
)
def test_each_table_is_made_from_the_data_as_they_are(page: str, name: str, table: Callable[[], str]) -> None:
    assert is_up_to_date(page, name, table()), f"run with NEUROFLOW_TEST_UPDATE=1 to write {page}"


def test_every_variable_that_is_read_is_explained() -> None:
    names = {
        node.value
        for node in ast.walk(ast.parse(SETTINGS.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isupper() and "_" in node.value
    }
    assert names == set(VARIABLES)


def test_every_package_and_module_is_in_the_table_of_the_architecture() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    parts = {f"{path.name}/" if path.is_dir() else path.name for path in SETTINGS.parent.iterdir()}
    parts -= {"__init__.py", "__main__.py", "__pycache__/", "py.typed", "version.py"}
    assert {part for part in parts if f"| `{part}` |" not in page} == set()


def test_the_data_that_the_page_of_the_providers_names_are_there() -> None:
    page = (ROOT / "docs" / "providers.md").read_text("utf-8")
    named = re.findall(r"`(\w+)` in `([\w/]+\.py)`", page)
    assert len(named) >= 4
    assert [
        name for name, file in named if not re.search(rf"(?m)^{name}\b", (SETTINGS.parent / file).read_text())
    ] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_link_inside_the_repository_leads_somewhere(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if not re.match(r"https?:", link)]
    wrong = []
    for link in links:
        name, _, heading = link.partition("#")
        target = (ROOT / page).parent / name if name else ROOT / page
        is_there = target.exists() and (not heading or heading in headings(target.read_text("utf-8")))
        wrong += [] if is_there else [link]
    assert wrong == []


def headings(text: str) -> set[str]:
    """What headings are called in links."""
    return {
        re.sub(r"[^\w -]", "", line).strip().lower().replace(" ", "-") for line in re.findall(r"(?m)^#+ (.*)", text)
    }


def test_the_example_of_the_configuration_is_one_that_is_taken() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text("utf-8")
    example = json.loads(page.partition("```json\n")[2].partition("```")[0])
    section = parse_section(example["custom_llm"])
    assert (section.provider, section.model) == ("einfra", "kimi-k2.5")
