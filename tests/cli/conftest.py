"""The installed executable in processes of its own, and the one project that these tests share."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

BIN = Path(sys.executable).parent
_PRIVATE = ("RAY_", "MLOPS_RAY_", "OMP_", "MKL_", "OPENBLAS_", "PYTHON", "COV_", "COVERAGE_")
_MARK = "TEST_PROCESS_MARK"
_TIMEOUT_S = 240


@dataclass(frozen=True)
class Done:
    """A process that has ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def line(self) -> dict[str, Any]:
        """The one JSON line on stdout."""
        assert self.stdout.endswith("\n"), self
        assert self.stdout.count("\n") == 1, self
        content: dict[str, Any] = json.loads(self.stdout)
        return content


@dataclass(frozen=True)
class Shell:
    """A user's shell: a folder and an environment without anything of this test session."""

    folder: Path
    home: Path
    variables: dict[str, str] = field(default_factory=dict)

    def environment(self, **more: str) -> dict[str, str]:
        """Variables of a process started here."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(_PRIVATE)}
        path = f"{BIN}{os.pathsep}{kept['PATH']}"
        return {**kept, "HOME": str(self.home), "PATH": path, **self.variables, **more}

    def at(self, folder: Path, **variables: str) -> Shell:
        """Another shell of the same user."""
        return replace(self, folder=folder, variables={**self.variables, **variables})

    def run(
        self, *command: str | Path, timeout: float = _TIMEOUT_S, pass_fds: tuple[int, ...] = ()
    ) -> Done:
        """Run any command to its end."""
        done = subprocess.run(
            [*map(str, command)],
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            pass_fds=pass_fds,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def mlops_ray(self, *arguments: str | Path) -> Done:
        """Run the installed executable to its end."""
        return self.run(BIN / "mlops-ray", *arguments)

    def start(self, *arguments: str | Path) -> Started:
        """Start the installed executable as a terminal does: in a process group of its own."""
        mark = uuid.uuid4().hex
        process = subprocess.Popen(
            [BIN / "mlops-ray", *map(str, arguments)],
            cwd=self.folder,
            env=self.environment(**{_MARK: mark}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        return Started(process, mark)


@dataclass(frozen=True)
class Started:
    """A process that runs, and all that it starts: descendants inherit a mark."""

    process: subprocess.Popen[str]
    mark: str

    def await_line(self, text: str) -> str:
        """The stderr up to the first line that holds `text`."""
        assert self.process.stderr is not None
        seen = ""
        for line in self.process.stderr:
            seen += line
            if text in line:
                return seen
        pytest.fail(f"it ended without {text!r}:\n{seen}")

    def end(self, number: int, *, whole_group: bool) -> Done:
        """Send a signal, as Ctrl-C to the process group or to the process alone; wait."""
        if whole_group:
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)
        stdout, stderr = self.process.communicate(timeout=_TIMEOUT_S)
        return Done(self.process.returncode, stdout, stderr)

    def kill(self) -> None:
        """End whatever still lives, to the last descendant."""
        for process in self.family():
            process.kill()
        self.process.communicate(timeout=_TIMEOUT_S)

    def family(self) -> list[psutil.Process]:
        """Every living process with the mark, whatever its parent, group or session."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get(_MARK) == self.mark:
                    found.append(process)
            except psutil.Error:  # Ended meanwhile, a zombie, or another user's.
                continue
        return found

    def await_processes(self, least: int) -> None:
        """Return once the family has that many members."""
        deadline = time.monotonic() + _TIMEOUT_S
        while len(self.family()) < least:
            assert time.monotonic() < deadline
            assert self.process.poll() is None
            time.sleep(0.02)

    def left_after(self, timeout_s: float) -> list[str]:
        """What still lives when the time is over; [] as soon as nothing does."""
        deadline = time.monotonic() + timeout_s
        while (living := self.family()) and time.monotonic() < deadline:
            psutil.wait_procs(living, timeout=0.5)
        return [" ".join(process.cmdline())[:200] for process in living]


@pytest.fixture
def start(shell: Shell) -> Iterator[Any]:
    """`Shell.start`; what still runs at the end of the test is killed, to the last descendant."""
    started: list[Started] = []

    def start_here(*arguments: str | Path, at: Shell = shell) -> Started:
        started.append(at.start(*arguments))
        return started[-1]

    yield start_here
    for item in started:
        item.kill()


@pytest.fixture(scope="session")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A user in an empty folder, with a store and a registry elsewhere."""
    root = tmp_path_factory.mktemp("user")
    home, folder = root / "home", root / "project"
    home.mkdir()
    folder.mkdir()
    places = {
        "MLOPS_RAY_STORE": str(root / "store"),
        "MLOPS_RAY_REGISTRY": str(root / "registry.db"),
    }
    return Shell(folder, home, places)


@dataclass(frozen=True)
class FirstDay:
    """What a newcomer types, in this order, and what comes of it."""

    shell: Shell
    init: Done
    check: Done
    run: Done

    @property
    def store(self) -> Path:
        """The store that the environment names."""
        return Path(self.shell.variables["MLOPS_RAY_STORE"])


@pytest.fixture(scope="session")
def first_day(shell: Shell) -> FirstDay:
    """`init`, `check` and `run` in an empty folder, once for all tests."""
    steps = (["init"], ["check", "pipeline.yaml"], ["run", "pipeline.yaml"])
    return FirstDay(shell, *(shell.mlops_ray(*step, "--json") for step in steps))


@pytest.fixture
def project(first_day: FirstDay) -> Shell:
    """A shell in a project that has one sealed run and one registered version."""
    assert first_day.run.code == 0, first_day.run.stderr
    return first_day.shell


@pytest.fixture(scope="module")
def empty_store_of(first_day: FirstDay, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """The same project with a store and a registry that nobody has used."""
    root = tmp_path_factory.mktemp("again")
    shutil.copytree(first_day.shell.folder, root / "project")
    return first_day.shell.at(
        root / "project",
        MLOPS_RAY_STORE=str(root / "store"),
        MLOPS_RAY_REGISTRY=str(root / "registry.db"),
    )
