"""Eight processes write, two collect garbage, one verifies: nothing that a record needs is lost.

    python tests/faults/store_campaign.py --rounds 1000 [--folder FOLDER] [--unguarded]

One round of a writer: take a lease, put or rely on a few objects (some of its own, some that other
writers put at the same time, some that collectors delete over and over), write the record that
leads to them, give the lease back, and give up an old record of its own. With ``--unguarded``
writers note nothing in their leases: a control that has to lose objects.

Prints one line of JSON and ends with 0 if nothing was lost, with 4 if something was.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from mlops_ray.errors import ManifestError
from mlops_ray.manifest import canonical_bytes
from mlops_ray.manifest.reachable import Roots
from mlops_ray.storage import ObjectStore, digest, sweep_temporaries
from mlops_ray.storage.collect import collect_garbage
from mlops_ray.storage.lease import Lease

N_WRITERS, N_COLLECTORS = 8, 2
POOL = [f"object that comes and goes, number {i}\n".encode() * 50 for i in range(12)]


def write(root: Path, number: int, rounds: int, is_unguarded: bool) -> dict[str, int]:
    """All rounds of one writer; returns its counts."""
    if is_unguarded:
        Lease.note = lambda _self, _name: None  # type: ignore[method-assign]
    random_numbers = random.Random(number)  # noqa: S311 - no secret
    store, keys, n_relied = ObjectStore(root), [], 0
    for turn in range(rounds):
        key = f"runs/{number}-{turn}/sealed.json"
        with store.lease() as writer:
            contents = [b"of writer %d in round %d" % (number, turn), b"of all in %d" % turn]
            contents += random_numbers.sample(POOL, 3)
            # Every second time as the engine does: rely on what is there, else make it anew.
            is_relying = [random_numbers.random() < 0.5 for _ in contents]
            n_relied += sum(map(partial(supply, writer), contents, is_relying))
            objects = [
                {"role": "part", "sha256": digest(data), "size_bytes": len(data)}
                for data in contents
            ]
            envelope = writer.put(canonical_bytes({"key": key, "objects": objects}))
            writer.write_record(key, canonical_bytes({"envelope": envelope}))
        keys.append(key)
        if len(keys) > 2 and random_numbers.random() < 0.9:
            store.delete_record(keys.pop(random_numbers.randrange(len(keys) - 1)))
    return {"written": rounds, "relied": n_relied}


def supply(writer: ObjectStore, data: bytes, is_relying: bool) -> bool:
    """See to it that an object is there; whether it was there already."""
    if is_relying and writer.hold(digest(data)):
        return True
    writer.put(data)
    return False


def collect(root: Path) -> dict[str, int]:
    """Collect garbage until the writers are done."""
    store, n_passes, n_deleted = ObjectStore(root), 0, 0
    while not (root / "done").exists():
        n_deleted += collect_garbage(store, Roots(store).reached).n_deleted
        n_passes += 1
    return {"passes": n_passes, "deleted": n_deleted}


def verify(root: Path) -> dict[str, int]:
    """Read everything that records lead to until the writers are done."""
    n_passes = n_checked = 0
    lost: set[str] = set()
    while not (root / "done").exists():
        checked, missing = look(ObjectStore(root))
        n_passes, n_checked = n_passes + 1, n_checked + checked
        lost |= missing
    return {"passes": n_passes, "checked": n_checked, "lost": len(lost)}


def look(store: ObjectStore) -> tuple[int, set[str]]:
    """How many objects records lead to, and which of them are not there or not whole."""
    n_checked, lost, roots = 0, set(), Roots(store)
    for key in roots.keys():  # noqa: SIM118 - not a mapping
        try:
            found = roots.contents(key)
        except ManifestError as error:
            lost.add(str(error))
            continue
        names = {found.name, *(item.name for item in found.needed)} if found else set()
        n_checked += len(names)
        broken = {name for name in names if not store.is_whole(name)}
        if broken and store.read_record(key) is not None:
            lost |= broken
    return n_checked, lost


def garbage_of(store: ObjectStore) -> set[str]:
    """Objects that a last collection, with nobody writing, should have deleted or kept."""
    collect_garbage(store, Roots(store).reached)
    return set(store.names()) ^ Roots(store).reached()


def campaign(root: Path, rounds: int, is_unguarded: bool) -> dict[str, object]:
    """Run all processes; returns what happened."""
    started = time.monotonic()
    base = [sys.executable, __file__, "--rounds", str(rounds), "--folder", str(root)]
    base += ["--unguarded"] if is_unguarded else []
    watching = [_started(base, role) for role in ["collect"] * N_COLLECTORS + ["verify"]]
    writing = [_started(base, f"write-{n}") for n in range(N_WRITERS)]
    written = [_ended(process) for process in writing]
    (root / "done").touch()
    watched = [_ended(process) for process in watching]
    store = ObjectStore(root)
    n_needed, lost = look(store)
    left: set[str] = set() if lost else garbage_of(store)
    return {
        "rounds": sum(each.get("written", 0) for each in written),
        "relied": sum(each.get("relied", 0) for each in written),
        "collections": sum(each.get("passes", 0) for each in watched[:-1]),
        "deleted": sum(each.get("deleted", 0) for each in watched[:-1]),
        "verifications": watched[-1].get("passes", 0),
        "checked": watched[-1].get("checked", 0),
        "needed_at_end": n_needed,
        "garbage_at_end": len(left) + sweep_temporaries(root),
        "lost": watched[-1].get("lost", 0) + len(lost),
        "failed_processes": sum(not each for each in [*written, *watched]),
        "wall_s": round(time.monotonic() - started, 1),
    }


def _started(base: list[str], role: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([*base, "--role", role], stdout=subprocess.PIPE)


def _ended(process: subprocess.Popen[bytes]) -> dict[str, int]:
    output, _ = process.communicate()
    return dict(json.loads(output)) if process.returncode == 0 else {}


def main() -> int:
    """Entry point, of the campaign and of its processes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=1000, help="rounds of all writers together")
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--unguarded", action="store_true")
    parser.add_argument("--role", default="")
    given = parser.parse_args()
    root = given.folder or Path(tempfile.mkdtemp(prefix="store-campaign-"))
    role, _, number = given.role.partition("-")
    rounds = -(-given.rounds // N_WRITERS)
    outcome: dict[str, object]
    if role == "write":
        outcome = {**write(root, int(number), rounds, given.unguarded)}
    elif role == "collect":
        outcome = {**collect(root)}
    elif role == "verify":
        outcome = {**verify(root)}
    else:
        outcome = campaign(root, given.rounds, given.unguarded)
    print(json.dumps(outcome))  # noqa: T201 - the result
    faults = ("lost", "garbage_at_end", "failed_processes")
    is_bad = not role and any(outcome[fault] for fault in faults)
    return 4 if is_bad else 0


if __name__ == "__main__":
    sys.exit(main())
