"""Times what a run spends on manifest, digests and store, from outside: no product code knows it.

Python imports this file first where its folder stands on PYTHONPATH. The named functions are
wrapped as their modules are imported, in the process of a command and not in Ray's workers. The
time of a wrapped function that another one calls counts for the outer one alone. When the process
ends, or becomes another program, one line of JSON goes to the file named by TIMED_LEDGER.
"""

# ruff: noqa: ANN001, ANN002, ANN003, ANN201, ANN202, ANN204, D102, INP001

from __future__ import annotations

import atexit
import functools
import importlib.abc
import importlib.util
import json
import os
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path

STARTED = time.perf_counter()
STORE = (
    "put put_file get hold has size_bytes is_whole verified_path write_record read_record "
    "mark_record_used record_keys"
)
TIMED = {
    "mlops_ray.storage.object_store": [f"ObjectStore.{name}" for name in STORE.split()],
    "mlops_ray.storage.digest_cache": ["DigestCache.digest_file"],
    "mlops_ray.storage.digest": ["digest", "digest_file"],
    "mlops_ray.storage.atomic": ["write_atomically"],
    "mlops_ray.storage.workspace": ["Workspace.prepare"],
    "mlops_ray.runtime.code_capture": ["capture"],
    "mlops_ray.runtime.code_bundle": ["extracted", "verified_bundle"],
    "mlops_ray.data.rowhash": ["hash_rows"],
    "mlops_ray.data.fingerprint": ["digest_ordered"],
    "mlops_ray.data.scan": ["Scan.to_bytes"],
    "mlops_ray.features.matrix_file": ["matrix_to_bytes", "matrix_pieces"],
    "mlops_ray.manifest.canonical": ["canonical_bytes", "from_canonical", "digest_json"],
    "mlops_ray.manifest.run_record": ["RunRecord.seal", "RunRecord.announce", "new_run"],
    "mlops_ray.pipeline.assemble": ["assemble"],
    "mlops_ray.pipeline.begin": ["begin"],
    "mlops_ray.pipeline.capture": ["bundle_to_start"],
    "mlops_ray.pipeline.circumstances": ["Circumstances.envelope"],
    "mlops_ray.pipeline.engine": ["declared_members"],
    "mlops_ray.pipeline.run": ["load_run"],
    "mlops_ray.pipeline.stage_cache": ["look_up", "keep"],
}

_seconds: dict[str, float] = defaultdict(float)
_cpu: dict[str, float] = defaultdict(float)
_counts: dict[str, int] = defaultdict(int)
_depth = threading.local()


def timed(name, function):
    """The function, its time noted unless it runs inside another one that is timed."""

    @functools.wraps(function)
    def wrapper(*arguments, **options):
        _counts[name] += 1
        if getattr(_depth, "value", 0):
            return function(*arguments, **options)
        _depth.value, started, cpu_started = 1, time.perf_counter(), time.thread_time()
        try:
            return function(*arguments, **options)
        finally:
            _seconds[name] += time.perf_counter() - started
            _cpu[name] += time.thread_time() - cpu_started
            _depth.value = 0

    return wrapper


class Wrapper(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds modules as usual and wraps the named functions once their code has run."""

    def __init__(self):
        self.loaders, self.is_asking = {}, False

    def find_spec(self, name, path=None, target=None):  # noqa: ARG002 - Python's signature
        if name not in TIMED or self.is_asking:
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
        for qualified in TIMED[module.__name__]:
            owner, _, name = qualified.rpartition(".")
            home = getattr(module, owner, None) if owner else module
            if home is not None and hasattr(home, name):
                setattr(home, name, timed(qualified, getattr(home, name)))


def dump():
    """Append what this process has spent."""
    line = {
        "process_s": time.perf_counter() - STARTED,
        "process_cpu_s": time.process_time(),
        "seconds": _seconds,
        "cpu": _cpu,
        "calls": _counts,
        "command": sys.orig_argv[1:],
    }
    with Path(os.environ["TIMED_LEDGER"]).open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(line) + "\n")


def counted_fsync(descriptor, fsync=os.fsync):
    """`os.fsync`, counted; its time is part of whoever called it."""
    started = time.perf_counter()
    try:
        return fsync(descriptor)
    finally:
        _counts["fsync"] += 1
        _counts["fsync_us"] += int(1e6 * (time.perf_counter() - started))


def noted_execve(*arguments, execve=os.execve):
    """`os.execve`, after a line about the program that ends here."""
    dump()
    return execve(*arguments)


if "TIMED_LEDGER" in os.environ and "mlops_ray" in sys.orig_argv:
    sys.meta_path.insert(0, Wrapper())
    os.fsync, os.execve = counted_fsync, noted_execve
    atexit.register(dump)
