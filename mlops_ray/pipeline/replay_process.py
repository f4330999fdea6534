"""The process that executes recorded code for `reproduce`: its start, its end, its answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from mlops_ray.errors import ManifestError, MlopsRayError
from mlops_ray.pipeline.replay import ANSWER_FILE, ANSWER_SCHEMA
from mlops_ray.runtime.code_bundle import import_paths

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["EnvironmentName", "Interpreter", "answer_of_child", "local_interpreter"]

EnvironmentName: TypeAlias = Literal["current", "build"]
_ENDED_WITHIN_S: Final = 30.0
# Has the kernel end what it becomes when we die, since `kill -9` leaves us no time to (1 is
# PR_SET_PDEATHSIG; other systems have none). Where threads are, no code may run before an exec.
_UNTIL_WE_DIE: Final = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
os.execvp(sys.argv[1], sys.argv[1:])
"""
_STDERR: Final = 2  # The number, since what a notebook puts in its place has none.


@dataclass(frozen=True, slots=True)
class Interpreter:
    """What executes recorded code.

    Attributes:
        command: That starts Python, with the recorded code first on its path.
        environment: Of that command.
        afterwards: Command that ends what is left where the first had to be killed.
    """

    command: tuple[str, ...]
    environment: Mapping[str, str]
    afterwards: tuple[str, ...] = ()


def local_interpreter(python: Path, code: Path, environment: EnvironmentName) -> Interpreter:
    """A Python of this machine, without the settings that this user has for this package.

    Args:
        python: Its program.
        code: The recorded code, which is found first.
        environment: What else is on the path belongs to the current one.
    """
    kept = {k: v for k, v in os.environ.items() if not k.startswith("MLOPS_RAY_")}
    behind = kept.get("PYTHONPATH") if environment == "current" else None
    paths = [*import_paths(code), *([behind] if behind else [])]
    return Interpreter((str(python),), {**kept, "PYTHONPATH": os.pathsep.join(paths)})


def answer_of_child(interpreter: Interpreter, folder: Path) -> dict[str, Any]:
    """Run the recorded code in a process of its own; returns its answer.

    Args:
        interpreter: That executes it.
        folder: Holds the request, and then the answer.

    Raises:
        ManifestError: The recorded code gave no answer, or the run fails.
    """
    command = [*interpreter.command, "-P", "-m", "mlops_ray.pipeline.replay", str(folder)]
    process = subprocess.Popen(  # noqa: S603 - our own arguments
        [sys.executable, "-I", "-S", "-c", _UNTIL_WE_DIE, *command],
        cwd=folder,
        env=dict(interpreter.environment),
        stdin=subprocess.DEVNULL,
        stdout=_STDERR,  # Our stdout belongs to results.
    )
    try:
        status = process.wait()
    except BaseException:
        _end(process, interpreter)
        raise
    return _answered(folder / ANSWER_FILE, status)


def _end(process: subprocess.Popen[bytes], interpreter: Interpreter) -> None:
    """Let the child close its cluster, as after Ctrl-C; kill it where it does not."""
    process.terminate()
    try:
        process.wait(_ENDED_WITHIN_S)
    except BaseException:
        process.kill()
        process.wait()
        if interpreter.afterwards:
            with suppress(OSError, subprocess.TimeoutExpired):  # It has done what it could.
                subprocess.run(  # noqa: S603 - our own arguments
                    interpreter.afterwards,
                    env=dict(interpreter.environment),
                    stdout=_STDERR,
                    timeout=_ENDED_WITHIN_S,
                    check=False,
                )
        raise


def _answered(path: Path, status: int) -> dict[str, Any]:
    if not path.exists():
        raise ManifestError(
            "the recorded code ended without an answer",
            f"exit status {status}",
            hint="its last lines stand above; `mlops-ray doctor` checks memory and disk",
        )
    answer: dict[str, Any] = json.loads(path.read_bytes())
    if answer.get("schema") != ANSWER_SCHEMA:
        raise ManifestError(
            "an answer that this version cannot read", str(answer.get("schema")), ANSWER_SCHEMA
        )
    if "error" in answer:
        raise _failed(answer["error"])
    return answer


def _failed(error: dict[str, str]) -> MlopsRayError:
    return ManifestError(
        "the run fails when it is executed again",
        f"{error['code']}: {error['message']}",
        "what the record says",
    )
