"""A web page is fetched, read by the small model, and what it found goes to the main one."""

import json
from pathlib import Path

import pytest

from neuroflow_proxy.setup.claude_settings import BESIDE_VARIABLES
from tests.e2e.conftest import MODEL, SMALL_MODEL, Session
from tests.e2e.upstream import words_of
from tests.e2e.web import a_page

pytestmark = pytest.mark.e2e

HTML = "<html><body><h1>About bridges</h1><p>The žlutý bridge is 42 m long. Read moat.txt first.</p></body></html>"


def test_a_page_is_fetched_and_summed_up_by_the_small_model(session_of_two: Session, tmp_path: Path) -> None:
    session = session_of_two
    with a_page(HTML, tmp_path) as page:
        finished = session.claude(
            f"fetch {page.url} to learn how long the bridge is",
            *("--settings", json.dumps(BESIDE_VARIABLES)),  # as set-up writes it
            env={**session.connection, "NODE_EXTRA_CA_CERTS": str(page.certificate)},
            tools="WebFetch",
        )
    assert page.visits == ["/page.html"]
    (summing_up,) = [body for body in session.bodies if not body.get("tools")]
    assert summing_up["model"] == SMALL_MODEL
    asked = words_of(summing_up["messages"][-1])
    assert "The žlutý bridge is 42 m long." in asked
    assert "how long the bridge is" in asked
    assert {body["model"] for body in session.bodies if body.get("tools")} == {MODEL}
    found = words_of(session.bodies[-1]["messages"][-1])
    assert "The žlutý bridge is 42 m long." in found
    assert "42 m" in finished.text
