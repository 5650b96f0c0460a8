"""What users run is locked by hash, tested as it is locked, and built alike by everybody."""

import hashlib
import itertools
import os
import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.tags import Tag, compatible_tags, cpython_tags, mac_platforms
from packaging.utils import parse_wheel_filename

from tests.live import printed_by
from tests.start.outside import ROOT, outside_environment, uv
from tests.start.repository import copy_repository

EINFRA = ROOT / "skills" / "setup" / "scripts" / "einfra"
SCRIPTS = ["proxy.py", "configure.py"]
SOURCES = {"https://pypi.org/simple"}
FILES = "https://files.pythonhosted.org/packages/"

each_script = pytest.mark.parametrize("script", SCRIPTS)


def lock_of(script: str) -> Any:
    return tomllib.loads((EINFRA / f"{script}.lock").read_text("utf-8"))


def dependencies_of(script: str) -> list[str]:
    block = re.search(r"(?m)^# /// script$\s((?:^#(?:| .*)$\s)+)^# ///$", (EINFRA / script).read_text("utf-8"))
    assert block is not None
    dependencies: list[str] = tomllib.loads("".join(line[2:] + "\n" for line in block[1].splitlines()))["dependencies"]
    return dependencies


def as_text(requirement: dict[str, str]) -> str:
    marker = requirement.get("marker", "").replace(" ", "")
    return f"{requirement['name']}{requirement.get('specifier', '')}{';' if marker else ''}{marker}"


@each_script
def test_the_lock_beside_a_script_is_for_what_the_script_asks_for(script: str) -> None:
    locked = {as_text(requirement) for requirement in lock_of(script)["manifest"]["requirements"]}
    asked = {re.sub(r"\s", "", dependency) for dependency in dependencies_of(script)}
    assert locked == asked, f"run `uv lock --script {EINFRA.relative_to(ROOT) / script}`"


@each_script
def test_every_file_that_is_locked_has_a_hash_and_comes_from_the_public_index(script: str) -> None:
    for package in lock_of(script)["package"]:
        assert package["source"]["registry"] in SOURCES, package["name"]
        files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
        assert files, package["name"]
        for file in files:
            assert file["url"].startswith(FILES)
            assert re.fullmatch(r"sha256:[0-9a-f]{64}", file["hash"])


@each_script
def test_what_users_run_is_what_the_tests_run(script: str) -> None:
    """The same versions as in the project's own lock, with which everything here is tested."""
    tested: dict[str, set[str]] = {}
    for package in tomllib.loads((ROOT / "uv.lock").read_text("utf-8"))["package"]:
        tested.setdefault(package["name"], set()).add(package.get("version", ""))
    strangers = [
        f"{package['name']} {package['version']}"
        for package in lock_of(script)["package"]
        if package["version"] not in tested.get(package["name"], set())
    ]
    assert strangers == [], "run `uv lock --upgrade` for the project and for both scripts"


ON_LINUX = [*(f"manylinux_2_{minor}" for minor in range(34, 4, -1)), "manylinux2014", "manylinux2010", "manylinux1"]
MACHINES = {
    ("linux", "x86_64"): [f"{linux}_x86_64" for linux in ON_LINUX],
    ("linux", "aarch64"): [f"{linux}_aarch64" for linux in ON_LINUX],
    ("darwin", "arm64"): list(mac_platforms((14, 0), "arm64")),
    ("darwin", "x86_64"): list(mac_platforms((13, 0), "x86_64")),
    ("win32", "AMD64"): ["win_amd64"],
}
SYSTEMS = {"linux": ("posix", "Linux"), "darwin": ("posix", "Darwin"), "win32": ("nt", "Windows")}
PYTHONS = [(3, 11), (3, 12), (3, 13), (3, 14)]
LOCKS = {
    "all that is tested": ["--all-groups", "--no-emit-project"],
    **{name: ["--script", str(EINFRA / name)] for name in SCRIPTS},
}


@pytest.mark.parametrize("lock", LOCKS)
def test_nothing_that_is_locked_has_to_be_compiled(lock: str, tmp_path: Path) -> None:
    """Who sets this up has no compiler, whatever the system and the Python."""
    command = [uv(), "export", "--quiet", "--frozen", "--no-hashes", "--no-header", "--no-annotate", *LOCKS[lock]]
    exported = printed_by(command, cwd=ROOT, env=outside_environment(tmp_path / "home"))
    packages = [Requirement(line) for line in exported.splitlines()]
    wheels = wheels_of_every_lock()
    without = [
        f"{package.name} on {' '.join(machine)}, Python {python[0]}.{python[1]}"
        for machine, python in itertools.product(MACHINES, PYTHONS)
        for package in packages
        if is_for(package, machine, python)
        and wheels[package.name, str(package.specifier)].isdisjoint(tags_that_fit(machine, python))
    ]
    assert packages
    assert without == []


def is_for(package: Requirement, machine: tuple[str, str], python: tuple[int, int]) -> bool:
    """Whether the package is installed there."""
    os_name, system = SYSTEMS[machine[0]]
    environment = {
        "os_name": os_name,
        "platform_machine": machine[1],
        "platform_system": system,
        "python_full_version": f"{python[0]}.{python[1]}.0",
        "python_version": f"{python[0]}.{python[1]}",
        "sys_platform": machine[0],
    }
    return package.marker is None or package.marker.evaluate(environment)


@cache
def tags_that_fit(machine: tuple[str, str], python: tuple[int, int]) -> frozenset[Tag]:
    """Of the wheels that can be installed there."""
    cp, platforms = f"cp{python[0]}{python[1]}", MACHINES[machine]
    return frozenset({*cpython_tags(python, [cp], platforms), *compatible_tags(python, cp, platforms)})


@cache
def wheels_of_every_lock() -> dict[tuple[str, str], set[Tag]]:
    """By a package's name and `==` version: the tags of its wheels."""
    locks = [lock_of(script) for script in SCRIPTS] + [tomllib.loads((ROOT / "uv.lock").read_text("utf-8"))]
    tags: dict[tuple[str, str], set[Tag]] = {}
    for package in itertools.chain.from_iterable(lock["package"] for lock in locks):
        names = [wheel["url"].rpartition("/")[2] for wheel in package.get("wheels", [])]
        fitting = [parse_wheel_filename(name)[3] for name in names]
        tags[package["name"], f"=={package.get('version', '')}"] = set().union(*fitting)
    return tags


def build(folder: Path, name: str, *, umask: int, when: str) -> dict[str, str]:
    """Build wheel and sdist from a copy at a place of its own; the hashes by file name."""
    copy = copy_repository(folder / name)
    for path in copy.rglob("*"):  # as a checkout of another day
        os.utime(path, (int(when), int(when)))
    env = outside_environment(folder / "home", SOURCE_DATE_EPOCH="1767225600")
    command = [uv(), "build", "--quiet", "--out-dir", str(folder / f"{name}-out")]
    ended = subprocess.run(command, cwd=copy, env=env, umask=umask, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    built = [path for path in (folder / f"{name}-out").iterdir() if path.name != ".gitignore"]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in built}


@pytest.mark.skipif(os.name == "nt", reason="modes and umask are of other systems")
@pytest.mark.nightly
def test_wheel_and_source_are_built_alike_anywhere_and_at_any_time(tmp_path: Path) -> None:
    first = build(tmp_path, "here", umask=0o022, when="1000000000")
    second = build(tmp_path, "somewhere else", umask=0o077, when="1500000000")
    assert len(first) == 2
    assert first == second
