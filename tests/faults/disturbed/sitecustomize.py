"""Disturbs a run from outside: its tasks and trials end in another order, the product is untouched.

Python imports this file first where its folder stands on PYTHONPATH, in the driver and in all of
Ray's workers. Whatever works on a unit or on a trial then waits, the first of them until another
one has ended, the others for a time that comes from a seed: so work ends in another order than it
began. Each end is noted in a ledger, with process and node. Settings come from the environment:

DISTURBED_LEDGER      file that takes the notes; nothing happens without it
DISTURBED_SEED        what the waits are drawn from
DISTURBED_MAX_S       longest wait
DISTURBED_BLOCK_BYTES size of Ray Data's blocks
DISTURBED_TASKS       Ray Data tasks a CPU
DISTURBED_TRIALS      JSON, index of a trial -> what befalls it at every attempt: ``hang``,
                      ``allocate`` (memory, until somebody ends it) or ``nan`` (its scores)
DISTURBED_SLOTS       processes that each begin a trial before any trial ends
DISTURBED_BREAK       ``units`` takes answers as they end; ``ties`` takes of equal trials the last
                      to end, as a running best does: controls, which have to show
"""

from __future__ import annotations

import functools
import importlib.abc
import importlib.util
import json
import math
import os
import random
import sys
import time
from pathlib import Path

LEDGER = os.environ.get("DISTURBED_LEDGER", "")
MAX_S = float(os.environ.get("DISTURBED_MAX_S", "0"))
SLOTS = int(os.environ.get("DISTURBED_SLOTS", "0"))
LIMIT_S = 60.0  # For a cluster that works on one thing at a time.
BREAK = os.environ.get("DISTURBED_BREAK", "")
BEFALLS = json.loads(os.environ.get("DISTURBED_TRIALS", "{}"))
PIECE_BYTES = 64 * 2**20
MOST_PIECES = 128  # Where nobody ends it, it ends as an error rather than take the machine along.


def wait(kind: str, index: int) -> None:
    """Wait: the first of a kind until another one has ended, the others for a time by seed."""
    if MAX_S and index == 0:
        wait_until(lambda: bool(noted(kind)))
    drawn = random.Random(f"{os.environ.get('DISTURBED_SEED')} {kind} {index}").random()  # noqa: S311
    time.sleep(drawn * MAX_S)


def wait_until(is_so) -> None:
    """Wait for others, but not for ever."""
    until = time.monotonic() + LIMIT_S
    while not is_so() and time.monotonic() < until:
        time.sleep(0.02)


def noted(kind: str) -> list[dict]:
    """The notes of a kind, in their order."""
    path = Path(LEDGER)
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [item for item in map(json.loads, lines) if item["kind"] == kind]


def note(kind: str, index: int, **more: object) -> None:
    """Note that some work has ended; appended by one system call."""
    from ray import get_runtime_context, is_initialized  # noqa: PLC0415 - the driver may need none

    node = get_runtime_context().get_node_id()[:8] if is_initialized() else ""
    where = {"pid": os.getpid(), "node": node}
    line = json.dumps({"kind": kind, "index": index, **where, **more}) + "\n"
    descriptor = os.open(LEDGER, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.write(descriptor, line.encode())
    os.close(descriptor)


def disturb_units(module) -> None:
    """Tasks of Ray Data: each waits before it works on its units."""
    work = module._work
    module._TASKS_PER_CPU = int(os.environ.get("DISTURBED_TASKS", module._TASKS_PER_CPU))
    block_bytes = os.environ.get("DISTURBED_BLOCK_BYTES")
    if block_bytes:
        context = module.ray.data.DataContext.get_current()
        context.target_max_block_size = context.target_min_block_size = int(block_bytes)

    @functools.wraps(work)
    def slow_work(batch, fn, units, combine):
        indices = batch.column("index").to_pylist()
        kind = fn.func.__name__
        wait(kind, indices[0])
        answer = work(batch, fn, units, combine)
        for index in indices:
            note(kind, index)
        return answer

    module._work = slow_work
    if BREAK == "units":
        module._collected = as_they_end


def as_they_end(dataset) -> list[dict]:
    """Answers of Ray Data in the order in which its tasks end."""
    dataset.context.execution_options.preserve_order = False
    batches = dataset.iter_batches(batch_format="pyarrow", batch_size=None)
    return [row for batch in batches for row in batch.to_pylist()]


def disturb_trials(module) -> None:
    """Trials: each says that it begins, may meet with something, and waits after its fit."""
    run, score = module.TrialRunner.run, module.FoldFits.score

    @functools.wraps(score)
    def scores(fits, step):
        found = score(fits, step)
        return dict.fromkeys(found, math.nan) if befalls(step.index) == "nan" else found

    @functools.wraps(run)
    def slow_run(runner, step):
        note("begun", step.index, rung=step.rung)
        wait_until(lambda: len({item["pid"] for item in noted("begun")}) >= SLOTS)
        befall(step.index)
        record = run(runner, step)
        wait("trial", step.index)
        note("trial", step.index, threads=native_threads())
        return record

    module.TrialRunner.run = slow_run
    module.FoldFits.score = scores


def native_threads() -> int:
    """Threads of the largest pool of a native library in this process."""
    import threadpoolctl  # noqa: PLC0415 - the driver may need none

    return max((pool["num_threads"] for pool in threadpoolctl.threadpool_info()), default=0)


def befalls(index: int) -> str:
    """What befalls a trial; empty for most."""
    return str(BEFALLS.get(str(index), ""))


def befall(index: int) -> None:
    """Hang, or take memory until somebody ends this process."""
    while befalls(index) == "hang":
        time.sleep(0.1)
    if befalls(index) == "allocate":
        pieces = []
        while len(pieces) < MOST_PIECES:
            pieces.append(b"\1" * PIECE_BYTES)
            time.sleep(0.05)
        raise MemoryError("nobody ended it")


def disturb_best(module) -> None:
    """The best trial: of equals the one that ended last."""
    best_trial = module.best_trial

    @functools.wraps(best_trial)
    def last_that_ended(records, mode):
        value = best_trial(records, mode).value
        order = [item["index"] for item in noted("trial")]
        equals = [record for record in records if record.value == value]
        return max(equals, key=lambda record: order.index(record.index))

    if BREAK == "ties":
        module.best_trial = last_that_ended


DISTURBED = {
    "mlops_ray.data.ray_map": disturb_units,
    "mlops_ray.search.objective": disturb_trials,
    "mlops_ray.search.trial": disturb_best,
}


class Disturber(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds modules as usual and changes the named ones once their code has run."""

    def __init__(self):
        self.loaders, self.is_asking = {}, False

    def find_spec(self, name, path=None, target=None):  # noqa: ARG002 - Python's signature
        if name not in DISTURBED or self.is_asking:
            return None
        self.is_asking = True
        try:
            spec = importlib.util.find_spec(name)
        finally:
            self.is_asking = False
        if spec is not None:
            self.loaders[name], spec.loader = spec.loader, self
        return spec

    def create_module(self, spec):
        return self.loaders[spec.name].create_module(spec)

    def exec_module(self, module):
        self.loaders[module.__name__].exec_module(module)
        DISTURBED[module.__name__](module)


if LEDGER:
    sys.meta_path.insert(0, Disturber())
