"""What all tests stand on: no settings from outside, and property tests that do not depend on the machine's speed."""

import os
import signal

import pytest
from hypothesis import settings

IN_CI = os.environ.get("CI") == "true"

# A slow machine is no counterexample. In CI the examples are fixed, so that red means that the change is to blame.
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if IN_CI else "here")

# A shell without job control makes what it starts in the background deaf to Ctrl-C, and programs bequeath that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

OURS = ("OPENAI_", "BIG_MODEL", "SMALL_MODEL", "PROXY_DEBUG", "NEUROFLOW_", "ANTHROPIC_", "CLAUDE")


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may have a real key, or may run them from inside Claude Code: neither may leak in."""
    for name in list(os.environ):
        if name.startswith(OURS) and not name.startswith("NEUROFLOW_TEST_"):
            monkeypatch.delenv(name)
