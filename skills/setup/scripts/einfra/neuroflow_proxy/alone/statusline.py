"""A status line for Claude Code: which model really answers, how the provider is, the queue, the window, the tokens.

    kimi-k2.5 · ready · window 5% of 262k · since the start 13.6k in, 50 out

Claude Code runs it often, so it is the standard library alone, in the syntax of Python 3.7, and done in a blink. It
reads the session from standard input, asks the session's own proxy for `/stats`, prints one line, and never fails.
"""

from __future__ import annotations

import json
import os
import sys

TYPE_CHECKING = False  # as a type checker knows it; importing `typing` would take longer than all the rest
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    JSON = dict[str, Any]

ADDRESS = "http://127.0.0.1:"  # what set-up writes
PATIENCE_S = 0.5
LONGEST_ANSWER = 1 << 20
FINE = (None, "ok", "client_gone")
SEPARATOR = " \N{MIDDLE DOT} "


def main(session: JSON, env: Mapping[str, str]) -> str:
    """The line."""
    asked = str((session.get("model") or {}).get("id") or "?").replace("anthropic/", "").replace("[1m]", "")
    base_url = env.get("ANTHROPIC_BASE_URL", "")
    port = base_url[len(ADDRESS) :].rstrip("/")
    if not base_url.startswith(ADDRESS) or not port.isdigit():
        return SEPARATOR.join([asked, "not through the proxy"])
    stats = ask(int(port), env.get("ANTHROPIC_AUTH_TOKEN", ""))
    if stats is None:
        return SEPARATOR.join([asked, f"no proxy answers on port {port}: run configure.py start"])
    return SEPARATOR.join([model(asked, stats), state(stats), *window(session), *tokens(stats)])


def ask(port: int, token: str) -> JSON | None:
    """What the proxy says of itself. By hand, because http.client takes as long to import as all the rest."""
    request = f"GET /stats HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n\r\n"
    import socket

    answer = b""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as connection:
            connection.sendall(request.encode())
            while len(answer) < LONGEST_ANSWER:
                data = connection.recv(65536)
                if not data:
                    break
                answer += data
        stats = json.loads(answer.partition(b"\r\n\r\n")[2])
    except (OSError, ValueError, OverflowError):
        return None
    return stats if isinstance(stats, dict) and stats.get("service") == "neuroflow-proxy" else None


def model(asked: str, stats: JSON) -> str:
    """The model that answered the last turn; before the first one, the model that will."""
    last = stats.get("last_turn") or {}
    expected = str(stats.get("model")) if asked.startswith("claude") else asked
    real = str(last.get("model") or expected)
    return real if real == expected else f"{real} for {expected}"


def state(stats: JSON) -> str:
    queue = stats.get("queue") or {}
    waiting = queue.get("waiting") or []
    if waiting:
        first = waiting[0]
        return f"in the queue: place {first['position']} of {len(waiting)}, for {first['waited_s']:.0f} s"
    outcome = (stats.get("last_turn") or {}).get("outcome")
    if outcome not in FINE:
        return str(outcome).replace("_", " ")
    return "at work" if queue.get("running") else "ready"


def window(session: JSON) -> list[str]:
    """How much of the model's window is used, as Claude Code reckons."""
    context = session.get("context_window") or {}
    used, size = context.get("used_percentage"), context.get("context_window_size")
    return [f"window {used:.0f}% of {short(size)}"] if used is not None and size else []


def tokens(stats: JSON) -> list[str]:
    """All that was sent and answered since the proxy was started."""
    counted = (stats.get("models") or {}).values()
    sent = sum(one["input_tokens"] + one["cached_tokens"] for one in counted)
    answered = sum(one["output_tokens"] for one in counted)
    return [f"since the start {short(sent)} in, {short(answered)} out"] if sent or answered else []


def short(number: float) -> str:
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if number >= size:
            return (
                f"{number / size:.1f}".rstrip("0").rstrip(".") + letter
                if number < 100 * size
                else f"{number / size:.0f}{letter}"
            )
    return f"{number:.0f}"


if __name__ == "__main__":
    try:
        told = json.load(sys.stdin)
    except ValueError:
        told = {}
    line = main(told if isinstance(told, dict) else {}, os.environ)
    sys.stdout.buffer.write(line.encode() + b"\n")  # whatever the console's own encoding is
