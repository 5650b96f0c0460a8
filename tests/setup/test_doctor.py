"""What the doctor finds, and whether it says what mends it."""

import base64
import json
import socket
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from neuroflow_proxy.demo.catalog import DemoModel
from neuroflow_proxy.demo.script import Answer, Pause, Script, Status, finish, reasoning, role, text
from neuroflow_proxy.settings import parse_section
from neuroflow_proxy.setup.doctor.proxy import proxy
from neuroflow_proxy.setup.integrations import save_section
from neuroflow_proxy.setup.process import Record
from neuroflow_proxy.setup.report import address
from neuroflow_proxy.wire.codec import dumps
from neuroflow_proxy.wire.messages_api import JSON
from tests.live import call
from tests.searxng import SearXNG
from tests.serving import serving
from tests.setup.user import KEY, TOKEN, WRONG_KEY, Ran, User, somebody


def examined(user: User, **env: str) -> Ran:
    return user.run("doctor", "--json", **env)


def found(ran: Ran, name: str) -> list[dict[str, Any]]:
    return [check for check in ran.json["checks"] if check["name"] == name]


def connected(user: User) -> dict[str, str]:
    """The variables of a shell that is connected."""
    variables = user.run("env", "--json").json["variables"]
    assert isinstance(variables, dict)
    return variables


def write_claude_settings(path: Path, **env: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"env": env}))


def test_nothing_is_set_up(user: User) -> None:
    ran = examined(user)
    assert (ran.code, ran.json["healthy"]) == (3, False)
    assert "configure.py setup" in ran.json["checks"][0]["hint"]


def test_all_is_well_in_a_shell_that_is_connected(user: User) -> None:
    user.set_up("--yes")
    ran = examined(user, **connected(user))
    assert ran.code == 0, ran.stdout
    assert ran.json["healthy"]
    assert {check["state"] for check in ran.json["checks"] if check["name"] != "Claude Code"} == {"ok"}
    assert {"settings", "git", "proxy", "connection", "window", "key", "model"} <= {
        check["name"] for check in ran.json["checks"]
    }
    assert KEY not in ran.stdout
    assert user.section["proxy_token"] not in ran.stdout


def test_people_are_told_the_same_with_what_mends_it(user: User) -> None:
    user.write_settings()
    ran = user.run("doctor")
    assert ran.code == 6
    assert "fail  proxy" in ran.stdout
    assert "-> configure.py start" in ran.stdout
    assert "failures: 1" in ran.stdout


def test_every_finding_that_is_not_well_says_what_mends_it(user: User) -> None:
    user.write_settings()
    ran = examined(user, ANTHROPIC_BASE_URL="https://api.example.com", ANTHROPIC_API_KEY="sk-ant-something-long")
    assert all(bool(check["hint"]) == (check["state"] != "ok") for check in ran.json["checks"])
    assert "something" not in ran.stdout


@pytest.mark.parametrize(
    ("layers", "wins"),
    [
        (["shell"], "the shell"),
        (["shell", "user"], "the user's settings"),
        (["shell", "user", "shared"], "the project's shared settings"),
        (["shell", "user", "shared", "local"], "the project's local settings"),
    ],
    ids="-".join,
)
def test_the_source_that_wins_is_named(layers: list[str], wins: str, user: User) -> None:
    user.write_settings()
    wrong = {"ANTHROPIC_BASE_URL": "https://elsewhere.example.org"}
    files = {
        "user": user.home / ".claude" / "settings.json",
        "shared": user.project / ".claude" / "settings.json",
        "local": user.project / ".claude" / "settings.local.json",
    }
    for layer in layers:
        if layer in files:
            write_claude_settings(files[layer], **wrong)
    ran = examined(user, **wrong)
    (check,) = [check for check in found(ran, "connection") if "ANTHROPIC_BASE_URL" in check["message"]]
    assert check["state"] == "fail"
    assert f"from {wins}," in check["message"]
    assert ("without effect" in check["message"]) == (len(layers) > 1)


def test_settings_that_claude_code_cannot_read_are_named(user: User) -> None:
    user.write_settings()
    path = user.home / ".claude" / "settings.json"
    path.parent.mkdir()
    path.write_text('{"env": ')
    (check,) = [check for check in found(examined(user), "connection") if str(path) in check["message"]]
    assert "not valid JSON" in check["message"]


def test_another_cloud_leads_around_the_proxy(user: User) -> None:
    user.write_settings()
    checks = found(examined(user, CLAUDE_CODE_USE_BEDROCK="1"), "connection")
    assert any("CLAUDE_CODE_USE_BEDROCK" in check["message"] and check["state"] == "fail" for check in checks)


def test_an_http_proxy_that_catches_this_machine_is_found(user: User) -> None:
    user.write_settings()
    caught = examined(user, HTTP_PROXY="http://proxy.example.org:3128")
    assert found(caught, "HTTP proxy")[0]["state"] == "fail"
    passed = examined(user, HTTP_PROXY="http://proxy.example.org:3128", NO_PROXY="localhost,127.0.0.1")
    assert found(passed, "HTTP proxy")[0]["state"] == "ok"


def test_a_window_that_is_believed_too_large_is_found(user: User) -> None:
    user.write_settings()
    assert found(examined(user, CLAUDE_CODE_MAX_CONTEXT_TOKENS="1000000"), "window")[0]["state"] == "warn"


def test_who_has_the_port_is_named(user: User) -> None:
    user.write_settings()
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        document = json.loads(user.file.read_text())
        document["custom_llm"]["proxy_port"] = stranger.getsockname()[1]
        user.file.write_text(json.dumps(document))
        (check,) = found(examined(user), "proxy")
    assert "is taken by" in check["message"]


def test_a_proxy_on_another_login_node_is_told_apart(user: User) -> None:
    user.write_settings()
    record = Record("0" * 16, "node-b", 4001, "", str(user.file), pid=1, create_time=1.0)
    digest = user.instances.log(user.file).stem.rpartition("-")[2]
    user.state.mkdir(parents=True)
    (user.state / f"node-b-{digest}.json").write_bytes(
        dumps({name: getattr(record, name) for name in Record.__dataclass_fields__})
    )
    (check,) = found(examined(user), "proxy")
    assert "node-b" in check["message"]
    (user.state / f"node-b-{digest}.json").unlink()


def test_a_refused_key_says_where_keys_are_made(user: User) -> None:
    user.write_settings()
    user.file.write_text(user.file.read_text().replace(KEY, WRONG_KEY))
    ran = examined(user)
    assert found(ran, "key")[0]["state"] == "fail"
    assert found(ran, "key")[0]["hint"]
    assert WRONG_KEY not in ran.stdout


def test_a_refused_key_is_the_one_thing_to_mend(user: User) -> None:
    """What the model can do is not known then, and another model would be refused as well."""
    user.write_settings()
    user.file.write_text(user.file.read_text().replace(KEY, WRONG_KEY))
    assert user.run("start", "--json").code == 0
    checks = examined(user, **connected(user)).json["checks"]
    assert [check["name"] for check in checks if check["state"] == "fail"] == ["key"]
    assert not [check for check in checks if "Not measured" in check["message"]]


def test_a_model_that_answers_nothing_is_asked_once(user: User) -> None:
    user.write_settings()
    user.file.write_text(user.file.read_text().replace("kimi-k2.5", "kimi-k1"))
    assert user.run("start", "--json").code == 0
    checks = examined(user, **connected(user)).json["checks"]
    assert [check["name"] for check in checks if check["state"] == "fail"] == ["model", "tool call"]
    assert not [check for check in checks if "Not measured" in check["message"]]


def test_a_provider_that_is_not_there_is_told(user: User) -> None:
    user.write_settings()
    user.file.write_text(user.file.read_text().replace(user.base_url, "http://127.0.0.1:9/v1"))
    assert found(examined(user), "network")[0]["state"] == "fail"


def test_a_model_that_is_gone_gets_a_successor(user: User) -> None:
    user.write_settings()
    user.file.write_text(user.file.read_text().replace("kimi-k2.5", "kimi-k1"))
    (check,) = found(examined(user), "model")
    assert (check["state"], check["hint"]) == ("fail", "configure.py use kimi-k2.5")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no permission bits")
def test_a_file_that_others_can_read_is_found_and_left_as_it_is(user: User) -> None:
    user.write_settings()
    user.file.chmod(0o644)
    (check,) = found(examined(user), "file mode")
    assert check["state"] == "warn"
    assert user.file.stat().st_mode & 0o777 == 0o644
    subprocess.run(["sh", "-c", check["hint"]], check=True)
    assert found(examined(user), "file mode")[0]["state"] == "ok"


@pytest.mark.parametrize(("secret", "is_told"), [(TOKEN, False), (KEY, True)])
def test_what_may_be_in_settings_that_a_repository_keeps_is_as_set_up_has_it(
    secret: str, is_told: bool, user: User
) -> None:
    """Some keep their home's settings in a repository, behind a link: there a key is a fault, and a token is none."""
    user.write_settings()
    kept = user.home / "dotfiles" / "settings.json"
    write_claude_settings(kept, ANTHROPIC_AUTH_TOKEN=secret)
    for command in (["init", "--quiet"], ["add", "settings.json"]):
        subprocess.run(["git", *command], cwd=kept.parent, check=True)
    (user.home / ".claude").mkdir()
    (user.home / ".claude" / "settings.json").symlink_to(kept)
    told = [check for check in found(examined(user), "git") if "settings.json" in check["message"]]
    assert [check["state"] for check in told] == (["fail"] if is_told else [])


def test_a_file_that_git_would_take_is_found_and_nothing_is_changed(user: User) -> None:
    user.write_settings()
    subprocess.run(["git", "init", "--quiet"], cwd=user.project, env=user.env, check=True)
    (check,) = found(examined(user), "git")
    assert check["state"] == "fail"
    assert not (user.project / ".gitignore").exists()


def test_a_model_that_is_down_gets_a_successor(user: User) -> None:
    user.write_settings()
    user.provider.status_models = [{"model_name": "Kimi-K2.5", "status": "down", "latest": {}}]
    (check,) = found(examined(user), "model")
    assert (check["state"], check["hint"]) == ("fail", "configure.py use kimi-k2.6")


def test_a_proxy_that_runs_the_code_of_before_an_update_is_told(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    user.write_settings()
    record, section = user.start().record, parse_section(user.section)
    (current,) = proxy(user.file, section, record, user.instances)
    assert (current.state, current.message) == ("ok", f"It answers on {address(record.port)} (pid {record.pid}).")
    monkeypatch.setattr("neuroflow_proxy.setup.doctor.proxy.build", lambda: "999.0+0")
    (former,) = proxy(user.file, section, record, user.instances)
    assert (former.state, former.mend) == ("warn", "configure.py start")
    assert former.message.endswith("but runs the code of before an update.")


def test_a_running_proxy_is_tried_and_asked_what_it_met(user: User) -> None:
    user.write_settings()
    port = user.start().record.port
    body = {
        "model": "claude-opus-4-5",
        "max_tokens": 99,
        "messages": [{"role": "user", "content": "Hi"}],
        "never_heard_of": 1,
    }
    assert call(f"http://127.0.0.1:{port}/v1/messages", body, token=TOKEN)[0] == 200
    assert found(examined(user), "tool call")[0]["state"] == "ok"
    user.provider.script = lambda _: [*role(), *text("Certainly."), *finish("stop")]
    ran = examined(user)
    assert found(ran, "tool call")[0]["state"] == "fail"
    assert "never_heard_of" in found(ran, "ignored")[0]["message"]
    asked = len(user.provider.requests)
    assert found(user.run("doctor", "--no-proof", "--json"), "tool call") == []
    assert len(user.provider.requests) == asked


def test_every_variable_is_told_with_the_source_that_wins(user: User) -> None:
    user.write_settings()
    write_claude_settings(user.home / ".claude" / "settings.json", ANTHROPIC_MODEL="opus", ANTHROPIC_AUTH_TOKEN=TOKEN)
    ran = examined(user, ANTHROPIC_MODEL="kimi-k2.5", ANTHROPIC_BASE_URL="http://127.0.0.1:4001")
    told = {variable["name"]: variable for variable in ran.json["variables"]}
    assert set(told) == set(connected(user))
    assert (told["ANTHROPIC_MODEL"]["value"], told["ANTHROPIC_MODEL"]["source"]) == ("opus", "the user's settings")
    assert (told["ANTHROPIC_MODEL"]["wanted"], told["ANTHROPIC_MODEL"]["is_as_wanted"]) == ("kimi-k2.5", False)
    assert (told["ANTHROPIC_AUTH_TOKEN"]["is_as_wanted"], told["ANTHROPIC_AUTH_TOKEN"]["value"]) == (True, "…test")
    assert told["CLAUDE_CODE_ATTRIBUTION_HEADER"]["source"] is None
    assert any("ANTHROPIC_MODEL is opus" in check["message"] for check in found(ran, "connection"))
    assert TOKEN not in ran.stdout


def test_that_a_request_arrives_is_tried_and_not_inferred(user: User) -> None:
    user.write_settings()
    port = user.start().record.port
    arrives = {"ANTHROPIC_BASE_URL": f"http://127.0.0.1:{port}", "ANTHROPIC_AUTH_TOKEN": TOKEN}
    assert any("reaches the proxy" in check["message"] for check in found(quick(user, **arrives), "connection"))
    document = json.loads(user.file.read_text())
    user.file.write_text(json.dumps({"custom_llm": document["custom_llm"] | {"proxy_token": "another-one-altogether"}}))
    told = found(quick(user, **arrives), "connection")
    assert not any("reaches the proxy" in check["message"] for check in told)


def quick(user: User, **env: str) -> Ran:
    return user.run("doctor", "--no-proof", "--json", **env)


def test_who_gets_the_requests_instead_is_named(user: User) -> None:
    user.write_settings()
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        (check, *_) = found(
            quick(user, ANTHROPIC_BASE_URL=f"http://127.0.0.1:{stranger.getsockname()[1]}"), "connection"
        )
    assert check["state"] == "fail"
    assert "listens" in check["message"]


def test_what_the_operators_announce_is_told(user: User) -> None:
    user.write_settings()
    assert found(quick(user), "news") == []
    user.provider.announcement = {"announcement_message": "Maintenance\n at noon", "announcement_type": "warning"}
    assert found(quick(user), "news")[0]["message"] == "The provider announces (warning): Maintenance at noon"


def test_an_old_claude_code_is_told_to_be_updated(user: User) -> None:
    user.write_settings()
    claude = user.home / ".local" / "bin" / "claude"
    claude.parent.mkdir(parents=True)
    for answer, state in (("1.9.9999", "warn"), ("2.1.330 (Claude Code)", "ok"), ("3.0.0", "ok"), ("what?", "warn")):
        claude.write_text(f"#!/bin/sh\necho '{answer}'\n")
        claude.chmod(0o755)
        (check,) = found(quick(user, PATH="/usr/bin:/bin"), "Claude Code")
        assert (check["state"], answer.split()[0] in check["message"] or answer == "what?") == (state, True)


def write_record_of_another_machine(user: User, port: int) -> None:
    record = Record("0" * 16, "node-b", port, "", str(user.file), pid=1, create_time=1.0)
    digest = user.instances.log(user.file).stem.rpartition("-")[2]
    (user.state / f"node-b-{digest}.json").write_bytes(
        dumps({name: getattr(record, name) for name in Record.__dataclass_fields__})
    )


def test_two_machines_that_write_two_ports_into_one_file_are_told(user: User) -> None:
    user.write_settings()
    port = user.start().record.port
    write_record_of_another_machine(user, port)
    assert found(quick(user), "machines")[0]["state"] == "ok"
    write_record_of_another_machine(user, port + 1)
    (check,) = found(quick(user), "machines")
    assert (check["state"], check["hint"]) == ("warn", f"configure.py restart --port {port + 1}")
    for path in user.state.glob("node-b-*"):
        path.unlink()


def test_settings_with_the_token_are_looked_at_as_well(user: User) -> None:
    subprocess.run(["git", "init", "--quiet"], cwd=user.project, env=user.env, check=True)
    user.write_settings()
    write_claude_settings(user.project / ".claude" / "settings.local.json", ANTHROPIC_AUTH_TOKEN=TOKEN)
    (user.project / ".gitignore").write_text(".neuroflow/\n")
    inside, outside = found(quick(user), "git")
    assert (inside["state"], outside["state"]) == ("ok", "fail")
    assert "settings.local.json" in outside["message"]


# --- what the model can do, as measured


def answering(answer: Callable[[JSON], Answer]) -> Script:
    """The built-in provider's own answer where a tool is offered, and `answer` where none is."""
    return lambda body: None if "tools" in body else answer(body)


def measured(user: User, answer: Callable[[JSON], Answer], name: str) -> dict[str, Any]:
    user.write_settings()
    user.start()
    user.provider.script = answering(answer)
    return found(examined(user), name)[0]


def test_an_answer_that_comes_bit_by_bit_is_seen_to_stream(user: User) -> None:
    words = [part for _ in range(4) for part in (Pause(0.1), *text("one "))]
    check = measured(user, lambda _: [*role(), *words, *finish("stop")], "streaming")
    assert (check["state"], check["message"].startswith("An answer came in ")) == ("ok", True)


def test_an_answer_that_is_held_back_on_the_way_is_told(user: User) -> None:
    check = measured(user, lambda _: [Pause(0.7), *role(), *text("one two three"), *finish("stop")], "streaming")
    assert (check["state"], "in one piece" in check["message"]) == ("warn", True)


def test_an_answer_that_came_at_once_says_nothing_about_streaming(user: User) -> None:
    check = measured(user, lambda _: [*role(), *text("one"), *finish("stop")], "streaming")
    assert (check["state"], "Not measured" in check["message"]) == ("ok", True)


@pytest.mark.parametrize(
    ("reasons", "words"),
    [
        (lambda wished: wished, "where it is asked to, and not otherwise"),
        (lambda wished: True, "whether it is asked to or not"),
        (lambda wished: False, "does not reason"),
    ],
    ids=["as it is told", "always", "never"],
)
def test_whether_it_reasons_is_tried_both_ways(reasons: Callable[[bool], bool], words: str, user: User) -> None:
    def answer(body: JSON) -> Answer:
        wished = body.get("chat_template_kwargs", {}).get("thinking", True)
        thoughts = reasoning("Hm.") if reasons(wished) else []
        return [*role(), *thoughts, *text("No."), *finish("stop")]

    assert words in measured(user, answer, "thinking")["message"]


@pytest.mark.parametrize(("sees", "words"), [(True, "It sees"), (False, "seems not to see")])
def test_whether_it_sees_is_tried_with_a_picture_whose_colours_nobody_can_know(
    sees: bool, words: str, user: User
) -> None:
    def answer(body: JSON) -> Answer:
        pictures = [part for part in body["messages"][-1]["content"] if isinstance(part, dict)]
        colours = colours_of(pictures[0]["image_url"]["url"]) if pictures and sees else "A lovely picture."
        return [*role(), *text(colours), *finish("stop")]

    assert words in measured(user, answer, "vision")["message"]


def colours_of(url: str) -> str:
    """What a model with eyes would say."""
    png = base64.b64decode(url.partition(",")[2])
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    start = png.index(b"IDAT") + 4
    pixels = zlib.decompressobj().decompress(png[start:])
    names = {
        (255, 0, 0): "Red",
        (0, 160, 0): "Green",
        (0, 0, 255): "Blue",
        (255, 255, 0): "Yellow",
        (0, 0, 0): "Black",
        (255, 255, 255): "White",
    }
    left, right = tuple(pixels[1:4]), tuple(pixels[1 + 63 * 3 : 1 + 64 * 3])
    return f"The left half is {names[left]}, and the right one {names[right]}."


def test_the_window_is_the_one_that_the_provider_admits_to(tmp_path: Path) -> None:
    small = DemoModel("kimi-k2.5", window=100_000, thinks=True, switch="thinking", tool_ids="functions.{name}:{n}")
    with somebody(tmp_path, models=[small]) as user:
        user.write_settings()
        user.start()
        ran = examined(user, CLAUDE_CODE_MAX_CONTEXT_TOKENS="262144")
    first, believed = found(ran, "window")
    assert "100,000 tokens, in the provider's own words" in first["message"]
    assert (believed["state"], "counts with 262,144" in believed["message"]) == ("warn", True)


def test_what_cannot_be_measured_is_not_claimed(user: User) -> None:
    check = measured(user, lambda _: [Status(403, {"error": {"message": "no"}})], "vision")
    assert (check["state"], "Not measured" in check["message"]) == ("ok", True)


@pytest.mark.parametrize(
    ("status", "state", "words"),
    [(200, "ok", "finds 3 pages"), (403, "warn", "`json` must be among `search.formats`"), (500, "warn", "status 500")],
)
def test_whether_searches_find_anything_is_tried(user: User, status: int, state: str, words: str) -> None:
    user.write_settings()
    with serving(SearXNG(status=status)) as url:
        save_section(user.file, {"web_search": url})
        (check,) = found(examined(user), "web search")
        assert (check["state"], words in check["message"]) == (state, True), check
        assert not found(user.run("doctor", "--json", "--no-proof"), "web search")


def test_no_search_is_made_where_none_was_turned_on(user: User) -> None:
    user.write_settings()
    assert not found(examined(user), "web search")
