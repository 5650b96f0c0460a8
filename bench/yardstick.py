"""What an interpreter says of itself, and how long it takes for a fixed piece of work; printed as JSON.

Run by the interpreter in question, so it imports nothing of the benchmarks'. The time is needed because not every build
tells how it was made: Debian's Python 3.11 is an optimised one and its `CONFIG_ARGS` do not say so.
"""

import json
import platform
import sysconfig
import time

ROUNDS = 10


class Step:
    def __init__(self, number: int, name: str) -> None:
        self.number = number
        self.name = name

    def told(self, more: int) -> dict[str, object]:
        return {"number": self.number + more, "name": self.name, "parts": [more, more + 1]}


def work() -> None:
    """What the proxy's own code mostly does: calls, small objects, dicts and texts."""
    for number in range(20_000):
        told = Step(number, "step").told(number)
        f"{told['name']}: {told['number']}".split(": ")


def work_ms() -> float:
    """CPU of the fastest of some rounds: whatever else the machine does only makes them slower."""
    times = []
    for _ in range(ROUNDS):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return 1e3 * min(times)


if __name__ == "__main__":
    says_optimised = "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or "")
    told = {"version": platform.python_version(), "says_optimised": says_optimised, "work_ms": round(work_ms(), 1)}
    print(json.dumps(told))
