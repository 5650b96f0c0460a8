"""What is recorded with PROXY_DEBUG, and that nothing is without it."""

import json
import logging
import stat
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from neuroflow_proxy.demo.provider import DEMO_KEY, DemoProvider
from neuroflow_proxy.demo.script import Cut, Status, finish, role, text
from neuroflow_proxy.server import recording
from neuroflow_proxy.server.recording import Recorder, Tape
from tests.grammar import listen, parse_sse
from tests.recordings.cases import Case
from tests.serving import proxy_before, wait_until
from tests.streams import run

ASK = {"model": "claude-x", "max_tokens": 9, "stream": True, "messages": [{"role": "user", "content": "Hi, Zuzana."}]}
SECRET = "the-token-of-4711"


def recordings(folder: Path) -> list[Path]:
    found = folder / ".neuroflow" / "recordings"
    return sorted(path for path in found.iterdir() if path.name[0] != ".") if found.exists() else []


def tape(answer: bytes = b"{}", **request: Any) -> Tape:
    made = Tape(json.dumps({"model": "m", **request}).encode(), 200, {"content-type": "application/json"})
    made.add(answer)
    return made


@pytest.fixture
def recorder(tmp_path: Path) -> Recorder:
    return Recorder(tmp_path / "recordings", lambda: [SECRET])


def test_without_the_switch_nothing_is_written(tmp_path: Path) -> None:
    with proxy_before(DemoProvider(), tmp_path) as url:
        assert httpx.post(f"{url}/v1/messages", json=ASK).status_code == 200
    assert list(tmp_path.iterdir()) == []


def test_a_recording_can_be_replayed_as_it_came(tmp_path: Path) -> None:
    answer = [*role(), *text("Good ", pieces=2), *text("day.", pieces=3), *finish("stop")]
    with proxy_before(DemoProvider(lambda body: answer), tmp_path, PROXY_DEBUG="1") as url:
        said = listen(parse_sse(httpx.post(f"{url}/v1/messages", json=ASK).content))
        wait_until(lambda: recordings(tmp_path), "it is written")
    (folder,) = recordings(tmp_path)
    case = Case(folder.name, folder, expect={"tool_calls": []})
    assert case.is_stream
    assert case.status == 200
    assert case.headers["content-type"].startswith("text/event-stream")
    reads = json.loads((folder / "reads.json").read_text())
    assert sum(reads) == len(case.body)
    assert listen(run(case.body, tools=())).text == said.text == "Good day."
    assert json.loads((folder / "request.json").read_text())["messages"][-1]["content"] == "Hi, Zuzana."
    assert json.loads((folder / "recording.json").read_text())["ended"] == "whole"


@pytest.mark.parametrize(
    ("answer", "file", "ended"),
    [
        ([Status(401, {"error": {"message": "No such key."}})], "response.json", "whole"),
        ([*role(), *text("Good "), Cut("fin")], "response.sse", "broken off"),
    ],
)
def test_what_goes_wrong_is_recorded_as_well(tmp_path: Path, answer: Any, file: str, ended: str) -> None:
    with proxy_before(DemoProvider(lambda body: answer), tmp_path, PROXY_DEBUG="1") as url:
        httpx.post(f"{url}/v1/messages", json=ASK)
        wait_until(lambda: recordings(tmp_path), "it is written")
    folder = recordings(tmp_path)[0]
    assert (folder / file).stat().st_size > 10
    assert json.loads((folder / "recording.json").read_text())["ended"] == ended
    assert (folder / "status").exists() == (file == "response.json")


def test_it_is_announced_at_start_and_in_the_report(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING), proxy_before(DemoProvider(), tmp_path, PROXY_DEBUG="1") as url:
        told = httpx.get(f"{url}/stats").json()["recordings"]
    assert told == str(tmp_path / ".neuroflow" / "recordings")
    assert told in caplog.text
    with proxy_before(DemoProvider(), tmp_path) as url:
        assert httpx.get(f"{url}/stats").json()["recordings"] is None


def test_keys_are_not_recorded_and_headers_only_those_that_matter(recorder: Recorder) -> None:
    made = tape(b'{"echo": "' + SECRET.encode() + b'"}', messages=[{"role": "user", "content": f"x {SECRET}"}])
    made.headers = {"set-cookie": "account=1", "content-type": "application/json", "retry-after": SECRET}
    recorder.keep(made)
    (folder,) = recorder.folder.iterdir()
    kept = {path.name: path.read_text("utf-8") for path in folder.iterdir()}
    assert not [name for name, said in kept.items() if SECRET in said]
    assert set(json.loads(kept["headers.json"])) == {"content-type", "retry-after"}
    assert "reads.json" not in kept, "the sizes are no longer those of the reads"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no permission bits")
def test_recordings_are_for_the_user_alone(recorder: Recorder) -> None:
    recorder.keep(tape())
    for path in (recorder.folder, *recorder.folder.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_recordings_are_bounded_in_size_and_number(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "MAX_ANSWER_BYTES", 1000)
    monkeypatch.setattr(recording, "MAX_RECORDINGS", 3)
    for number in range(5):
        made = tape(messages=[{"role": "user", "content": "long " * 50_000}], number=number)
        for _ in range(9):
            made.add(b"x" * 300)
        recorder.keep(made)
    kept = sorted(recorder.folder.iterdir())
    assert [json.loads((folder / "request.json").read_text())["number"] for folder in kept] == [2, 3, 4]
    for folder in kept:
        assert (folder / "response.json").stat().st_size == 1000
        assert (folder / "request.json").stat().st_size < 1.1 * recording.MAX_TEXT_CHARS
    monkeypatch.setattr(recording, "MAX_TOTAL_BYTES", 30_000)
    recorder.keep(tape())
    assert sum(file.stat().st_size for file in recorder.folder.rglob("*") if file.is_file()) <= 30_000
    assert (recorder.folder / kept[-1].name).exists(), "only the oldest go"


def test_a_request_that_is_too_long_in_all_is_kept_without_its_conversation(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "MAX_REQUEST_BYTES", 1000)
    recorder.keep(tape(messages=[{"role": "user", "content": "so "} for _ in range(1000)], temperature=1))
    (folder,) = recorder.folder.iterdir()
    assert json.loads((folder / "request.json").read_text()) == {"model": "m", "temperature": 1}


def test_an_answer_does_not_suffer_from_a_place_that_cannot_be_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / ".neuroflow").mkdir()
    (tmp_path / ".neuroflow" / "recordings").write_text("a file where the folder should be")
    with proxy_before(DemoProvider(), tmp_path, PROXY_DEBUG="1") as url:
        assert httpx.post(f"{url}/v1/messages", json=ASK).status_code == 200
    assert "nothing was recorded" in caplog.text
    assert DEMO_KEY not in caplog.text
