"""How fast the proxy is, beside a floor and its peers: measured in turns, written as a table and JSON."""

import argparse
import json
import shutil
import signal
import sys
from pathlib import Path

from . import table
from .interpreter import HERE, NotHere
from .load import NotServed
from .machine import Machine, Moment
from .measures import BRIEF, MEASURES
from .run import measure
from .subjects import FLOOR, PEERS, bare, original, other_checkout, ours

RECORD = Path(__file__).with_name("record.json")


def _program(name: str) -> Path:
    found = shutil.which(name)
    if found is None:
        raise argparse.ArgumentTypeError(f"there is no program {name}")
    return Path(found)


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="about how long one measure of one subject takes")
    parser.add_argument("--only", nargs="+", choices=list(MEASURES), metavar="MEASURE", help="these measures alone")
    parser.add_argument("--python", type=_program, default=HERE, metavar="PATH", help="the subjects' Python")
    parser.add_argument("--peers", nargs="+", default=[], choices=list(PEERS), help="these as well; installs them")
    parser.add_argument(
        "--bare", action="store_true", help="the proxy with only the packages that it must have as well"
    )
    parser.add_argument("--original", type=Path, metavar="FILE", help="a single-file proxy (`app` in it) as well")
    parser.add_argument("--against", type=Path, metavar="DIR", help="the proxy of another checkout as well")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    brief = parser.add_mutually_exclusive_group()
    brief.add_argument("--check", action="store_true", help="in a minute: is any ratio twice the recorded one?")
    brief.add_argument("--record", action="store_true", help="in a minute: record the ratios for --check")
    flags = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that what was started is ended
    python, is_brief = flags.python, flags.check or flags.record
    before = Moment.now()
    try:
        subjects = [ours(python)] if is_brief else [ours(python), FLOOR]
        subjects += [PEERS[name](python) for name in flags.peers]
        if flags.bare:
            subjects.append(bare(python))
        if flags.against:
            subjects.append(other_checkout(python, flags.against.resolve()))
        if flags.original:
            subjects.append(original(python, flags.original))
        if is_brief:
            results = measure(subjects, BRIEF, rounds=3, seconds=0.7)
        else:
            starts_on = None if flags.only else python
            names = flags.only or list(MEASURES)
            results = measure(subjects, names, rounds=flags.rounds, seconds=flags.seconds, starts_on=starts_on)
    except (NotHere, NotServed) as failure:
        print(failure, file=sys.stderr)
        return 2
    machine = Machine(python, before, Moment.now())
    if flags.json:
        flags.json.write_text(json.dumps({"machine": machine.told(), "results": results}, indent=1) + "\n", "utf-8")
    if flags.record:
        RECORD.write_text(json.dumps(table.record(results), indent=1) + "\n", "utf-8")
    if is_brief:
        worse = table.worse(results, json.loads(RECORD.read_text("utf-8")))
        print("\n".join(worse) or "No ratio is twice the recorded one.")
        return 1 if worse else 0
    print(f"{machine}\n\n{table.text(results, floor=FLOOR.name)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
