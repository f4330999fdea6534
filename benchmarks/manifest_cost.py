"""What manifest, digests and store cost, beside their targets and a rival measured in the same run.

    python benchmarks/manifest_cost.py [--repeat 3] [--plan-gb 50] [--verify-gb 1] [--only NAMES]

Parts: share (of a run's wall time), hashing, plan, plan-large, verify. Prints medians and
ends with 0 whatever they are: a benchmark is no test. The files of `plan-large` are sparse, each a
Parquet file of a few rows with a hole before its footer: reading a hole costs no disk, so the first
digest of them measures hashing, and the plans after it what it costs to see that 50 GB have not
changed. `share` is measured with wrapped functions, see `timed/sitecustomize.py`.
"""

# ruff: noqa: INP001, S603, T201

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from mlops_ray.storage import ObjectStore, digest_file

if TYPE_CHECKING:
    from collections.abc import Callable

REPOSITORY = Path(__file__).parents[1]
TIMED = Path(__file__).parent / "timed"
PARTS = ("share", "hashing", "plan", "plan-large", "verify")
GB = 10**9


class Bench:
    """Commands of the product, each a process of its own, with a store for all of them.

    Attributes:
        folder: Takes stores, projects and files.
        repeat: How often each thing is measured.
    """

    def __init__(self, folder: Path, repeat: int, project: Path) -> None:
        self.folder, self.repeat, self.project = folder, repeat, project
        self.store = folder / "store"

    def command(self, *arguments: str, at: Path | None = None, **variables: str) -> float:
        """Run a command; returns its wall time.

        Raises:
            RuntimeError: It failed.
        """
        paths = [*([variables.pop("first")] if "first" in variables else []), str(REPOSITORY)]
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(paths),
            "MLOPS_RAY_STORE": str(self.store),
            "MLOPS_RAY_REGISTRY": str(self.store.with_suffix(".db")),
            **variables,
        }
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-P", "-m", "mlops_ray", *arguments],
            cwd=at or self.project,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        wall_s = time.perf_counter() - started
        if done.returncode:
            raise RuntimeError(f"{arguments} ended with {done.returncode}: {done.stderr[-2000:]}")
        self.output = done.stdout
        return wall_s

    def median(self, *arguments: str, at: Path | None = None) -> str:
        """Wall times of a command as text: median and all, and the CPU time of one."""
        before = os.times()
        times = [self.command(*arguments, at=at) for _ in range(self.repeat)]
        cpu_s = children_s(os.times()) - children_s(before)
        return f"{spread(times)}, CPU {cpu_s / self.repeat:.2f} s"


def spread(values: list[float], unit: str = "s") -> str:
    """The median, and beside it every value."""
    shown = " ".join(f"{value:.2f}" for value in values)
    return f"{statistics.median(values):6.2f} {unit}  of [{shown}]"


def say(what: str, found: str, target: str) -> None:
    """One line of the report."""
    print(f"{what:58} {found:44} target {target}", flush=True)


def share(bench: Bench, config: str, trials: int) -> None:
    """(a) The share of a run's wall time, in fresh stores."""
    shares = []
    for turn in range(bench.repeat):
        bench.store = bench.folder / f"store-share-{turn}"
        ledger = bench.folder / f"ledger-{turn}"
        wall_s = bench.command(
            *["run", config, "--set", f"search.trials={trials}", "--json"],
            first=str(TIMED),
            TIMED_LEDGER=str(ledger),
        )
        run = json.loads(bench.output)
        run_cpu_s = cpu_of_run(bench.store, run["run_id"])
        shares.append(describe_share(wall_s, run_cpu_s, ledger, run))
    found = spread([100 * value for value in shares], "%")
    say(f"(a) manifest, digests and store in a run of {trials} trials", found, "<= 3 %")


def cpu_of_run(store: Path, run_id: str) -> float:
    """CPU seconds of all processes of a run, from its envelope."""
    sealed = json.loads((store / f"runs/{run_id}/sealed.json").read_bytes())
    return json.loads(ObjectStore(store).get(sealed["envelope"]))["cpu_seconds"]


def describe_share(wall_s: float, run_cpu_s: float, ledger: Path, run: dict) -> float:
    """Print where the time of one run went; returns the share of its whole wall time."""
    lines = [json.loads(line) for line in ledger.read_text().splitlines()]
    seconds, cpu, calls = Counter(), Counter(), Counter()
    for line in lines:
        seconds.update(line["seconds"])
        cpu.update(line["cpu"])
        calls.update(line["calls"])
    # What comes before the code runs from its bundle is there for the bundle's sake alone.
    seconds["start of the second Python"] = lines[0]["process_s"] - sum(
        lines[0]["seconds"].values()
    )
    cpu_s = sum(cpu.values()) + lines[0]["process_cpu_s"] - sum(lines[0]["cpu"].values())
    cost_s = sum(seconds.values())
    print(
        f"    run: {wall_s:.1f} s, its own wall_s {run['wall_s']:.1f}, Ray's start "
        f"{run['ray_start_s']:.1f}; cost {cost_s:.2f} s; {calls.pop('fsync')} fsyncs took "
        f"{calls.pop('fsync_us') / 1e6:.2f} s; peak PSS {run['peak_pss_bytes'] / GB:.2f} GB"
    )
    print(
        f"    CPU: cost {cpu_s:.2f} s of {run_cpu_s:.1f} s of the stages, {cpu_s / run_cpu_s:.2%}"
    )
    for name, value in seconds.most_common(12):
        print(f"      {value:7.3f} s  {calls[name]:5} calls  {name}")
    return cost_s / wall_s


def hashing(bench: Bench) -> None:
    """(b) Hashing of a file on one core."""
    path = bench.folder / "to-hash"
    path.write_bytes(np.random.default_rng(0).bytes(GB // 2))
    ours, theirs = [], []
    for _ in range(bench.repeat):
        started = time.process_time()
        digest_file(path)
        ours.append(GB / 2e9 / (time.process_time() - started))
        theirs.append(GB / 2e9 / cpu_of(["sha256sum", str(path)]))
    openssl = subprocess.run(
        [shutil.which("openssl") or "openssl", "speed", "-seconds", "1", "-evp", "sha256"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.split()
    say("(b) digest_file, GB per second of CPU, page cache warm", spread(ours, "GB/s"), ">= 1 GB/s")
    say("    sha256sum of the same file", spread(theirs, "GB/s"), "-")
    say("    openssl speed, 16 KiB blocks", f"{openssl[-1] if openssl else '?'} bytes/s", "-")
    path.unlink()


def cpu_of(command: list[str]) -> float:
    """CPU seconds of a command."""
    before = os.times()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return children_s(os.times()) - children_s(before)


def children_s(times: os.times_result) -> float:
    """CPU seconds of the processes that were waited for."""
    return times.children_user + times.children_system


def plan(bench: Bench, config: str, trials: int) -> None:
    """(c) A plan of an unchanged project, and (e) a run of it, whose stages are all reused."""
    arguments = [config, "--set", f"search.trials={trials}"]
    bench.command("run", *arguments)
    say("(c) plan, nothing changed", bench.median("plan", *arguments), "< 2 s")
    say("(e) fully cached run", bench.median("run", *arguments), "-")
    bare = [sys.executable, "-c", "import pydantic, pyarrow.parquet, yaml, sqlite3"]
    times = [wall_of(bare) for _ in range(bench.repeat)]
    say("    python -c 'import pydantic, pyarrow.parquet, ...'", spread(times), "-")


def wall_of(command: list[str]) -> float:
    """Seconds that a command takes."""
    started = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


def plan_large(bench: Bench, gigabytes: int) -> None:
    """(c) A plan over large files that have not changed."""
    project = small_project(bench.folder / "large", n_files=gigabytes, size_bytes=GB)
    bench.store = bench.folder / "store-large"
    time.sleep(2.5)  # Files younger than two seconds are not remembered; see the digest cache.
    first_s = bench.command("run", "pipeline.yaml", at=project)
    files = sum(path.stat().st_size for path in (project / "data").iterdir())
    print(f"    {gigabytes} distinct sparse files, {files / GB:.0f} GB; first run {first_s:.1f} s")
    times = bench.median("plan", "pipeline.yaml", at=project)
    say(f"(c) plan over {gigabytes} GB, nothing changed", times, "< 3 s")
    times = bench.median("run", "pipeline.yaml", at=project)
    say("    fully cached run over the same files", times, "-")


def verify(bench: Bench, gigabytes: float) -> None:
    """(d) `verify` of a run whose inputs were copied into the store."""
    project = small_project(bench.folder / "medium", 4, int(gigabytes * GB / 4), is_random=True)
    bench.store = bench.folder / "store-verify"
    bench.command("run", "pipeline.yaml", at=project)
    objects = sorted(str(path) for path in bench.store.glob("objects/??/*"))
    size = sum(Path(path).stat().st_size for path in objects)
    ways = {
        "verify": lambda: bench.command("verify", "latest", at=project),
        "sha256sum of the same objects": lambda: wall_of(["sha256sum", *objects]),
        "cat of the same objects": lambda: wall_of(["cat", *objects]),
    }
    for state in ("warm", "cold"):
        for name, way in ways.items():
            before = os.times()
            times = [measured(way, objects, state) for _ in range(bench.repeat)]
            cpu_s = (children_s(os.times()) - children_s(before)) / bench.repeat
            found = f"{spread(times)}, CPU {cpu_s:.2f} s"
            target = "the time of cat or sha256sum" if name == "verify" else "-"
            say(f"(d) {name}, {size / GB:.2f} GB, cache {state}", found, target)


def measured(way: Callable[[], float], objects: list[str], state: str) -> float:
    """Seconds of a way of reading objects that the page cache holds, or does not hold."""
    if state == "cold":
        os.sync()
        for path in objects:
            with Path(path).open("rb") as stream:
                os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return way()


def small_project(folder: Path, n_files: int, size_bytes: int, is_random: bool = False) -> Path:
    """A project of few rows in large files."""
    (folder / "data").mkdir(parents=True)
    (folder / "pyproject.toml").touch()
    rng = np.random.default_rng(1)
    for number in range(n_files):
        x = rng.normal(size=40)
        table = pa.table(
            {
                "id": np.arange(40) + 40 * number,
                "x": x,
                "y": (x + rng.normal(size=40) > 0).astype(np.int64),
            }
        )
        write_stretched(table, folder / f"data/part-{number:03}.parquet", size_bytes, is_random)
    config = {
        "version": 1,
        "name": "large",
        "seed": 7,
        "objective": {"metric": "roc_auc"},
        "data": {"source": "data", "task": "binary", "target": "y", "key": ["id"]},
        "split": {"test": {"share": 0.25}, "valid": {"share": 0.25}},
        "features": [{"columns": ["x"], "steps": ["standardize"]}],
        "model": {"family": "xgboost", "params": {"n_estimators": 3}},
        "search": {"trials": 1, "space": {"max_depth": {"int": [2, 3]}}},
    }
    (folder / "pipeline.yaml").write_text(json.dumps(config), encoding="utf-8")
    return folder


def write_stretched(table: pa.Table, path: Path, size_bytes: int, is_random: bool) -> None:
    """A Parquet file of a wanted size: a hole, or noise, lies between its pages and its footer."""
    pq.write_table(table, path)
    data = path.read_bytes()
    (length,) = struct.unpack("<I", data[-8:-4])
    pages, footer = data[: -8 - length], data[-8 - length :]
    with path.open("wb") as stream:
        stream.write(pages)
        if is_random:
            noise = np.random.default_rng(len(path.name)).bytes(16 << 20)
            while stream.tell() + len(noise) + len(footer) <= size_bytes:
                stream.write(noise)
        stream.seek(size_bytes - len(footer))
        stream.write(footer)


def main() -> None:
    """Run the chosen parts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--plan-gb", type=int, default=50)
    parser.add_argument("--verify-gb", type=float, default=1.0)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--config", default="configs/employment.yaml")
    parser.add_argument("--project", type=Path, default=REPOSITORY, help="folder of the config")
    parser.add_argument("--only", nargs="*", choices=PARTS, default=list(PARTS))
    parser.add_argument("--folder", type=Path, help="for temporary files; needs 4 GB")
    options = parser.parse_args()
    versions = ", ".join(f"{name} {found(name)}" for name in ("ray", "xgboost", "pyarrow"))
    memory = psutil.virtual_memory().total / 2**30
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"{cpu_name()}, {os.cpu_count()} CPUs, {memory:.0f} GiB; load {load} at the start")
    print(f"Python {platform.python_version()}, {versions}; medians of {options.repeat}")
    folder = Path(tempfile.mkdtemp(prefix="manifest-cost-", dir=options.folder))
    bench = Bench(folder, options.repeat, options.project)
    parts = {
        "share": lambda: share(bench, options.config, options.trials),
        "hashing": lambda: hashing(bench),
        "plan": lambda: plan(bench, options.config, options.trials),
        "plan-large": lambda: plan_large(bench, options.plan_gb),
        "verify": lambda: verify(bench, options.verify_gb),
    }
    try:
        for name, part in parts.items():
            if name in options.only:
                part()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print("load at the end " + ", ".join(f"{value:.1f}" for value in os.getloadavg()))


def found(name: str) -> str:
    """Version of an installed package."""
    import importlib.metadata  # noqa: PLC0415

    return importlib.metadata.version(name)


def cpu_name() -> str:
    """What the processor calls itself."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.split(": ")[1] for line in lines if line.startswith("model name")), "CPU")


if __name__ == "__main__":
    main()
