"""Fuzz one target, guided by which code an input reaches: `python -m tests.fuzz.guided TARGET SECONDS DIR`.

Inputs that reach something new gather in DIR; one that fails, or takes too long, is left there as `crash-…` or `oom-…`.
The fuzzer's own alarm is off: its signal has ended whole runs of Python without a word.
"""

import os
import sys
import time
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["neuroflow_proxy"]):
    from tests.fuzz.targets import TARGETS, seeds

LONGEST = 4096
"""Bytes of an input: short ones are tried more often, and hold all that is to find but slowness."""
SLOWEST_S = 10
MOST_MEGABYTES = 2048


def main() -> None:
    name, seconds, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seed for seed in seeds(name) if len(seed) <= LONGEST):
        (corpus / f"seed-{number:04d}").write_bytes(seed)
    limits = [f"-max_total_time={seconds}", "-handle_alrm=0", f"-rss_limit_mb={MOST_MEGABYTES}"]
    places = [f"-artifact_prefix={folder}{os.sep}", str(corpus)]

    def try_it(data: bytes) -> None:
        began = time.monotonic()
        TARGETS[name](data)
        assert time.monotonic() - began < SLOWEST_S

    atheris.Setup([sys.argv[0], *limits, f"-max_len={LONGEST}", "-print_final_stats=1", *places], try_it)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
