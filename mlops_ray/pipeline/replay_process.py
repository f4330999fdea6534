"""The process that executes recorded code for `reproduce`: its start, its end, its answer."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from mlops_ray.errors import ManifestError, MlopsRayError
from mlops_ray.pipeline.replay import ANSWER_FILE, ANSWER_SCHEMA
from mlops_ray.runtime.code_bundle import import_paths

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["EnvironmentChoice", "answer_of_child", "import_path"]

EnvironmentChoice: TypeAlias = Literal["current", "build"]
_ENDED_WITHIN_S: Final = 30.0
_STDERR: Final = 2  # The number, since what a notebook puts in its place has none.


def import_path(code: Path, environment: EnvironmentChoice) -> list[str]:
    """The recorded code first; what else is on the path belongs to the current environment."""
    kept = os.environ.get("PYTHONPATH") if environment == "current" else None
    return [*import_paths(code), *([kept] if kept else [])]


def answer_of_child(python: Path, folder: Path, paths: Sequence[str]) -> dict[str, Any]:
    """Run the recorded code in a process of its own; returns its answer.

    Args:
        python: Interpreter.
        folder: Holds the request, and then the answer.
        paths: From `import_path`.

    Raises:
        ManifestError: The recorded code gave no answer, or the run fails.
    """
    kept = {k: v for k, v in os.environ.items() if not k.startswith("MLOPS_RAY_")}
    environment = {**kept, "PYTHONPATH": os.pathsep.join(paths)}
    command = [str(python), "-P", "-m", "mlops_ray.pipeline.replay", str(folder)]
    process = subprocess.Popen(  # noqa: S603 - our own arguments
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=_STDERR,  # Our stdout belongs to results.
    )
    try:
        status = process.wait()
    except BaseException:
        _end(process)
        raise
    return _answered(folder / ANSWER_FILE, status)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Let the child close its cluster, as after Ctrl-C; kill it where it does not."""
    process.terminate()
    try:
        process.wait(_ENDED_WITHIN_S)
    except BaseException:
        process.kill()
        process.wait()
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
