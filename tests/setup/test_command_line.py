"""The command line without a terminal: as scripts, CI and Claude Code's Bash tool use it."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from neuroflow_proxy.cli import main
from neuroflow_proxy.setup.command import STARTER
from tests.setup.user import KEY, WRONG_KEY, User

VERBS = [
    "setup",
    "status",
    "start",
    "restart",
    "stop",
    "models",
    "use",
    "env",
    "undo",
    "claude",
    "logs",
    "doctor",
    "serve",
    "demo",
]


@pytest.mark.parametrize("arguments", [["--help"], *([verb, "--help"] for verb in VERBS)], ids=" ".join)
def test_help_shows_three_examples_and_the_exit_codes(
    arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(STARTER, "configure.py")
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 0
    told = capsys.readouterr().out
    examples = told.partition("examples:")[2].partition("exit codes:")[0]
    assert examples.count("configure.py") == 3
    assert all(f"  {code}  " in told for code in (0, 2, 3, 4, 5, 6, 7, 130))


@pytest.mark.parametrize("verb", [[], ["serve"]], ids=["of all", "of a verb"])
def test_help_is_a_verb_as_well(verb: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([*verb, "--help"])
    shown = capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        main(["help", *verb])
    assert (ended.value.code, capsys.readouterr().out) == (0, shown)


def test_serve_takes_the_configured_port_and_tries_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["serve", "--help"])
    assert "(default: the configured one, or 4001)" in " ".join(capsys.readouterr().out.split())


def test_the_example_for_scripts_is_understood(user: User) -> None:
    ran = user.run("setup", "--key-env", "E_INFRA_API_TOKEN", "--model", "kimi-k2.5", "--json")
    assert ran.json["error"]["message"] == "The variable that --key-env names is not set."


@pytest.mark.parametrize(
    "arguments",
    [
        ["setup", "--key", WRONG_KEY],
        ["setup", f"--key={WRONG_KEY}"],
        ["setup", "--api-key", WRONG_KEY],
        ["--key", WRONG_KEY],
        [WRONG_KEY],
        ["setup", WRONG_KEY],
        ["setup", "--model", "kimi-k2.5", f"--unknown={WRONG_KEY}"],
        ["setup", f"--port={WRONG_KEY}"],
        ["setup", "--scope", WRONG_KEY],
        ["setup", "--base-url", WRONG_KEY],
        ["setup", "--key-env", WRONG_KEY],
        ["setup", "--key-file", WRONG_KEY],
        ["env", f"--shell={WRONG_KEY}"],
    ],
    ids=lambda arguments: " ".join(arguments).replace(WRONG_KEY, "KEY"),
)
@pytest.mark.parametrize("as_json", [True, False])
def test_a_key_on_the_command_line_is_refused_and_never_repeated(
    arguments: list[str],
    as_json: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    code = main([*arguments, *(["--json"] if as_json else [])])
    told = capfd.readouterr()
    assert code in (2, 3)
    assert WRONG_KEY not in told.out + told.err
    assert (json.loads(told.out)["exit_code"] == code) if as_json else (told.out == "")


def test_a_refused_key_flag_says_how_else_to_give_the_key(user: User) -> None:
    ran = user.run("setup", "--key", WRONG_KEY)
    assert all(flag in ran.stderr for flag in ("--key-stdin", "--key-env", "--key-file"))


def test_two_sources_of_a_key_are_one_too_many(user: User) -> None:
    assert user.run("setup", "--key-stdin", "--key-env", "X").code == 2


def test_without_a_verb_and_a_terminal_it_says_what_is_missing(user: User) -> None:
    ran = user.run()
    assert ran.code == 7
    assert "configure.py setup" in ran.stdout
    assert user.run("--json").json == {"ok": True, "verb": "status", "configured": False, "running": False}


def test_setup_names_every_missing_flag_at_once(user: User) -> None:
    ran = user.run("setup", "--json")
    assert ran.code == ran.json["exit_code"] == 7
    error = ran.json["error"]
    assert error["kind"] == "needs_terminal"
    assert all(flag in error["hint"] for flag in ("--key-stdin", "--key-env", "--key-file", "--model", "--yes"))
    assert not user.file.parent.exists()


def test_setup_without_a_model_says_which_is_recommended(user: User) -> None:
    ran = user.set_up()
    assert ran.code == 7
    assert "--model" in ran.json["error"]["hint"]
    assert "kimi-k2.5" in ran.json["error"]["hint"]
    assert not user.file.parent.exists()


def test_a_refused_key_says_where_keys_are_made_and_leaves_nothing(user: User) -> None:
    arguments = ["setup", "--base-url", user.base_url, "--key-stdin", "--yes", "--json"]
    ran = user.run(*arguments, stdin=WRONG_KEY)
    assert ran.code == 4
    assert ran.json["error"]["kind"] == "authentication"
    assert ran.json["error"]["hint"]
    assert WRONG_KEY not in ran.stdout + ran.stderr
    assert not user.file.parent.exists()


def test_a_provider_that_is_not_there_is_told(user: User) -> None:
    arguments = ["setup", "--base-url", "http://127.0.0.1:9/v1", "--key-stdin", "--yes", "--json"]
    ran = user.run(*arguments, stdin=KEY)
    assert ran.code == 5
    assert ran.json["error"]["kind"] == "unreachable"


def test_a_model_that_is_not_on_the_list_is_refused_with_its_neighbours(user: User) -> None:
    ran = user.set_up("--model", "kimi-k25-sk")
    assert ran.code == 4
    assert "kimi-k2.5" in ran.json["error"]["hint"]
    assert "kimi-k25-sk" not in ran.stdout + ran.stderr, "it might have been a key"
    assert not user.file.parent.exists()


def test_models_are_listed_best_first_and_only_those_that_chat(user: User) -> None:
    arguments = ["models", "--base-url", user.base_url, "--key-stdin", "--json"]
    told = user.run(*arguments, "--limit", "4", stdin=KEY).json
    assert told["models"][0]["id"] == "kimi-k2.5"
    assert told["models"][0]["recommended"]
    assert len(told["models"]) == 4
    everything = user.run(*arguments, stdin=KEY).json["models"]
    assert len(everything) == 4 + told["left_out"]
    assert not any("embedding" in model["id"] for model in everything)


def test_an_http_proxy_of_the_institution_is_not_asked_about_this_machine(user: User) -> None:
    dead = "http://127.0.0.1:9"
    env = {"HTTP_PROXY": dead, "http_proxy": dead, "HTTPS_PROXY": dead, "ALL_PROXY": dead, "NO_PROXY": ""}
    ran = user.run("models", "--base-url", user.base_url, "--key-stdin", "--json", stdin=KEY, **env)
    assert ran.code == 0, ran.stdout


def test_a_broken_file_stops_every_verb_that_would_use_it_and_stays(user: User) -> None:
    user.file.parent.mkdir()
    user.file.write_text('{"custom_llm": ')
    for verb in ("setup", "status", "start", "env"):
        ran = user.run(verb, "--json")
        assert (ran.code, ran.json["error"]["kind"]) == (3, "settings")
        assert str(user.file) in ran.json["error"]["message"]
    assert user.run("stop", "--json").json == {"ok": True, "verb": "stop", "stopped": False}
    assert user.file.read_text() == '{"custom_llm": '


@pytest.mark.parametrize("verb", ["start", "restart", "env"])
def test_a_verb_that_needs_settings_says_how_to_get_them(verb: str, user: User) -> None:
    ran = user.run(verb, "--json")
    assert ran.code == 3
    assert "configure.py setup" in ran.json["error"]["hint"]


@pytest.mark.nightly
def test_help_and_status_answer_in_a_blink(user: User) -> None:
    for arguments in (["--help"], ["status"]):
        quickest = 10.0
        for _ in range(5):
            began = time.monotonic()
            user.run(*arguments)
            quickest = min(quickest, time.monotonic() - began)
        assert quickest < 0.4, arguments


def loaded_by(user: User, *arguments: str) -> tuple[set[str], set[str]]:
    """The modules of this package, and the libraries, that a command loads."""
    code = (
        "import json, sys\n"
        "before = set(sys.modules)\n"
        "from neuroflow_proxy.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "new = {name: getattr(sys.modules[name], '__file__', None) or '' for name in set(sys.modules) - before}\n"
        "print(json.dumps(new))"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=user.project,
        env=user.env,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    files: dict[str, str] = json.loads(finished.stdout.splitlines()[-1])
    ours = {name.removeprefix("neuroflow_proxy.") for name in files if name.startswith("neuroflow_proxy.")}
    return ours, {name.partition(".")[0] for name, file in files.items() if "site-packages" in file}


def test_help_loads_nothing_but_the_words(user: User) -> None:
    to_know_its_name = {"setup", "setup.command", "settings", "wire", "wire.hosts", "wire.plain_json"}
    assert loaded_by(user, "--help") == ({"cli", "errors", "flags", "version"} | to_know_its_name, set())


@pytest.mark.parametrize("state", ["nothing set up", "set up", "running"])
def test_status_loads_no_library_and_nothing_of_what_other_verbs_need(state: str, user: User) -> None:
    """How long it takes depends on the machine, and what it loads does not: that is most of the time that it takes."""
    if state != "nothing set up":
        user.write_settings()
    if state == "running":
        user.start()
    ours, libraries = loaded_by(user, "status")
    assert libraries == set()
    assert (
        ours & {"wire.codec", "setup.verbs", "setup.flow", "setup.doctor", "setup.proof", "server", "provider"} == set()
    )
    assert ("models.profiles" in ours) == (state == "running")
