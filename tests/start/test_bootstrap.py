"""The scripts that a person runs in a fresh clone."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.live import cannot, printed_by

SCRIPTS = Path(__file__).parents[2] / "scripts"


def load_bootstrap() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bootstrap_under_test", SCRIPTS / "bootstrap.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def bootstrap(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """A fresh copy of the module, on a checkout that holds nothing but the two files that it reads."""
    module = load_bootstrap()
    for name in ("uv.lock", "pyproject.toml"):
        (tmp_path / name).write_text("as it was")
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(module, "TOOLS", tmp_path / ".cache" / "tools")
    return module


@pytest.fixture
def commands(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that were run; instead of running, each leaves behind the file that it is run for."""
    ran: list[list[str]] = []

    def run(command: list[str], environment: dict[str, str] | None = None) -> None:
        ran.append(command)
        made = (
            bootstrap.VENV / bootstrap.BIN / "python" if "sync" in command else bootstrap.TOOLS / bootstrap.BIN / "uv"
        )
        made = made.with_name(made.name + bootstrap.EXE)
        made.parent.mkdir(parents=True, exist_ok=True)
        made.touch()

    monkeypatch.setattr(bootstrap, "_run", run)
    return ran


def test_a_bare_clone_gets_uv_and_then_what_the_lock_names(bootstrap: ModuleType, commands: list[list[str]]) -> None:
    python = bootstrap.ready()
    assert python.exists()
    assert [command[1:3] for command in commands] == [["-m", "venv"], ["-m", "pip"], ["sync", "--frozen"]]


def test_who_uses_it_gets_no_tools_for_its_tests_and_who_develops_it_keeps_them(
    bootstrap: ModuleType, commands: list[list[str]]
) -> None:
    bootstrap.ready(bootstrap.TO_USE)
    assert commands[-1][-3:] == ["--no-dev", "--extra", "search"]
    commands.clear()
    bootstrap.ready()
    assert [command[1] for command in commands] == ["sync"]
    assert "--no-dev" not in commands[0]
    commands.clear()
    bootstrap.ready(bootstrap.TO_USE)
    assert commands == []


def test_a_ready_checkout_runs_nothing(bootstrap: ModuleType, commands: list[list[str]]) -> None:
    bootstrap.ready()
    commands.clear()
    bootstrap.ready()
    assert commands == []


def test_a_changed_lock_is_installed(bootstrap: ModuleType, commands: list[list[str]]) -> None:
    bootstrap.ready()
    commands.clear()
    (bootstrap.ROOT / "uv.lock").write_text("something newer")
    bootstrap.ready()
    assert [command[1] for command in commands] == ["sync"]


def test_a_set_up_that_failed_is_done_again(
    bootstrap: ModuleType, commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = bootstrap._run

    def fail(command: list[str], environment: dict[str, str] | None = None) -> None:
        if "sync" in command:
            sys.exit("no network")
        run(command, environment)

    monkeypatch.setattr(bootstrap, "_run", fail)
    with pytest.raises(SystemExit, match="no network"):
        bootstrap.ready()
    monkeypatch.setattr(bootstrap, "_run", run)
    bootstrap.ready()
    assert commands[-1][1] == "sync"


def test_an_old_python_is_told_which_one_is_needed(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap.sys, "version_info", (3, 10, 4))
    with pytest.raises(SystemExit, match=r"Python 3\.11 or newer is needed; this is 3\.10"):
        bootstrap.ready()


def test_a_python_without_ensurepip_is_told_what_to_install(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match="apt install python3-venv"):
        bootstrap.ready()


@pytest.fixture
def ready_checkout() -> None:
    """The real checkout; a set-up that began here would change the environment under the running tests."""
    if not load_bootstrap().is_ready():
        cannot("the checkout is not set up: run scripts/check once")


@pytest.mark.usefixtures("ready_checkout")
@pytest.mark.parametrize("script", ["check", "setup", "demo"])
def test_every_script_explains_itself(script: str) -> None:
    result = subprocess.run(
        [sys.executable, SCRIPTS / script, "--help"], capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("usage: ")


@pytest.mark.usefixtures("ready_checkout")
def test_the_demonstration_shows_a_tool_call_and_an_answer() -> None:
    told = printed_by([sys.executable, str(SCRIPTS / "demo")])
    shown = [line.split()[0] for line in told.splitlines() if line[:1].strip()]
    assert shown[:7] == ["you", "thinking", "tool", "result", "thinking", "answer", "All"]


def test_the_environment_without_accelerators_is_one_of_its_own(
    bootstrap: ModuleType, commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "PLAIN_VENV", bootstrap.ROOT / ".cache" / "plain")
    bootstrap.PLAIN_VENV.mkdir(parents=True)
    python = bootstrap.ready_without_accelerators()
    assert python.is_relative_to(bootstrap.PLAIN_VENV)
    assert {"--no-install-package=msgspec", "--no-install-package=uvloop"} < set(commands[-1])
