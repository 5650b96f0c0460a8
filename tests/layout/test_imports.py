"""Who may import whom. The table is the architecture; this test is what keeps it true."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

EINFRA = Path(__file__).parents[2] / "skills" / "setup" / "scripts" / "einfra"
PACKAGE = EINFRA / "neuroflow_proxy"
MODULES = sorted(PACKAGE.rglob("*.py"))

MAY_IMPORT = {
    "__init__": set(),
    "version": set(),
    "alone": set(),
    "errors": set(),
    "fragments": set(),
    "wire": {"errors"},
    "models": set(),
    "rescue": {"fragments", "wire"},
    "translate": {"errors", "fragments", "wire", "models", "rescue"},
    "settings": {"errors", "wire"},
    "presets": {"settings"},
    "demo": {"wire"},
    "provider": {"errors", "wire", "models", "translate", "settings", "presets", "version"},
    "websearch": {"errors", "wire", "provider"},
    "server": {"errors", "fragments", "wire", "models", "translate", "settings", "version", "provider", "websearch"},
    "setup": {"errors", "wire", "models", "settings", "presets", "version", "provider", "websearch"},
    "flags": {"errors", "settings", "setup", "version"},
    "cli": {"errors", "wire", "models", "settings", "presets", "server", "setup", "demo", "flags"},
    "__main__": {"cli"},
}

# Ids, clocks and chance come in as arguments: the same bytes in are the same bytes out.
PURE = ("wire", "models", "rescue", "translate")
PURE_STDLIB = {
    *(
        "__future__",
        "abc",
        "base64",
        "binascii",
        "bisect",
        "codecs",
        "collections",
        "contextlib",
        "copy",
        "dataclasses",
        "enum",
    ),
    *("functools", "hashlib", "html", "itertools", "json", "math", "operator", "re", "string", "types", "typing"),
    *("io.BytesIO", "io.StringIO", "ipaddress", "unicodedata", "urllib.parse"),
}

# A library that only these may import: with the rest of the package it could be swapped without being noticed.
ONLY_IN = {
    "httpx": ("provider/by_httpx.py",),
    "h11": ("provider/http1_h11.py",),
    "httptools": ("provider/http1_httptools.py",),
    "uvicorn": ("server/run.py", "server/connection.py", "demo/run.py"),
    "questionary": ("setup/wizard.py",),
    "psutil": ("setup/",),
    "msgspec": ("wire/codec.py",),
    "ddgs": ("websearch/duckduckgo.py",),
}


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def part_of(path: Path) -> str:
    """The row of the table: the subpackage, or the module itself at the top."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in it, as absolute dotted names."""
    package = ("neuroflow_proxy", *path.relative_to(PACKAGE).parent.parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = [*package[: len(package) - node.level + 1]] if node.level else []
            base += node.module.split(".") if node.module else []
            # `from . import x` may import a module or a name; the longer form holds both.
            yield from (".".join([*base, alias.name]) for alias in node.names)


def is_in(module: str, library: str) -> bool:
    return module == library or module.startswith(f"{library}.")


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_arrows_of_import_point_one_way(path: Path) -> None:
    part = part_of(path)
    assert part in MAY_IMPORT, f"{part} is not in the table: say where it belongs"
    imported = {module.split(".")[1] for module in imports(path) if module.startswith("neuroflow_proxy.")}
    assert imported - MAY_IMPORT[part] - {part} == set()


def test_no_arrow_is_in_the_table_that_no_import_takes() -> None:
    taken = {
        (part_of(path), module.split(".")[1])
        for path in MODULES
        for module in imports(path)
        if module.startswith("neuroflow_proxy.")
    }
    assert {(part, other) for part, others in MAY_IMPORT.items() for other in others} - taken == set()


@pytest.mark.parametrize("path", [path for path in MODULES if part_of(path) in PURE], ids=name_of)
def test_pure_modules_import_nothing_that_has_a_mind_of_its_own(path: Path) -> None:
    allowed = PURE_STDLIB | {"neuroflow_proxy"} | ({"msgspec"} if name_of(path) == "wire/codec.py" else set())
    assert [module for module in imports(path) if not any(is_in(module, name) for name in allowed)] == []


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_expression_is_possessive_or_atomic(path: Path) -> None:
    """Python follows them wrongly up to 3.11.4 (gh-106052), which is what Debian 12 has."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    in_urls = [node.value for node in nodes if isinstance(node, ast.keyword) and node.arg == "safe"]
    constants = [node for node in nodes if isinstance(node, ast.Constant) and node not in in_urls]
    texts = [constant.value for constant in constants if isinstance(constant.value, str)]
    without_classes = [re.sub(r"\[(?:\\.|[^\]\\])+\]", ".", text) for text in texts]
    assert [text for text in without_classes if re.search(r"[*+?}]\+|\(\?>", text)] == []


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_each_library_has_one_home(path: Path) -> None:
    strays = [
        library
        for library, homes in ONLY_IN.items()
        if not name_of(path).startswith(homes) and any(is_in(module, library) for module in imports(path))
    ]
    assert strays == []


@pytest.mark.parametrize("path", [path for path in MODULES if part_of(path) not in ("settings", "alone")], ids=name_of)
def test_only_settings_reads_the_environment(path: Path) -> None:
    names = {
        node.attr if isinstance(node, ast.Attribute) else node.name
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute | ast.alias)
    }
    assert names & {"environ", "environb", "getenv", "getenvb", "putenv"} == set()


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("cli", {"fastapi", "httpx", "pydantic", "questionary", "psutil", "uvicorn"}),
        ("server.app", {"fastapi", "httpx", "pydantic", "questionary", "psutil", "argparse"}),
    ],
)
def test_what_people_wait_for_loads_no_library_that_it_can_do_without(module: str, heavy: set[str]) -> None:
    code = f"import sys, neuroflow_proxy.{module}; print(sorted({heavy} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], cwd=EINFRA, capture_output=True, text=True, check=False)
    assert (result.stdout.strip(), result.stderr) == ("[]", "")
