"""How fast the proxy is, beside a floor and its peers: measured in turns, written as a table and JSON."""

import argparse
import json
import sys
from pathlib import Path

from . import table
from .measures import BRIEF, MEASURES
from .run import machine, measure
from .subjects import BARE, FLOOR, OURS, PEERS, NotHere, original, other_checkout

RECORD = Path(__file__).with_name("record.json")


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="about how long one measure of one subject takes")
    parser.add_argument("--only", nargs="+", choices=list(MEASURES), metavar="MEASURE", help="these measures alone")
    parser.add_argument("--peers", nargs="+", default=[], choices=list(PEERS), help="these as well; installs them")
    parser.add_argument("--bare", action="store_true", help="the proxy with the seed's three packages alone as well")
    parser.add_argument("--original", type=Path, metavar="FILE", help="a single-file proxy (`app` in it) as well")
    parser.add_argument("--against", type=Path, metavar="DIR", help="the proxy of another checkout as well")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    brief = parser.add_mutually_exclusive_group()
    brief.add_argument("--check", action="store_true", help="in a minute: is any ratio twice the recorded one?")
    brief.add_argument("--record", action="store_true", help="in a minute: record the ratios for --check")
    flags = parser.parse_args()
    is_brief = flags.check or flags.record
    subjects = [OURS] if is_brief else [OURS, FLOOR]
    subjects += [PEERS[name] for name in flags.peers]
    if flags.bare:
        subjects.append(BARE)
    if flags.against:
        subjects.append(other_checkout(flags.against.resolve()))
    if flags.original:
        subjects.append(original(flags.original))
    try:
        if is_brief:
            results = measure(subjects, BRIEF, rounds=3, seconds=0.7, with_starts=False)
        else:
            names = flags.only or list(MEASURES)
            results = measure(
                subjects, names, rounds=flags.rounds, seconds=flags.seconds, with_starts=flags.only is None
            )
    except NotHere as missing:
        print(missing, file=sys.stderr)
        return 2
    if flags.json:
        flags.json.write_text(json.dumps({"machine": machine(), "results": results}, indent=1) + "\n", "utf-8")
    if flags.record:
        RECORD.write_text(json.dumps(table.record(results), indent=1) + "\n", "utf-8")
    if is_brief:
        worse = table.worse(results, json.loads(RECORD.read_text("utf-8")))
        print("\n".join(worse) or "No ratio is twice the recorded one.")
        return 1 if worse else 0
    print(table.text(results, floor=FLOOR.name))
    return 0


if __name__ == "__main__":
    sys.exit(main())
