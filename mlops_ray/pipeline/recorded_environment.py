"""Builds the environment that a run recorded: a virtual environment from its lock."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Final

from mlops_ray.errors import ManifestError
from mlops_ray.runtime.environment import without_credentials

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_ray.pipeline.run import Run

__all__ = ["build_environment"]

_BUILD_TIMEOUT_S: Final = 1800.0
_MOST_CHARACTERS: Final = 500


def build_environment(run: Run, folder: Path) -> Path:
    """Install the packages of a run's lock into a new virtual environment.

    The package itself is not installed: the recorded code is what runs. Packages come from the
    index that pip is configured for; a lock with hashes is held against them.

    Args:
        run: Whose lock.
        folder: Where to make it.

    Returns:
        Its interpreter.

    Raises:
        ManifestError: The run recorded no lock, another Python, or pip cannot install a package.
    """
    _check_python(run.spec.packages.get("python", ""))
    if run.envelope.lock is None:
        raise ManifestError(
            f"run {run.run_id} recorded no lock", hint="reproduce it with --env current"
        )
    lock = run.record.workspace.store.get(run.envelope.lock)
    _call([sys.executable, "-m", "venv", str(folder)], "a virtual environment cannot be made")
    requirements = folder / "requirements.txt"
    requirements.write_bytes(lock)
    python = folder / "bin" / "python"
    options = ["--require-hashes"] if b"--hash=" in lock else []
    install = ["install", "--quiet", "--disable-pip-version-check", "--no-deps", *options]
    _call(
        [str(python), "-m", "pip", *install, "-r", str(requirements)],
        "the recorded environment cannot be built",
    )
    return python


def _check_python(recorded: str) -> None:
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    if not recorded.startswith(f"{here}."):
        raise ManifestError(
            "the recorded environment has another Python",
            here,
            recorded,
            f"start `mlops-ray` with Python {recorded}, or use --env current",
        )


def _call(command: list[str], failure: str) -> None:
    done = subprocess.run(  # noqa: S603 - fixed program, arguments of our own
        command, capture_output=True, text=True, timeout=_BUILD_TIMEOUT_S, check=False
    )
    if done.returncode:
        raise ManifestError(failure, _why(done.stderr), hint="use --env current")


def _why(stderr: str) -> str:
    """From pip's last error on, since it names the package in the lines below."""
    lines = [line.strip() for line in stderr.strip().splitlines()] or ["no message"]
    errors = [at for at, line in enumerate(lines) if line.startswith("ERROR:")]
    text = " ".join(lines[errors[-1] :]) if errors else lines[-1]
    return without_credentials(text)[:_MOST_CHARACTERS]
