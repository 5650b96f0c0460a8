"""What a user attaches to a report: recorded through the command line, replayed by what replays all recordings."""

import stat
import sys
import zipfile
from pathlib import Path

from neuroflow_proxy.demo.script import Cut, Pause, finish, role, text
from neuroflow_proxy.setup.health import ask_stats
from tests.grammar import listen
from tests.live import call
from tests.recordings.cases import Case
from tests.recordings.draft import draft
from tests.recordings.test_answers import answer, check
from tests.setup.user import KEY, User

ASK = {
    "model": "claude-x",
    "max_tokens": 99,
    "stream": True,
    "messages": [{"role": "user", "content": "List the files."}],
    "tools": [
        {
            "name": "Bash",
            "description": "Run it",
            "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}},
        }
    ],
}
LEAK = '<tool_call>\n{"name": "Bash", "arguments": {"command": "ls"}}\n</tool_call>'


def ask(user: User) -> None:
    """A request whose answer is of no interest here: it is what is recorded that counts."""
    section = user.section
    url = f"http://127.0.0.1:{section['proxy_port']}/v1/messages"
    call(url, {**ASK, "stream": False}, token=section["proxy_token"])


def unpacked(output: str, folder: Path) -> list[Path]:
    with zipfile.ZipFile(output) as archive:
        archive.extractall(folder)
    return sorted(folder.iterdir())


def test_a_misbehaving_stream_is_recorded_packed_and_replayed(user: User, tmp_path: Path) -> None:
    assert user.set_up("--yes", "--no-proof").code == 0
    begun = user.run("record", "--json").json
    assert begun["recordings"]
    user.provider.script = lambda body: [*role(), *text(LEAK, pieces=9), *finish()]
    ask(user)
    ended = user.run("record", "--end", "--json").json

    (folder,) = unpacked(ended["output"], tmp_path / "cases")
    said = draft(folder)
    assert (said["text"], said["tool_calls"]) == (LEAK, []), "the wire has only words"
    # What the person who makes a test of it adds: what it should have said.
    meant = {"text": "", "reasoning": "", "tool_calls": [{"name": "Bash", "arguments": {"command": "ls"}}]}
    case = Case(folder.name, folder, said | {"rescue": meant})
    check(case, listen(answer(case, case.body)))
    check(case, listen(answer(case, *(bytes([byte]) for byte in case.body))))


def test_a_stream_that_breaks_off_is_replayed_as_one_that_breaks_off(user: User, tmp_path: Path) -> None:
    assert user.set_up("--yes", "--no-proof").code == 0
    user.run("record", "--json")
    user.provider.script = lambda body: [*role(), *text("Half a sen", pieces=3), Pause(0.1), Cut("rst")]
    ask(user)
    folders = unpacked(user.run("record", "--end", "--json").json["output"], tmp_path / "cases")
    for folder in folders:
        case = Case(folder.name, folder, draft(folder))
        assert case.expect["text"] == "Half a sen"
        said = listen(answer(case, case.body))
        assert (said.text, said.stop_reason, said.error is not None) == ("Half a sen", None, True)


def test_a_recording_holds_no_key_is_for_its_maker_alone_and_is_all_that_is_left(user: User, tmp_path: Path) -> None:
    user.set_up("--yes", "--no-proof")
    token = user.section["proxy_token"]
    recordings = Path(user.run("record", "--json").json["recordings"])
    user.provider.script = lambda body: [*role(), *text(f"The key is {KEY}."), *finish()]
    ask(user)
    output = Path(user.run("record", "--end", "--json").json["output"])
    told = b"".join(
        file.read_bytes() for folder in unpacked(str(output), tmp_path / "cases") for file in folder.iterdir()
    )
    assert b"List the files." in told
    assert KEY.encode() not in told
    assert token.encode() not in told
    assert not recordings.exists()
    if sys.platform != "win32":
        assert stat.S_IMODE(output.stat().st_mode) == 0o600
    stats = ask_stats(user.section["proxy_port"], token)
    assert stats is not None
    assert stats["recordings"] is None


def test_where_nothing_was_recorded_that_is_said(user: User) -> None:
    user.set_up("--yes", "--no-proof")
    user.run("record")
    ran = user.run("record", "--end", "--json")
    assert ran.code == 3
    assert ran.json["error"]["message"] == "Nothing was recorded."
