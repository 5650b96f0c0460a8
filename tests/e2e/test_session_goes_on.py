"""The session goes on in the real Claude Code, whatever happens between it and the model."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from neuroflow_proxy.demo.rules.families import fits
from neuroflow_proxy.demo.script import Answer, Cut, Hang, Pause, Status, finish, in_turn, role, text, tool_call
from neuroflow_proxy.translate.sampling import ROOM_TO_GO_ON
from neuroflow_proxy.wire.codec import dumps
from neuroflow_proxy.wire.messages_api import JSON
from tests.e2e.claude import CURRENT
from tests.e2e.conftest import MODEL, Session
from tests.e2e.tui import ESC, at_a_terminal, choose_model, say
from tests.serving import wait_until

pytestmark = pytest.mark.e2e

# 2.1.197 ends the turn where an answer breaks off after words, and looks different at a terminal.
only_current = pytest.mark.parametrize("session", [CURRENT], indirect=True)

BUSY: Answer = [Status(429, {"detail": "Queue is full"}, {"retry-after": "1", "x-rate-limit-queue-status": "full"})]
NOTE: Answer = tool_call(
    "Bash", {"command": "echo once >> ran.txt", "description": "Note it"}, id="functions.Bash:0", pieces=4
)
FINE: Answer = [*role(), *text("All is fine."), *finish()]
BROKEN: Answer = [Pause(0.2), Cut("rst")]


def small_window(body: JSON) -> Answer | None:
    """The built-in agent, in a window of 60,000 tokens."""
    complaints = list(fits(60_000)(body))
    return [Status(400, {"error": {"message": complaints[0]}})] if complaints else None


@pytest.mark.nightly
def test_a_busy_gateway_is_waited_for_without_claude_code_noticing(session: Session) -> None:
    session.provider.script = in_turn(BUSY, FINE)
    finished = session.claude("How are you?", faults=[429])
    assert finished.text == "All is fine."
    assert len(session.bodies) == 2
    assert [event for event in finished.events if event.get("subtype") == "api_retry"] == []


@pytest.mark.nightly
def test_a_gateway_that_is_busy_for_longer_than_the_proxy_waits_is_asked_again_by_claude_code(session: Session) -> None:
    session.provider.script = in_turn(BUSY, BUSY, BUSY, FINE)
    assert session.claude("How are you?", faults=[429]).text == "All is fine."
    assert len(session.bodies) == 4


@only_current
def test_words_that_break_off_are_taken_up_where_they_ended(session: Session) -> None:
    session.provider.script = in_turn(
        [*role(), *text("The first half,", pieces=2), *BROKEN], [*role(), *text(" and the second."), *finish()]
    )
    finished = session.claude("Tell me all.")
    said = [event["message"] for event in finished.events if event["type"] == "assistant"]
    assert [block["text"] for message in said for block in message["content"]] == [
        "The first half,",
        " and the second.",
    ]
    _, kept, nudge = session.bodies[1]["messages"][-3:]
    assert (kept["role"], kept["content"]) == ("assistant", "The first half,")
    assert "cut off" in str(nudge["content"])


@pytest.mark.parametrize(("said", "asked"), [(len(NOTE) // 2, 3), (len(NOTE), 2)])
def test_a_call_runs_once_wherever_the_answer_breaks_off(session: Session, said: int, asked: int) -> None:
    """In the midst of its arguments it is asked for anew; whole, it is run, and what it says goes back."""
    again = [[*role(), *NOTE, *finish("tool_calls")]] if said < len(NOTE) else []
    session.provider.script = in_turn([*role(), *NOTE[:said], *BROKEN], *again, FINE)
    finished = session.claude("Note it.")
    assert finished.text == "All is fine."
    assert (session.project / "ran.txt").read_text() == "once\n"
    assert len(session.bodies) == asked


def test_a_conversation_that_outgrows_the_model_is_compacted_and_its_task_done(session: Session) -> None:
    """Claude Code believes in a window of 262,144 tokens: nothing but the provider's refusal tells it otherwise."""
    session.provider.script = small_window
    for name in "abc":
        (session.project / f"{name}.txt").write_text("word " * 16_000)
    session.claude("Hello there!")
    finished = session.claude(
        "Read a.txt, read b.txt, read c.txt, then run `echo done > done.txt`.", "--continue", faults=[400]
    )
    assert [event for event in finished.events if event.get("subtype") == "compact_boundary"]
    assert (session.project / "done.txt").read_text() == "done\n"
    refused = [dumps(received.body) for received in session.provider.requests if received.status == 400]
    assert len(refused) == len(set(refused)), "what was refused was sent again"


def test_a_window_that_fills_bit_by_bit_leaves_room_for_a_whole_summary(session: Session) -> None:
    """With no room left, it would be cut off after its first lines, and the task forgotten."""
    session.provider.script = small_window
    for number in range(22):
        (session.project / f"{number}.txt").write_text("word " * 1_600)
    asked = ", ".join(f"read {number}.txt" for number in range(22))
    session.claude(f"{asked}, then run `echo done > done.txt`.", faults=[400])
    summaries = [body for body in session.bodies if "followed by a <summary> block" in str(body["messages"][-1])]
    assert min(body["max_tokens"] for body in summaries) >= ROOM_TO_GO_ON
    assert (session.project / "done.txt").read_text() == "done\n"


def test_a_summary_that_breaks_off_is_written_anew_and_the_task_done(session: Session) -> None:
    """Nobody can go on from the half of one: it is asked for again, or the turn ends with "Prompt is too long"."""
    broken = iter([[*role(), *text("<analysis>All</analysis>\n<summary>The", pieces=3), *BROKEN]])

    def script(body: JSON) -> Answer | None:
        wants_summary = "followed by a <summary> block" in str(body["messages"][-1])
        return small_window(body) or (next(broken, None) if wants_summary else None)

    session.provider.script = script
    for name in "abc":
        (session.project / f"{name}.txt").write_text("word " * 16_000)
    session.claude("Hello there!")
    session.claude("Read a.txt, read b.txt, read c.txt, then run `echo done > done.txt`.", "--continue", faults=[400])
    assert next(broken, None) is None
    assert (session.project / "done.txt").read_text() == "done\n"


@pytest.mark.nightly
def test_a_conversation_that_outgrows_a_web_server_is_compacted_and_its_task_done(session: Session) -> None:
    """In front of the provider, one that takes only so many bytes; the wish for a summary has too many as well."""
    page = "<html><head><title>413 Request Entity Too Large</title></head></html>"
    session.provider.script = lambda body: [Status(413, page)] if len(dumps(body)) > 200_000 else None
    for number in range(14):
        (session.project / f"{number}.txt").write_text("word " * 2_400)
    session.claude("Hello there!")
    asked = ", ".join(f"read {number}.txt" for number in range(14))
    session.claude(f"{asked}, then run `echo done > done.txt`.", "--continue", faults=[413])
    assert (session.project / "done.txt").read_text() == "done\n"


@pytest.mark.nightly
@pytest.mark.parametrize("silent_s", [15, 30])
def test_a_silent_provider_is_waited_for(session: Session, silent_s: float) -> None:
    """Told to give up on a stream after 12 s without a byte, Claude Code sees the pings and does not."""
    session.provider.script = in_turn([Pause(silent_s), *FINE])
    impatient = {"CLAUDE_BYTE_STREAM_IDLE_TIMEOUT_MS": "12000"}
    finished = session.claude("How are you?", env={**session.connection, **impatient})
    assert finished.text == "All is fine."
    assert len(session.bodies) == 1


def test_six_agents_at_once_share_two_places(session: Session) -> None:
    session.provider.latency_s = 0.3
    asked = ", ".join(f"ask an agent to run `echo {n} > {n}.txt`" for n in range(6))
    finished = session.claude(f"{asked}, all at once.", tools="Agent,Bash")
    assert [block["name"] for block in finished.blocks("tool_use")].count("Agent") == 6
    assert [(session.project / f"{n}.txt").read_text() for n in range(6)] == [f"{n}\n" for n in range(6)]
    assert session.provider.most_in_flight == 2


@only_current
def test_escape_ends_the_request_upstream_within_a_second(session: Session) -> None:
    session.provider.script = in_turn([*role(), *text("One.\nTwo.\nThree.\n", pieces=3), Hang()], FINE)
    with at_a_terminal(session) as terminal:
        say(terminal, "Count for ever.")
        terminal.see("Two.")
        terminal.type(ESC)
        wait_until(lambda: session.provider.requests[0].disconnected, "the request upstream is closed", 1.0)
        terminal.see("Interrupted")
        say(terminal, "And now?")
        terminal.see("All is fine.")
    assert len(session.bodies) == 2


@only_current
def test_a_proxy_that_was_killed_between_two_turns_goes_on_where_it_was(session: Session) -> None:
    with at_a_terminal(session) as terminal:
        say(terminal, "I am Ada.")
        terminal.see("You said: I am Ada.")
        session.proxy.kill()
        with session.proxy.running():
            say(terminal, "Who am I?")
            terminal.see("You said: Who am I?")
    roles = [message["role"] for message in session.bodies[-1]["messages"]]
    assert roles == ["system", "user", "assistant", "user"]
    assert "I am Ada." in str(session.bodies[-1]["messages"][1])


def test_a_proxy_that_was_killed_within_a_turn_is_asked_again(session: Session) -> None:
    session.provider.script = in_turn([*role(), *text("Half of"), Hang()], FINE)
    patient = {**session.connection, "CLAUDE_CODE_MAX_RETRIES": "6"}
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(session.claude, "How are you?", env=patient)
        wait_until(lambda: session.bodies, "the provider is asked", 30)
        session.proxy.kill()
        with session.proxy.running():
            assert asking.result().text == "All is fine."


@only_current
@pytest.mark.nightly
def test_a_model_chosen_in_the_file_answers_the_next_turn(session: Session) -> None:
    names = ("ANTHROPIC_BASE_URL", "ANTHROPIC_AUTH_TOKEN")
    with at_a_terminal(session, env={name: session.connection[name] for name in names}) as terminal:
        say(terminal, "I am Ada.")
        terminal.see("You said: I am Ada.")
        session.proxy.set({"model": "glm-4.7"})
        say(terminal, "Who am I?")
        terminal.see("You said: Who am I?")
    assert [body["model"] for body in session.bodies] == [MODEL, "glm-4.7"]
    assert "I am Ada." in str(session.bodies[1]["messages"])


@only_current
def test_a_model_chosen_in_claude_codes_own_list_answers_the_next_turn(session: Session) -> None:
    session.provider.script = in_turn(None, FINE)
    with at_a_terminal(session) as terminal:
        say(terminal, "I am Ada.")
        terminal.see("You said: I am Ada.")
        choose_model(terminal, "kimi-k2.6")
        say(terminal, "Who am I?")
        terminal.see("All is fine.")
    assert [body["model"] for body in session.bodies] == [MODEL, "kimi-k2.6"]
    assert "I am Ada." in str(session.bodies[1]["messages"])
