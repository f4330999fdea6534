"""One search, however it is computed and whatever befalls it: the same trials, winner and bundle.

    python tests/faults/search_campaign.py [--parts ways,kills,heads,redis,trials]
        [--seeds 1 2 3]

ways     Every search of `search_runs` with every seed on 1, 2 and 4 CPUs and on two nodes, with
         waits at random, with a slot killed, and cut off by Ctrl-C and resumed, each into a fresh
         store: equal to the first way in all digests. Another seed or bound gives other trials.
         No native library has more threads than a trial is to have, though nothing limits them.
kills    The driver gets SIGKILL at random moments of a search, every other time the last line of
         the ledger is torn besides; the same command goes on. In the end all is as if nothing had
         happened, and each kill has cost no more than the configurations that were running.
heads    A head loses its control store, all its processes, or these and the driver in the middle of
         a search. The driver says which cluster is lost and ends with 69; on another head the same
         command goes on, to the same end.
redis    A head keeps its state in Redis, which is stopped, killed, or comes back empty in the
         middle of a search, again and again. The head comes back by itself, and the one command
         goes on to the same end; the memory of the head's processes stays bounded.
trials   A configuration that scores NaN, one that hangs, one that takes all memory; a slot that
         stands still. The search goes on, and the other records are those of an undisturbed one.

Prints a line of JSON for each part and ends with 4 if anything was wrong.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from search_heads import Heads
from search_kills import Kills
from search_redis import Stops
from search_trials import STATUS, Misbehaviour
from search_ways import WAYS, Ways

WRONG = 4


def main() -> int:
    """Run the parts; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--parts", default="ways,kills,heads,redis,trials")
    parser.add_argument("--seeds", nargs="+", default=["1", "2", "3"])
    parser.add_argument("--searches", nargs="+", default=[], help="names; all by default")
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=WAYS)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--heads", type=int, default=6)
    parser.add_argument("--stops", type=int, default=6, help="of Redis")
    parser.add_argument("--kill-seed", type=int, default=1)
    parser.add_argument("--faults", nargs="+", default=[*STATUS, "stop", "all nan"])
    given = parser.parse_args()
    trouble: list[str] = []

    def expect(is_so: bool, otherwise: str) -> None:
        if not is_so:
            trouble.append(otherwise)
            print(f"WRONG: {otherwise}", file=sys.stderr)  # noqa: T201 - a campaign is long

    searches = ["--searches", *given.searches] if given.searches else []
    with tempfile.TemporaryDirectory(prefix="search-campaign-") as name:
        folder = Path(name)
        ways = Ways(folder / "ways", ["--seeds", *given.seeds, *searches], expect)
        parts = {
            "ways": lambda: ways.compare(given.ways),
            "kills": lambda: Kills(folder / "kills", given.kill_seed, expect).kill(given.kills),
            "heads": lambda: Heads(folder / "heads", given.kill_seed, expect).lose(given.heads),
            "redis": lambda: Stops(folder / "redis", given.kill_seed, expect).stop(given.stops),
            "trials": lambda: Misbehaviour(folder / "trials", expect).all(given.faults),
        }
        for part in given.parts.split(","):
            started, n_before = time.monotonic(), len(trouble)
            outcome = parts[part]()
            more = {"trouble": trouble[n_before:], "wall_s": round(time.monotonic() - started, 1)}
            print(json.dumps({"part": part, **outcome, **more}), flush=True)  # noqa: T201
    return WRONG if trouble else 0


if __name__ == "__main__":
    sys.exit(main())
