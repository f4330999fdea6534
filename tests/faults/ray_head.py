"""A running Ray cluster that a test or a campaign has started, to be joined and left."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

SCRIPT = Path(__file__).parents[2] / "cluster" / "head"


@dataclass(frozen=True)
class Head:
    """A head of its own.

    Attributes:
        address: For ``--address``.
        variables: What who joins needs in the environment.
        pid: Of its first process, whose session all others are in.
        folder: Where it keeps its log.
    """

    address: str
    variables: dict[str, str]
    pid: int
    folder: Path

    @property
    def is_up(self) -> bool:
        """Whether it takes jobs."""
        return (self.folder / "up").exists()

    def said(self, words: str) -> list[str]:
        """What its supervisor has said with these words in it."""
        log = (self.folder / "log").read_text(encoding="utf-8", errors="replace")
        return [x for x in log.splitlines() if " supervisor: " in x and words in x]

    @property
    def port(self) -> str:
        """Where its control store listens."""
        return self.address.rpartition(":")[2]

    def processes(self, word: str = "") -> list[psutil.Process]:
        """What it has started and runs, of whose command line a word is part."""
        return self._whose(lambda command: word in command)

    def workers(self, title: str = "ray::") -> list[psutil.Process]:
        """Its worker processes whose title begins so, such as ``ray::ResourceTrainable``."""
        return self._whose(lambda command: command.startswith(title))

    def _whose(self, fits: Callable[[str], bool]) -> list[psutil.Process]:
        commands = [(process, _command(process, self.pid)) for process in psutil.process_iter()]
        return [process for process, text in commands if text is not None and fits(text)]


@contextmanager
def running_head(
    cpus: int = 2, variables: Mapping[str, str] | None = None, **more: str
) -> Iterator[Head]:
    """A head that ends with the block; its workers have these variables, else those of here."""
    inherited = os.environ if variables is None else variables
    environment = {k: v for k, v in inherited.items() if not k.startswith("RAY_")} | more
    environment["PYTHON"] = sys.executable
    with tempfile.TemporaryDirectory(prefix="head-", dir="/tmp") as folder:
        started = subprocess.run(
            [SCRIPT, "start", folder, str(cpus)],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        found = dict(re.findall(r"export (\w+)=(.*)", started.stdout))
        variables = {key: text for key, text in found.items() if key.startswith("RAY_AUTH")}
        pid = int((Path(folder) / "pid").read_text(encoding="ascii"))
        try:
            yield Head(f"127.0.0.1:{found['RAY_GCS_PORT']}", variables, pid, Path(folder))
        finally:
            subprocess.run([SCRIPT, "stop", folder], env=environment, check=True)


def _command(process: psutil.Process, session: int) -> str | None:
    """The command line of a process of a session that runs; None of any other."""
    try:
        if os.getsid(process.pid) != session or process.status() == psutil.STATUS_ZOMBIE:
            return None
        return "".join(process.cmdline())
    except (OSError, psutil.Error):  # Ended meanwhile.
        return None
