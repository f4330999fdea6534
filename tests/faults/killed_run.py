"""`mlops-ray run` on a tiny pipeline in its own process, to be stopped, killed and looked at."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

import mlops_ray

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ray_head import Head

PACKAGE = Path(mlops_ray.__file__).parent
PIPELINE = {
    "version": 1,
    "name": "tiny",
    "seed": 7,
    "objective": {"metric": "roc_auc"},
    "data": {"source": "data", "key": ["id"], "task": "binary", "target": "y"},
    "split": {"test": {"share": 0.25}, "valid": {"share": 0.25}},
    "features": [{"columns": ["a", "b", "c"], "steps": ["standardize"]}],
    "model": {"family": "linear", "params": {}},
    "search": {"trials": 2, "space": {"C": {"log_uniform": [0.1, 10]}}},
    "gates": [{"metric": "roc_auc", "at_least": 0.6}],
    "register": {"alias": "challenger"},
}
TIMEOUT_S = 180.0
GONE_WITHIN_S = 120.0
_MARK = "CRASH_CAMPAIGN_MARK"
_REACHED = "MLOPS_RAY_FAIL_POINT_REACHED"


def write_project(
    folder: Path, n_rows: int = 300, changes: Mapping[str, Any] | None = None
) -> Path:
    """A table that a linear model learns in a moment, and its pipeline file."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(n_rows, 3))
    y = np.where(x[:, 0] - x[:, 1] + rng.normal(0, 0.6, n_rows) > 0, "yes", "no")
    columns = dict(zip("abc", x.T, strict=True))
    table = pa.table({"id": np.arange(n_rows), **columns, "y": y})
    (folder / "data").mkdir(parents=True)
    for number in range(2):
        part = table.slice(number * n_rows // 2, n_rows // 2)
        pq.write_table(part, folder / "data" / f"part-{number}.parquet")
    (folder / "pyproject.toml").touch()
    (folder / "pipeline.yaml").write_text(
        json.dumps({**PIPELINE, **(changes or {})}), encoding="utf-8"
    )
    return folder


@dataclass
class Place:
    """A store and a registry, and the command that runs the project with them.

    Attributes:
        project: Folder with the pipeline file.
        folder: Where store and registry lie.
        address: Cluster to join; None for one of its own.
        overrides: ``dotted.key=value`` texts.
        variables: Environment variables, such as those that a cluster wants.
    """

    project: Path
    folder: Path
    address: str | None = None
    overrides: Sequence[str] = ()
    variables: dict[str, str] = field(default_factory=dict)

    @classmethod
    def made(cls, project: Path, folder: Path, head: Head | None) -> Place:
        """An empty place whose runs join a head, or start clusters of their own."""
        folder.mkdir(parents=True)
        if head is None:
            return cls(project, folder)
        return cls(project, folder, head.address, variables=head.variables)

    @classmethod
    def of_project(cls, root: Path, changes: Mapping[str, Any], **modules: str) -> Place:
        """An empty place of a new project with modules of its own, whose runs start clusters."""
        project = write_project(root / "project", changes=changes)
        for name, code in modules.items():
            (project / f"{name}.py").write_text(code, encoding="utf-8")
        return cls.made(project, root / "place", None)

    @property
    def store(self) -> Path:
        """Folder of the store."""
        return self.folder / "store"

    @property
    def records(self) -> mlops_ray.Records:
        """What lies there."""
        # Who only looks must not make the registry whose making is to be interrupted.
        path = self.folder / "registry.db"
        registry = path if path.exists() else self.folder / "other.db"
        return mlops_ray.Records(self.project, store=self.store, registry=registry)

    def environment(self) -> dict[str, str]:
        """Environment of a process that has nothing of who starts it but its Ray token."""
        dropped = ("MLOPS_RAY_", "RAY_ADDRESS", "PYTHONDONTWRITEBYTECODE")
        return {
            **{k: v for k, v in os.environ.items() if not k.startswith(dropped)},
            "PYTHONPATH": str(PACKAGE.parent),
            "MLOPS_RAY_STORE": str(self.store),
            "MLOPS_RAY_REGISTRY": str(self.folder / "registry.db"),
            **self.variables,
        }

    def command(self, *words: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
        """What the command line answers in the project, whatever its exit code."""
        return subprocess.run(
            [sys.executable, "-P", "-m", "mlops_ray", *words],
            cwd=self.project,
            env={**self.environment(), **variables},
            capture_output=True,
            text=True,
            check=False,
        )

    def start(self, *options: str, **variables: str) -> Started:
        """Start the command in a session and process group of its own."""
        where = ["--address", self.address] if self.address else ["--num-cpus", "2"]
        words = [word for text in self.overrides for word in ("--set", text)]
        mark = os.urandom(8).hex()
        command = ["-m", "mlops_ray", "run", "pipeline.yaml", "--json", *where, *words, *options]
        said = self.folder / f"stdout-{mark}", self.folder / f"stderr-{mark}"
        with said[0].open("wb") as stdout, said[1].open("wb") as stderr:
            process = subprocess.Popen(
                [sys.executable, *command],
                cwd=self.project,
                env={**self.environment(), _MARK: mark, **variables},
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )
        return Started(process, mark, *said)

    def run(self, *options: str, **variables: str) -> dict[str, Any]:
        """Run the command to its end; returns its line of JSON."""
        return self.start(*options, **variables).ended()

    def traced(self) -> tuple[dict[str, Any], list[str]]:
        """Run the command to its end; also the fail points it passed, in their order."""
        path = self.folder / "trace"
        path.unlink(missing_ok=True)
        line = self.run(MLOPS_RAY_FAIL_POINT_TRACE=str(path))
        return line, path.read_text(encoding="ascii").split()

    def stopped_at(self, name: str, n: int = 1) -> Started | None:
        """Start the command and return once it stands at a point; None where it never came by."""
        reached = self.folder / "reached"
        reached.unlink(missing_ok=True)
        started = self.start(MLOPS_RAY_FAIL_POINT=f"{name}#{n}", **{_REACHED: str(reached)})
        return started if started.awaits(reached.exists) else None

    def copy(self, folder: Path) -> Place:
        """The same, with a copy of store and registry."""
        shutil.copytree(self.folder, folder)
        return replace(self, folder=folder)


@dataclass
class Started:
    """A command that runs, and all that it starts: descendants inherit a mark."""

    process: subprocess.Popen[bytes]
    mark: str
    stdout: Path
    stderr: Path

    def awaits_line(self, text: str) -> bool:
        """Wait until it has said something on stderr; False where it ended before."""
        return self.awaits(lambda: text in self.stderr.read_text(encoding="utf-8"))

    def awaits(self, is_so: Callable[[], bool], timeout_s: float = TIMEOUT_S) -> bool:
        """Wait until something is so; False where the process ended before."""
        deadline = time.monotonic() + timeout_s
        while not is_so():
            try:
                self.process.wait(0.01)
            except subprocess.TimeoutExpired:
                if time.monotonic() < deadline:
                    continue
                self.kill(whole_group=True)
                raise
            return is_so()
        return True

    def ends_within(self, wait_s: float) -> bool:
        """Let it run for so long; whether it ended meanwhile."""
        try:
            self.process.wait(wait_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self, *, whole_group: bool) -> None:
        """SIGKILL from outside, to the process alone or to its group; wait for its end."""
        if whole_group:
            os.killpg(self.process.pid, signal.SIGKILL)
        else:
            self.process.kill()
        self.process.wait(TIMEOUT_S)

    def ended(self) -> dict[str, Any]:
        """What it printed, once it ended by itself."""
        try:
            code = self.process.wait(TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill(whole_group=True)
            raise
        said = self.stdout.read_text(encoding="utf-8").strip()
        line: dict[str, Any] = json.loads(said) if said else {}
        return {**line, "code": code, "stderr": self.stderr.read_text(encoding="utf-8")}

    def gone_after_s(self) -> float:
        """Seconds until the last of its descendants has ended; inf where one stays."""
        started = time.monotonic()
        while family := self.family():
            if time.monotonic() > started + GONE_WITHIN_S:
                return float("inf")
            psutil.wait_procs(family, timeout=0.2)
        return time.monotonic() - started

    def family(self) -> list[psutil.Process]:
        """Every living process with the mark, whatever its parent, group or session."""
        return [process for process in psutil.process_iter() if _has_mark(process, self.mark)]


def _has_mark(process: psutil.Process, mark: str) -> bool:
    try:
        return process.environ().get(_MARK) == mark and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False  # Ended meanwhile, a zombie, or another user's.


def problems_of(place: Place) -> list[str]:
    """What is torn or missing in a store, whatever ran there."""
    found = []
    if place.records.workspace.store.is_made():  # Else it was killed before there was any.
        checked = place.records.verify_store(read_data=True)
        found += [f"{p.object}: {p.got}" for p in checked.problems]
    for path in [*place.store.glob("stages/*.json"), *place.store.glob("runs/*/*.json")]:
        try:
            json.loads(path.read_bytes())
        except ValueError as error:
            found.append(f"{path.name} is torn: {error}")
    return found
