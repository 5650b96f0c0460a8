"""The real Claude Code works through the proxy: it talks, reads, edits, runs, thinks, and goes on."""

import os
import sys
from pathlib import Path

import pytest

from neuroflow_proxy.demo.script import finish, in_turn, reasoning, role, text
from tests.e2e.claude import install_claude, minimal_environment
from tests.e2e.conftest import MODEL, Session
from tests.live import printed_by

pytestmark = pytest.mark.e2e


def test_an_answer_in_text_arrives_as_it_was_said(session: Session) -> None:
    # What breaks lines for str.splitlines, what is several bytes long, and what JSON has to escape.
    said = 'Příliš žluťoučký kůň\u2028\u2029\u0085 úpěl "ďábelské" ódy. \\ 漢字 🐎\n\tKonec.'
    session.provider.script = in_turn(role() + text(said, pieces=9) + finish())
    finished = session.claude("Say something.")
    assert finished.text == said
    assert finished.result["usage"]["input_tokens"] > 1000
    assert finished.result["usage"]["output_tokens"] > 0
    assert len(session.bodies) == 1


def test_an_address_and_a_token_are_enough(session: Session) -> None:
    """With nothing else Claude Code asks for its own model, which the provider has never heard of."""
    names = ("ANTHROPIC_BASE_URL", "ANTHROPIC_AUTH_TOKEN")
    finished = session.claude("Hello there!", env={name: session.connection[name] for name in names})
    assert "Hello there!" in finished.text
    assert {body["model"] for body in session.bodies} == {MODEL}
    answers = [event["message"]["model"] for event in finished.events if event["type"] == "assistant"]
    assert all(model.startswith("claude-") for model in answers)


def test_it_reads_a_file_edits_it_and_runs_a_command(session: Session) -> None:
    notes = session.project / "notes.txt"
    notes.write_text("alpha\nbeta\n", encoding="utf-8")
    finished = session.claude(
        "Read notes.txt, change beta to žížala in notes.txt, then run `cat notes.txt > copy.txt`."
    )
    assert [block["name"] for block in finished.blocks("tool_use")] == ["Read", "Edit", "Bash"]
    assert [block for block in finished.blocks("tool_result") if block.get("is_error")] == []
    assert notes.read_text(encoding="utf-8") == "alpha\nžížala\n"
    assert (session.project / "copy.txt").read_text(encoding="utf-8") == "alpha\nžížala\n"


def test_three_tool_calls_of_one_turn_are_all_made_and_all_answered(session: Session) -> None:
    (session.project / "a.txt").write_text("first")
    (session.project / "b.txt").write_text("second")
    finished = session.claude("Read a.txt, read b.txt and run `echo third > c.txt`, all at once.")
    assert [block["name"] for block in finished.blocks("tool_use")] == ["Read", "Read", "Bash"]
    assert len({block["id"] for block in finished.blocks("tool_use")}) == 3
    assert (session.project / "c.txt").read_text() == "third\n"
    assert len(session.bodies) == 2
    calling, *results = session.bodies[1]["messages"][-4:]
    assert [call["function"]["name"] for call in calling["tool_calls"]] == ["Read", "Read", "Bash"]
    assert {result["tool_call_id"] for result in results} == {call["id"] for call in calling["tool_calls"]}


def test_five_turns_deep_it_still_thinks_and_remembers_its_thoughts(session: Session) -> None:
    finished = session.claude("Run `echo step >> steps.txt` 4 times.")
    assert (session.project / "steps.txt").read_text() == "step\n" * 4
    assert len(session.bodies) == 5

    thoughts = [block["thinking"] for block in finished.blocks("thinking")]
    assert len(thoughts) == 5
    # Kimi refuses a tool call that comes back without the reasoning that led to it.
    sent_back = [
        message["reasoning_content"] for message in session.bodies[-1]["messages"] if message.get("tool_calls")
    ]
    assert sent_back == thoughts[:4]
    for earlier, later in zip(session.bodies, session.bodies[1:], strict=False):
        assert later["messages"][: len(earlier["messages"])] == earlier["messages"]


def test_a_conversation_that_is_taken_up_again_has_all_that_was_thought_and_said(session: Session) -> None:
    session.provider.script = in_turn(
        role() + reasoning("A secret: seven.", pieces=3) + text("I have a number.") + finish(),
        role() + text("It was seven.") + finish(),
    )
    session.claude("Think of a number.")
    finished = session.claude("Which one?", "--continue")
    assert finished.text == "It was seven."
    first_answer = next(message for message in session.bodies[1]["messages"] if message["role"] == "assistant")
    assert first_answer["content"] == "I have a number."
    assert first_answer["reasoning_content"] == "A secret: seven."


def test_the_demonstration_can_be_held_with_claude_code(tmp_path: Path) -> None:
    claude = Path(install_claude())
    env = minimal_environment(tmp_path) | {"PATH": f"{claude.parent}{os.pathsep}/usr/bin:/bin"}
    prompt = "Read note.txt, change Every to Each in note.txt and run `cat note.txt`."
    command = [sys.executable, "-m", "neuroflow_proxy", "demo", "--claude", "--prompt", prompt]
    assert "Each word of this file" in printed_by(command, cwd=tmp_path, env=env)
