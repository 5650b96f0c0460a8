"""Set-up from flags to a proxy that answers, as scripts and agents run it."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from neuroflow_proxy.demo.catalog import EINFRA_MODELS
from neuroflow_proxy.errors import Kind, UpstreamError
from neuroflow_proxy.settings import EINFRA_BASE_URL
from neuroflow_proxy.setup.health import ask_health
from neuroflow_proxy.setup.integrations import save_section
from neuroflow_proxy.setup.live_models import refused_key
from neuroflow_proxy.setup.ports import is_free
from tests.e2e.claude import claude_edits_a_file, minimal_environment
from tests.live import call, free_port
from tests.setup.user import KEY, WRONG_KEY, Ran, User, is_alive, processes_of, somebody, without_a_list

QUESTION = {"model": "claude-opus-4-5", "max_tokens": 64, "messages": [{"role": "user", "content": "Hello"}]}
only_posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no permission bits")


@pytest.fixture(scope="module")
def connected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[User, Ran]]:
    """Somebody who has set up, the key in a variable, and what they were told. Only looked at, never changed."""
    with somebody(tmp_path_factory.mktemp("connected")) as user:
        arguments = ["setup", "--base-url", user.base_url, "--key-env", "MY_OWN_NAME_FOR_IT", "--yes", "--json"]
        secrets = {"MY_OWN_NAME_FOR_IT": KEY, "OPENAI_API_KEY": KEY, "CLAUDECODE": "1", "ANTHROPIC_API_KEY": "other"}
        yield user, user.run(*arguments, **secrets)


def test_setup_tells_programs_what_it_did(connected: tuple[User, Ran]) -> None:
    user, ran = connected
    assert ran.code == 0, ran.stdout
    told = ran.json
    assert (told["ok"], told["verb"], told["running"], told["new"], told["changed"]) == (
        True,
        "setup",
        True,
        True,
        True,
    )
    assert told["integrations"] == str(user.file)
    assert (told["model"], told["base_url"], told["key"]) == ("kimi-k2.5", user.base_url, "…4711")
    assert told["url"] == f"http://127.0.0.1:{told['port']}"
    health = ask_health(told["port"])
    assert health is not None
    assert health.model == "kimi-k2.5"


def test_setup_writes_all_fields_and_a_token_of_its_own(connected: tuple[User, Ran]) -> None:
    user, ran = connected
    section = user.section
    token = section.pop("proxy_token")
    assert section == {
        "provider": "127.0.0.1",
        "base_url": user.base_url,
        "api_key": KEY,
        "model": "kimi-k2.5",
        "proxy_mode": "custom",
        "proxy_port": ran.json["port"],
    }
    assert len(token) >= 32
    assert token != KEY


def test_requests_pass_with_the_local_token_and_with_nothing_else(connected: tuple[User, Ran]) -> None:
    user, ran = connected
    status, message = call(f"{ran.json['url']}/v1/messages", QUESTION, token=user.section["proxy_token"])
    assert (status, message.get("model")) == (200, "claude-opus-4-5"), message
    assert call(f"{ran.json['url']}/v1/messages", QUESTION, token=KEY)[0] == 401


def test_the_key_is_in_the_file_and_nowhere_else(connected: tuple[User, Ran]) -> None:
    user, ran = connected
    assert user.section["api_key"] == KEY
    shown = ran.stdout + ran.stderr
    shown += "".join(user.run(*verb).stdout for verb in (["status"], ["status", "--json"], ["env"], ["env", "--json"]))
    assert KEY not in shown
    process = psutil.Process(ran.json["pid"])
    assert KEY not in " ".join(process.cmdline())
    environment = process.environ()
    assert KEY not in environment.values()
    assert not [name for name in environment if name.startswith(("ANTHROPIC", "CLAUDE"))]
    files = [path for path in user.home.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]
    backup = user.file.with_name(f"{user.file.name}.bak")  # what an earlier set-up of this home replaced
    assert user.file in files
    assert set(files) <= {user.file, backup}


@only_posix
def test_the_file_is_for_its_owner_alone(connected: tuple[User, Ran]) -> None:
    user, _ = connected
    assert user.file.stat().st_mode & 0o777 == 0o600
    assert user.file.parent.stat().st_mode & 0o777 == 0o700


def test_status_tells_people_and_programs_the_same(connected: tuple[User, Ran]) -> None:
    user, ran = connected
    told = user.run("status", "--json").json
    shown = user.run("status").stdout
    assert told["running"] is True
    for fact in ("model", "base_url", "integrations", "url", "log", "pid", "key"):
        assert told[fact] == ran.json[fact]
        assert str(told[fact]) in shown


def test_the_printed_lines_are_those_of_env_and_connect_a_shell(connected: tuple[User, Ran]) -> None:
    user, ran = connected
    lines = user.run("env").stdout
    assert lines.splitlines() == ran.json["connect"]
    if sys.platform == "win32":
        pytest.skip("there is no sh")
    script = f'{lines}\nprintf "%s\\n" "$ANTHROPIC_BASE_URL" "$ANTHROPIC_AUTH_TOKEN" "[$ANTHROPIC_API_KEY]"'
    shell = subprocess.run(
        ["sh", "-c", script], env={"ANTHROPIC_API_KEY": "other"}, capture_output=True, text=True, check=True
    )
    assert shell.stdout.split() == [ran.json["url"], user.section["proxy_token"], "[]"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell", "cmd"])
def test_env_speaks_every_shell(shell: str, connected: tuple[User, Ran]) -> None:
    user, ran = connected
    lines = user.run("env", "--shell", shell).stdout.splitlines()
    assert len(lines) == len(ran.json["connect"])
    assert sum(ran.json["url"] in line for line in lines) == 1


def test_it_is_found_from_a_folder_further_down(connected: tuple[User, Ran]) -> None:
    user, ran = connected
    inner = user.project / "data" / "raw"
    inner.mkdir(parents=True, exist_ok=True)
    assert user.run("status", "--json", cwd=inner).json["pid"] == ran.json["pid"]


def test_a_dry_run_shows_what_would_be_written_and_writes_nothing(user: User) -> None:
    before = sorted(user.home.rglob("*"))
    ran = user.set_up("--yes", "--connect", "settings", "--dry-run")
    assert ran.code == 0, ran.stdout
    files = ran.json["files"]
    assert (files[str(user.file)]["model"], files[str(user.file)]["api_key"]) == ("kimi-k2.5", "…4711")
    assert "ANTHROPIC_BASE_URL" in files[str(user.project / ".claude" / "settings.local.json")]
    assert KEY not in ran.stdout + ran.stderr
    assert sorted(user.home.rglob("*")) == before
    assert processes_of(user) == []


def test_a_dry_run_names_every_file_that_set_up_then_changes(user: User) -> None:
    folder = user.home / ".neuroflow" / "flowie"
    folder.mkdir(parents=True)
    (folder / "sync.json").write_text("{}")
    git(user, "init", "--quiet")
    flags = ["--yes", "--no-proof", "--connect", "settings", "--flowie"]
    before = contents(user)
    announced = set(user.set_up(*flags, "--dry-run").json["files"])
    assert contents(user) == before
    user.set_up(*flags)
    after = contents(user)
    assert {path for path in after if after[path] != before.get(path)} == announced


def test_a_dry_run_names_everything_that_changes_in_claude_codes_settings(user: User) -> None:
    settings = user.project / ".claude" / "settings.local.json"

    def fields() -> dict[str, object]:
        document = json.loads(settings.read_text("utf-8")) if settings.exists() else {}
        permissions = {f"permissions.{name}": value for name, value in document.pop("permissions", {}).items()}
        return {**document.pop("env", {}), **permissions, **document}

    for flags in (["--connect", "settings", "--auto-mode", "local"], ["--model", "kimi-k2.6", "--auto-mode", "off"]):
        given, before = ["--yes", "--no-proof", *flags], fields()
        announced = user.set_up(*given, "--dry-run").json["files"][str(settings)]
        user.set_up(*given)
        after = fields()
        assert {*announced} == {name for name in {*before, *after} if before.get(name) != after.get(name)}


def contents(user: User) -> dict[str, bytes]:
    """What is in the user's files, without git's own and without what belongs to the proxy that runs."""
    own = (user.project / ".git", user.state)
    files = [path for path in user.home.rglob("*") if path.is_file()]
    return {str(path): path.read_bytes() for path in files if not any(path.is_relative_to(folder) for folder in own)}


def test_a_dry_run_of_what_is_there_already_shows_no_change(user: User) -> None:
    user.set_up("--yes", "--no-proof", "--connect", "settings")
    again = ["setup", "--connect", "settings", "--dry-run"]
    assert user.run(*again, "--json").json["files"] == {}
    assert "Nothing would change" in user.run(*again).stdout


def test_setup_again_changes_nothing(user: User) -> None:
    first = user.set_up("--yes").json
    before = user.file.stat().st_mtime_ns
    second = user.run("setup", "--json").json
    assert (second["new"], second["changed"]) == (False, False)
    assert (second["pid"], second["connect"]) == (first["pid"], first["connect"])
    assert user.file.stat().st_mtime_ns == before


def test_switching_the_model_keeps_the_proxy_its_port_and_its_token(user: User) -> None:
    first = user.set_up("--yes", "--small-model", "mistral-small-4").json
    token = user.section["proxy_token"]
    second = user.run("setup", "--model", "qwen3.5-122b", "--json").json
    assert (second["pid"], second["port"], user.section["proxy_token"]) == (first["pid"], first["port"], token)
    assert (second["model"], second["small_model"]) == ("qwen3.5-122b", "mistral-small-4")
    deadline = time.monotonic() + 10
    while (health := ask_health(second["port"])) and health.model != "qwen3.5-122b":
        assert time.monotonic() < deadline, "the proxy did not read its file again"
        time.sleep(0.05)


def test_start_restart_and_stop_keep_the_port(user: User) -> None:
    user.write_settings()
    wanted = free_port()
    first = user.run("start", "--port", str(wanted), "--json").json
    again = user.run("restart", "--json").json
    assert (first["port"], again["port"], user.section["proxy_port"]) == (wanted, wanted, wanted)
    assert again["pid"] != first["pid"]
    assert not is_alive(first["pid"])
    assert user.run("stop", "--json").json["stopped"] is True
    assert is_free(wanted)
    assert user.run("stop", "--json").json["stopped"] is False
    assert user.run("status", "--json").json["running"] is False


def test_a_seed_file_written_by_hand_gets_a_token_when_it_is_started(user: User) -> None:
    user.file.parent.mkdir()
    user.file.write_text(json.dumps({"custom_llm": {"base_url": user.base_url, "api_key": KEY}}))
    told = user.run("start", "--json").json
    assert call(f"{told['url']}/v1/messages", QUESTION, token=user.section["proxy_token"])[0] == 200
    assert call(f"{told['url']}/v1/messages", QUESTION)[0] == 401


def test_a_taken_port_is_passed_over_and_its_owner_is_named(user: User) -> None:
    with somebody(user.home / "other") as neighbour:
        neighbour.write_settings()
        taken = neighbour.start().record.port
        ran = user.set_up("--yes", "--port", str(taken))
    assert ran.code == 0, ran.stdout
    assert ran.json["port"] != taken
    assert user.section["proxy_port"] == ran.json["port"]
    assert f"Port {taken} is taken by another proxy of this kind." in ran.stderr


def test_what_others_keep_in_the_file_stays(user: User) -> None:
    user.file.parent.mkdir()
    before = {"zotero": {"key": "theirs"}, "custom_llm": {"note": "mine", "model": "old"}, "slack": None}
    user.file.write_text(json.dumps(before, indent=4))
    user.set_up("--yes")
    after = json.loads(user.file.read_text("utf-8"))
    assert list(after) == list(before)
    assert (after["zotero"], after["slack"], after["custom_llm"]["note"]) == ({"key": "theirs"}, None, "mine")
    assert after["custom_llm"]["model"] == "kimi-k2.5"
    assert json.loads(user.file.with_name("integrations.json.bak").read_text("utf-8")) == before


def git(user: User, *arguments: str) -> str:
    identity = {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    finished = subprocess.run(
        ["git", *arguments], cwd=user.project, env=user.env | identity, capture_output=True, text=True, check=True
    )
    return finished.stdout


def test_in_a_repository_the_key_is_never_seen_by_git(user: User) -> None:
    git(user, "init", "--quiet")
    told = user.set_up("--yes").json
    assert told["gitignore"] == str(user.project / ".gitignore")
    git(user, "add", "--all")
    assert git(user, "ls-files").split() == [".gitignore"]


def test_a_tracked_file_stops_setup_before_the_key_is_written(user: User) -> None:
    git(user, "init", "--quiet")
    user.file.parent.mkdir()
    user.file.write_text("{}")
    git(user, "add", "--all")
    ran = user.set_up("--yes")
    assert (ran.code, ran.json["error"]["kind"]) == (3, "settings")
    assert ran.json["error"]["hint"].count("\n  git -C ") == 2
    assert user.file.read_text() == "{}"
    assert processes_of(user) == []


def test_tracked_settings_of_claude_code_stop_setup_before_anything_is_written(user: User) -> None:
    git(user, "init", "--quiet")
    settings = user.project / ".claude" / "settings.local.json"
    settings.parent.mkdir()
    settings.write_text("{}")
    git(user, "add", "--all")
    ran = user.set_up("--yes", "--connect", "settings")
    assert (ran.code, ran.json["error"]["kind"]) == (3, "settings")
    assert "settings.local.json" in ran.json["error"]["hint"]
    assert (settings.read_text(), user.file.parent.exists()) == ("{}", False)
    assert processes_of(user) == []


def test_machine_wide_settings_hold_everywhere_and_the_projects_own_stand_over_them(user: User) -> None:
    user.set_up("--yes", "--scope", "machine")
    everywhere = user.home / ".neuroflow" / "integrations.json"
    assert everywhere.exists()
    assert not user.file.exists()
    assert user.run("status", "--json").json["integrations"] == str(everywhere)
    user.write_settings()
    told = user.run("status", "--json").json
    assert (told["integrations"], told["running"]) == (str(user.file), False)


def test_when_the_recommended_model_is_gone_the_next_of_its_family_is_taken(tmp_path: Path) -> None:
    left = [model for model in EINFRA_MODELS if model.id != "kimi-k2.5"]
    with somebody(tmp_path, models=left) as user:
        assert user.set_up("--yes").json["model"] == "kimi-k2.6"


def test_what_stands_in_for_the_recommended_model_is_told_with_the_reason(tmp_path: Path) -> None:
    left = [model for model in EINFRA_MODELS if not model.id.startswith("kimi")]
    with somebody(tmp_path, models=left) as user:
        told = user.set_up("--yes", "--no-proof").json
        assert told["model"] == "qwen3.5-122b"
        assert "kimi-k2.5 is not on offer" in told["note"]
        assert "qwen3.5-122b is recommended: kimi-k2.5 is not on offer." in user.run("setup", "--no-proof").stdout


def test_a_model_in_use_that_is_gone_is_told_and_another_taken(user: User) -> None:
    user.write_settings()
    save_section(user.file, {"model": "kimi-k1"})
    assert user.run("setup", "--json").code == 7
    ran = user.run("setup", "--yes", "--json")
    assert ran.json["model"] == "kimi-k2.5"
    assert "kimi-k1, which was in use, is not on the list any more." in ran.stderr


@pytest.mark.parametrize("status", [404, *(pytest.param(other, marks=pytest.mark.nightly) for other in (405, 501))])
def test_a_provider_without_a_list_is_set_up_by_naming_the_model(status: int, user: User) -> None:
    with without_a_list(user, status) as base_url:
        ran = user.run("setup", "--base-url", base_url, "--key-stdin", "--yes", "--json", stdin=KEY)
        assert (ran.code, ran.json["error"]["kind"]) == (7, "needs_terminal")
        assert "--model ID" in ran.json["error"]["hint"]
        named = ["setup", "--base-url", base_url, "--key-stdin", "--model", "kimi-k2.5", "--json"]
        ran = user.run(*named, stdin=KEY)
        assert (ran.code, ran.json["proof"]["ok"], ran.json["proof"]["next_best"]) == (0, True, None)
        assert "has no list of models" in ran.stderr
        assert user.run("use", "kimi-k2.6", "--json").json["model"] == "kimi-k2.6"
        told = user.run("models", "--json").json["error"]
        assert "has no list of models" in told["message"]


def test_without_a_list_the_proof_tells_of_a_model_that_is_not_there(user: User) -> None:
    with without_a_list(user) as base_url:
        flags = ["--base-url", base_url, "--key-stdin", "--model", "kimi-k9", "--json"]
        proof = user.run("setup", *flags, stdin=KEY).json["proof"]
    assert proof["ok"] is False
    assert "kimi-k9" in proof["problem"]


def test_a_key_goes_to_no_other_service_unasked(user: User) -> None:
    user.write_settings()
    elsewhere = "https://llm.example.org/v1"
    ran = user.run("setup", "--base-url", elsewhere, "--yes", "--json", E_INFRA_API_TOKEN=KEY, OPENAI_API_KEY=KEY)
    assert (ran.code, ran.json["error"]["kind"]) == (7, "needs_terminal")


def test_a_key_that_has_run_out_in_a_variable_gives_way_to_the_one_in_use(user: User) -> None:
    user.write_settings()
    stale = {"OPENAI_BASE_URL": user.base_url, "OPENAI_API_KEY": WRONG_KEY}
    assert user.run("models", "--limit", "1", "--json", **stale).code == 0
    ran = user.run("setup", "--model", "kimi-k2.6", "--dry-run", "--json", **stale)
    assert list(ran.json["files"][str(user.file)]) == ["model"], "the key that is in use stays"
    save_section(user.file, {"api_key": f"{WRONG_KEY}-too"})
    refused = user.run("models", "--json", **stale)
    assert (refused.code, refused.json["error"]["kind"]) == (4, "authentication"), "there is none left to try"


def test_a_key_that_was_pointed_to_gives_way_to_no_other(user: User) -> None:
    user.write_settings()
    ran = user.run("models", "--key-stdin", "--json", stdin=f"{WRONG_KEY}\n")
    assert (ran.code, ran.json["error"]["kind"]) == (4, "authentication")


def test_a_jwt_in_the_place_of_the_key_is_told_apart() -> None:
    refusal = UpstreamError("Invalid proxy server token passed.", kind=Kind.AUTHENTICATION)
    told = refused_key(refusal, "eyJhbGciOi.eyJzdWIi.c2ln", EINFRA_BASE_URL)
    assert "JWT" in told.message
    assert "https://chat.ai.e-infra.cz" in told.hint
    assert "JWT token, not" not in refused_key(refusal, "sk-something", EINFRA_BASE_URL).message


@pytest.mark.e2e
@pytest.mark.nightly
def test_the_real_claude_code_edits_a_file_with_nothing_but_the_printed_variables(user: User) -> None:
    user.set_up("--yes")
    variables = user.run("env", "--json").json["variables"]
    claude_edits_a_file(user.project, minimal_environment(user.home) | variables)


def test_two_setups_at_once_end_with_one_proxy(user: User) -> None:
    with ThreadPoolExecutor() as pool:
        told = [ran.json for ran in pool.map(lambda _: user.set_up("--yes"), range(2))]
    assert {one["ok"] for one in told} == {True}
    assert processes_of(user) == [told[0]["pid"]]
    assert sorted(one["new"] for one in told) == [False, True]
    assert told[0]["connect"] == told[1]["connect"]
