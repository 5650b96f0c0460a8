"""The status service beside the gateway: joined where it answers, and never waited for."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroflow_proxy.demo.run import running
from neuroflow_proxy.setup.catalog import offer, recommended
from neuroflow_proxy.setup.model_table import facts, table
from neuroflow_proxy.setup.service_status import Load, ask_loads
from tests.setup.test_catalog import EINFRA
from tests.setup.user import KEY, User


def model(**changes: Any) -> dict[str, Any]:
    latest = {"num_requests_running": 3, "num_requests_waiting": 1, "generation_tokens_rate_per_request": 40.5}
    return {"model_name": "Kimi-K2.5", "status": "online", "latest": latest} | changes


def asked(user: User, models: Any) -> dict[str, Load]:
    user.provider.status_models = models
    return dict(ask_loads(user.base_url))


def test_names_are_matched_whatever_their_case(user: User) -> None:
    assert asked(user, [model()]) == {"kimi-k2.5": Load(is_up=True, running=3, waiting=1, tokens_per_s=40.5)}


@pytest.mark.parametrize("latest", [{}, None, {"num_requests_running": "many"}, {"num_requests_running": True}])
def test_numbers_that_are_missing_are_not_made_up(latest: Any, user: User) -> None:
    assert asked(user, [model(latest=latest)]) == {"kimi-k2.5": Load(is_up=True)}


@pytest.mark.parametrize("status", ["down", "archived", None, "something new"])
def test_only_online_is_up(status: str | None, user: User) -> None:
    assert not asked(user, [model(status=status)])["kimi-k2.5"].is_up


@pytest.mark.parametrize("answer", [None, {"detail": "?"}, "text", [1, None, {"id": 1}, {"model_name": 7}]])
def test_an_answer_of_another_kind_is_no_answer(answer: Any, user: User) -> None:
    assert asked(user, answer) == {}


def test_no_service_at_all_is_no_fault() -> None:
    assert ask_loads("http://127.0.0.1:9/v1") == {}


def test_other_providers_are_not_asked_for_what_they_do_not_have() -> None:
    assert ask_loads("https://llm.example.org/v1") == {}


def test_a_slow_service_is_not_waited_for() -> None:
    async def silent(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while (await receive())["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            await send({"type": "lifespan.shutdown.complete"})
        else:
            await asyncio.wait_for(receive(), 1)
            await receive()  # until the client has left

    with running(silent) as base_url:
        began = time.monotonic()
        assert ask_loads(base_url) == {}
        assert time.monotonic() - began < 5


def test_a_recommended_model_that_is_down_gives_way_and_says_so(user: User) -> None:
    user.provider.status_models = [model(status="down")]
    ran = user.set_up("--yes")
    assert ran.json["model"] == "kimi-k2.6"
    told = user.run("models", "--json").json["models"]
    assert told[0]["id"] == "kimi-k2.6"
    assert "kimi-k2.5, which is down" in told[0]["note"]
    assert (told[-1]["id"], told[-1]["up"]) == ("kimi-k2.5", False)


def test_setup_goes_on_when_the_service_is_down(user: User) -> None:
    user.provider.status_models = None
    assert user.set_up("--yes").json["model"] == "kimi-k2.5"


def test_when_everything_is_down_nothing_is_recommended() -> None:
    down = Load(is_up=False)
    assert recommended(offer(["kimi-k2.5", "kimi-k2.6"], {"kimi-k2.5": down, "kimi-k2.6": down})) is None


def test_the_table_has_straight_columns_and_leaves_out_what_nobody_knows() -> None:
    choices = offer(["kimi-k2.5", "zeta", "glm-4.7"], {"glm-4.7": Load(True, 12, 2, 38.7), "zeta": Load(False)})
    head, (first, second, third) = table(choices, "glm-4.7")
    assert head.split() == ["model", "tok/s", "run", "wait", "window", "thinks", "sees"]
    assert first.split() == ["kimi-k2.5", "262k", "yes", "yes", "recommended"]
    assert second.split() == ["glm-4.7", "39", "12", "2", "110k", "yes", "in", "use"]
    assert third.split() == ["zeta", "down"]
    assert head.index("window") == first.index("262k") == second.index("110k")
    assert facts(choices[2])["context_window"] is None


def test_a_table_without_any_state_has_no_column_for_it() -> None:
    assert table(offer(["kimi-k2.5"]), None).rows == ["kimi-k2.5  262k    yes     yes   recommended"]


@given(width=st.integers(1, 120))
def test_a_narrow_table_keeps_names_and_marks_and_leaves_out_the_rest_first(width: int) -> None:
    loads = {model: Load(True, 12, 2, 38.7) for model in EINFRA}
    head, lines = table(offer(EINFRA, loads), None, width=width)
    wide = table(offer(EINFRA, loads), None).rows
    assert [line.split()[0] for line in lines] == [line.split()[0] for line in wide]
    assert lines[0].endswith("recommended")
    if width >= 47:  # what the longest name and the longest mark of these take
        assert max(map(len, [head, *lines])) <= width


def test_the_models_are_a_table_for_people(user: User, tmp_path: Path) -> None:
    key_file = tmp_path / "key"
    key_file.write_text(KEY)
    shown = user.run("models", "--base-url", user.base_url, "--key-file", str(key_file)).stdout.splitlines()
    assert shown[0].split()[:4] == ["model", "tok/s", "run", "wait"]
    assert shown[1].split()[:4] == ["kimi-k2.5", "40", "0", "0"]
