"""The proof at the end of set-up: told as it is, whatever the model does."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from neuroflow_proxy.demo.catalog import EINFRA_MODELS
from neuroflow_proxy.demo.script import Answer, Status, finish, role, text, tool_call
from neuroflow_proxy.errors import Kind
from neuroflow_proxy.setup.proof import Proof, prove
from neuroflow_proxy.setup.report import address
from tests.setup.user import TOKEN, User, somebody


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[User, int]]:
    """Somebody whose proxy runs, and its port."""
    with somebody(tmp_path_factory.mktemp("served")) as user:
        user.write_settings()
        yield user, user.start().record.port


def proved(served: tuple[User, int], answer: Answer | None) -> Proof:
    user, port = served
    user.provider.script = (lambda _: answer) if answer else None
    return prove(address(port), TOKEN, "kimi-k2.5")


def calling(arguments: str) -> Answer:
    return [*role(), *tool_call("Read", arguments, id="functions.Read:0"), *finish("tool_calls")]


def test_a_model_that_uses_the_tool_passes_and_is_timed(served: tuple[User, int]) -> None:
    proof = proved(served, None)
    assert proof.problem == ""
    assert proof.first_token_s is not None
    assert "called a tool" in proof.words


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ([*role(), *text("I would read it."), *finish("stop")], "did not call"),
        (calling(json.dumps({"path": "notes.txt"})), "make no sense"),
        (calling(json.dumps({"file_path": "/etc/passwd"})), "another file"),
        ([Status(400, {"error": {"message": "no tools here"}})], "no tools here"),
    ],
    ids=["only talks", "wrong field", "wrong file", "refused"],
)
def test_a_model_that_does_not_is_told_of(answer: Answer, words: str, served: tuple[User, int]) -> None:
    proof = proved(served, answer)
    assert words in proof.problem
    assert words in proof.words


def test_a_proxy_that_is_not_there_is_told() -> None:
    assert "broke" in prove(address(9), TOKEN, "kimi-k2.5").problem


def test_setup_offers_the_next_best_when_the_proof_fails(user: User) -> None:
    user.provider.script = lambda _: [*role(), *text("Certainly."), *finish("stop")]
    ran = user.set_up("--yes")
    assert ran.code == 0, "everything that was asked for is done"
    assert (ran.json["proof"]["ok"], ran.json["proof"]["next_best"]) == (False, "kimi-k2.6")
    assert "configure.py use kimi-k2.6" in user.run("setup").stdout


@pytest.mark.parametrize(("status", "next_best"), [(401, None), (404, "kimi-k2.6")])
def test_a_model_that_the_service_did_not_let_answer_is_not_called_unfit(
    user: User, status: int, next_best: str | None
) -> None:
    user.provider.script = lambda _: [Status(status, {"error": {"message": "No."}})]
    told = user.set_up("--yes").json["proof"]
    assert (told["ok"], told["next_best"]) == (False, next_best)
    assert ("configure.py doctor" in told["hint"]) is (next_best is None)
    assert "kimi-k2.5 could not be tested: " in user.run("setup").stdout


@pytest.mark.parametrize(("fault", "may"), [(Kind.BILLING, False), (Kind.BROKEN_ANSWER, True), (None, True)])
def test_another_model_is_offered_where_it_may_fare_better(fault: Kind | None, may: bool) -> None:
    assert Proof("There was no answer.", fault=fault).may_another_do is may


def test_the_next_best_is_never_one_that_is_down(user: User) -> None:
    user.provider.script = lambda _: [*role(), *text("Certainly."), *finish("stop")]
    user.provider.status_models = [{"model_name": "Kimi-K2.6", "status": "down", "latest": {}}]
    assert user.set_up("--yes").json["proof"]["next_best"] == "kimi"


def test_where_there_is_only_one_model_no_other_is_offered(tmp_path: Path) -> None:
    with somebody(tmp_path, models=EINFRA_MODELS[:1]) as user:
        user.provider.script = lambda _: [*role(), *text("Certainly."), *finish("stop")]
        assert user.set_up("--yes").json["proof"]["next_best"] is None


def test_the_proof_can_be_left_out(user: User) -> None:
    assert user.set_up("--yes", "--no-proof").json["proof"] is None
    assert user.provider.requests == []
