"""Another model while the proxy runs, and what the proxy tells of its work."""

from pathlib import Path

import pytest

from neuroflow_proxy.settings import EINFRA_BASE_URL, parse_section
from neuroflow_proxy.setup.integrations import save_section
from neuroflow_proxy.setup.usage import prompt_tokens, usage_lines, window_of
from tests.live import call
from tests.setup.user import KEY, TOKEN, User

COUNTED = {
    "requests": 4,
    "outcomes": {"ok": 3, "timeout": 1},
    "input_tokens": 100_000,
    "cached_tokens": 260_000,
    "output_tokens": 900,
    "longest_prompt_tokens": 150_000,
    "retries": 1,
    "waited_s": 2.0,
    "median_first_byte_s": 1.25,
    "median_tokens_per_s": 41.4,
    "mended": {"kimi": 2},
}
STATS = {
    "models": {"kimi-k2.5": COUNTED},
    "queue": {"limit": 2, "running": 2, "waiting": [{"position": 1, "waited_s": 3.0}]},
    "learned": {"glm-4.7": {"context_window": 90_000}},
    "settings_problem": None,
    "ignored_fields": {},
}


def ask(user: User, text: str, model: str = "claude-opus-4-5") -> int:
    """One request through the running proxy. Returns the status."""
    body = {"model": model, "max_tokens": 64, "messages": [{"role": "user", "content": text}]}
    return call(f"http://127.0.0.1:{user.section['proxy_port']}/v1/messages", body, token=TOKEN)[0]


def running(user: User) -> User:
    user.write_settings()
    assert user.run("start", "--json").code == 0
    return user


def test_a_switch_holds_from_the_next_request_on_and_restarts_nothing(user: User) -> None:
    pid = running(user).run("status", "--json").json["pid"]
    told = user.run("use", "qwen3.5-122b", "--json").json
    assert (told["model"], told["changed"], told["active"], told["pid"]) == ("qwen3.5-122b", True, True, pid)
    assert told["warnings"] == [], "both take the same"
    assert ask(user, "Hello") == 200
    assert user.provider.requests[-1].body["model"] == "qwen3.5-122b"
    assert user.section["api_key"] == KEY


def test_the_small_model_can_be_switched_alone(user: User) -> None:
    running(user)
    told = user.run("use", "--small-model", "mistral-small-4", "--json").json
    assert (told["model"], told["small_model"], told["active"]) == ("kimi-k2.5", "mistral-small-4", True)
    assert ask(user, "Hello", model="claude-haiku-4-5") == 200
    assert user.provider.requests[-1].body["model"] == "mistral-small-4", "the proxy was said to have taken it up"


def test_a_tier_gets_a_model_of_its_own_and_loses_it_again(user: User) -> None:
    running(user)
    told = user.run("use", "--tier", "opus=glm-4.7", "--tier", "fable=qwen3.5-122b", "--json").json
    assert told["tiers"] == {"opus": "glm-4.7", "fable": "qwen3.5-122b"}
    assert told["variables"]["ANTHROPIC_DEFAULT_OPUS_MODEL"] == "glm-4.7"
    assert told["variables"]["ANTHROPIC_DEFAULT_OPUS_MODEL_NAME"].startswith("glm-4.7 (")
    assert told["variables"]["ANTHROPIC_DEFAULT_SONNET_MODEL"] == told["variables"]["ANTHROPIC_MODEL"] == "kimi-k2.5"
    assert "glm-4.7 for opus" in user.run("status").stdout
    assert user.run("use", "--tier", "opus=", "--json").json["tiers"] == {"fable": "qwen3.5-122b"}
    user.run("use", "--tier", "fable=")
    assert "tiers" not in user.section


def test_who_asks_for_a_tier_is_answered_by_its_model(user: User) -> None:
    user.write_settings()
    save_section(user.file, {"tiers": {"opus": "glm-4.7"}})
    assert user.run("start", "--json").code == 0
    assert ask(user, "Hello") == 200
    assert user.provider.requests[-1].body["model"] == "glm-4.7"


@pytest.mark.parametrize("tier", ["opus", "gold=kimi-k2.5", "=kimi-k2.5", ""])
def test_a_tier_that_there_is_not_is_refused(tier: str, user: User) -> None:
    user.write_settings()
    assert user.run("use", "--tier", tier, "--json").code == 2


def test_a_tier_cannot_get_a_model_that_is_not_listed(user: User) -> None:
    user.write_settings()
    ran = user.run("use", "--tier", "opus=kimi-k2.55", "--json")
    assert ran.code == 4
    assert "tiers" not in user.section


def test_a_model_that_is_not_listed_changes_nothing(user: User) -> None:
    user.write_settings()
    before = user.file.read_bytes()
    ran = user.run("use", "kimi-k2.55", "--json")
    assert ran.code == 4
    assert "kimi-k2.5" in ran.json["error"]["hint"]
    assert user.file.read_bytes() == before


def test_use_without_a_model_asks_for_one_in_words(user: User) -> None:
    user.write_settings()
    assert user.run("use").code == 2


def test_a_switch_without_a_running_proxy_says_how_to_start_it(user: User) -> None:
    user.write_settings()
    ran = user.run("use", "kimi-k2.6")
    assert ran.code == 0
    assert "configure.py start" in ran.stdout


def test_a_smaller_window_than_the_session_has_used_is_warned_of(user: User) -> None:
    running(user)
    assert ask(user, "word " * 150_000) == 200
    ran = user.run("use", "glm-4.7", "--json")
    assert ran.code == 0
    assert "/compact" in ran.json["warnings"][0]
    assert "/compact" in ran.stderr
    assert ran.json["variables"]["CLAUDE_CODE_MAX_CONTEXT_TOKENS"] == "110000"


def test_only_who_does_not_read_settings_again_is_said_to_go_on_with_what_was_before(user: User) -> None:
    """Seen with 2.1.330: sessions take up their settings while they run, but neither `--settings` nor a shell."""
    running(user)
    to_another = ("use", "glm-4.7", "--tier", "opus=glm-4.7", "--json")
    assert all("`configure.py env` prints" in words for words in user.run(*to_another).json["warnings"])
    user.run("use", "kimi-k2.5", "--tier", "opus=", "--json")
    assert user.run("setup", "--yes", "--connect", "settings", "--no-proof", "--json").code == 0
    window, tiers = user.run(*to_another).json["warnings"]
    assert "`configure.py claude` has started goes on counting with 262,144" in window
    assert "`configure.py claude` has started goes on with the models" in tiers


def test_status_tells_what_was_served(user: User) -> None:
    running(user)
    assert ask(user, "Hello") == 200
    told = user.run("status", "--json").json
    assert told["stats"]["models"]["kimi-k2.5"]["outcomes"] == {"ok": 1}
    assert "kimi-k2.5: 1 request" in user.run("status").stdout


def test_status_without_a_proxy_has_nothing_to_count(user: User) -> None:
    user.write_settings()
    assert user.run("status", "--json").json["stats"] is None


def test_what_was_counted_is_told_in_one_line_for_each_model() -> None:
    now, counted = usage_lines(STATS)
    assert now == "Now: 2 of 2 running, 1 waiting for a place, the longest for 3 s."
    for fact in ("4 requests", "1 timeout", "1.2 s", "41 tokens/s", "72%", "1 retried", "repairs: kimi 2x"):
        assert fact in counted


def test_the_longest_prompt_is_what_a_smaller_window_has_to_hold() -> None:
    assert prompt_tokens(STATS, "kimi-k2.5") == 150_000
    assert prompt_tokens(STATS, "never asked") == 0


def test_a_window_that_the_provider_told_goes_before_the_one_that_is_known() -> None:
    at_home = parse_section(
        {"base_url": "http://127.0.0.1:8000/v1", "context_windows": {"glm-4.7": 80_000, "qwen3.6": 65_536}}
    )
    assert window_of("glm-4.7", at_home, STATS) == 90_000
    assert window_of("qwen3.6", at_home, STATS) == 65_536
    assert window_of("kimi-k2.5", at_home, STATS) == window_of("kimi-k2.5", at_home, None) == 262_144


def test_where_a_provider_was_seen_to_take_less_than_it_says_that_counts() -> None:
    for told, window in (({}, 131_072), ({"kimi-k2.5": 262_144}, 131_072), ({"kimi-k2.5": 65_536}, 65_536)):
        section = parse_section({"base_url": EINFRA_BASE_URL, "context_windows": told})
        assert window_of("kimi-k2.5", section, None) == window


def test_logs_end_with_what_happened_last(user: User) -> None:
    running(user)
    ask(user, "Hello")
    told = user.run("logs", "--lines", "2", "--json").json
    assert Path(told["log"]).is_file()
    assert len(told["lines"]) == 2
    assert "outcome=ok" in told["lines"][-1]
    assert "Hello" not in user.run("logs").stdout


@pytest.mark.parametrize("verb", ["use", "logs"])
def test_without_settings_they_say_how_to_get_some(verb: str, user: User) -> None:
    ran = user.run(verb, *(["kimi-k2.5"] if verb == "use" else []), "--json")
    assert ran.code == 3
    assert ran.json["error"]["hint"]


def test_logs_of_a_proxy_that_never_ran_are_missed_in_words(user: User) -> None:
    user.write_settings()
    assert "never ran" in user.run("logs", "--json").json["error"]["message"]
