"""What is known of the software and the machine, for the spec and the envelope of a run.

`behaviour_packages` goes into the spec: another version may give other bits. The facts of machine
and repository and the list of all packages go into the envelope. No host name, no user, no path, no
remote URL and no password in one is recorded.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mlops_ray.config.secret_formats import redacted

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "SEARCHER_PACKAGES",
    "behaviour_packages",
    "git_facts",
    "image_digest",
    "lock_list",
    "platform_facts",
    "without_credentials",
]

SEARCHER_PACKAGES: Final = ("cmaes", "optuna")  # Of the extra `search`.
_PACKAGES: Final = (
    "numpy",
    "pandas",
    "pyarrow",
    "ray",
    "scikit-learn",
    "scipy",
    "skops",
    "xgboost",
)
_CPU_FILE: Final = Path("/proc/cpuinfo")
# Source: "x86-64-ABI", micro-architecture levels, as the kernel spells the flags that tell them.
_X86_LEVELS: Final = (
    ("x86-64-v4", {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}),
    ("x86-64-v3", {"avx2", "bmi1", "bmi2", "fma", "f16c", "movbe"}),
    ("x86-64-v2", {"sse4_1", "sse4_2", "ssse3", "popcnt", "cx16"}),
)
# Source: OpenBLAS, "Runtime variables"; NumPy, "CPU build options": runtime dispatch.
_KERNEL_CHOICES: Final = ("OPENBLAS_CORETYPE", "NPY_DISABLE_CPU_FEATURES")
_GIT_TIMEOUT_S: Final = 10.0
_LOCK_FILE: Final = "requirements.lock"
_IMAGE_VARIABLE: Final = "MLOPS_RAY_IMAGE_DIGEST"
_IMAGE_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
# The part of a URL before its host, and what may follow a question mark: both can hold a password.
_USER_INFO: Final = re.compile(r"(?<=://)[^/\s]+@")
_QUERY: Final = re.compile(r"(?<=\S)\?[^\s#]*")


def behaviour_packages(also: Iterable[str] = ()) -> dict[str, str]:
    """Versions of Python and of the packages that can change a result, none of them imported.

    Args:
        also: Packages that only some runs use.

    Raises:
        importlib.metadata.PackageNotFoundError: The environment is broken.
    """
    versions = {name: importlib.metadata.version(name) for name in sorted((*_PACKAGES, *also))}
    return {"python": platform.python_version(), **versions}


def platform_facts() -> dict[str, str]:
    """Kind of machine: system, architecture, C library and CPU level (kernels differ by it).

    Variables that have a numeric library choose other kernels than those for this CPU stand beside
    its level: what they choose has other bits, as on another CPU.
    """
    chosen = [f"{name}={os.environ[name]}" for name in _KERNEL_CHOICES if os.environ.get(name)]
    level = cpu_level(_cpu_flags(), platform.machine())
    return {
        "cpu_level": " ".join([level, *chosen]),
        "libc": "-".join(part for part in platform.libc_ver() if part),
        "machine": platform.machine(),
        "system": platform.system(),
    }


def lock_list(root: Path) -> str:
    """All packages and versions, one a line: the project's lock file, else what is installed.

    Passwords in URLs are cut out, other secrets replaced by their kind, and what is installed is
    named without its place.

    Args:
        root: The project root, in which a ``requirements.lock`` may lie.
    """
    path = root / _LOCK_FILE
    if path.is_file():
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
        clean = (without_credentials(line) if "://" in line else line for line in lines)
        return redacted("".join(clean))
    found: dict[str, str] = {}
    for item in importlib.metadata.distributions(path=_installed()):
        # The first of a name on the path is the one that is imported.
        found.setdefault(re.sub(r"[-_.]+", "-", item.name).lower(), item.version)
    found.pop("mlops-ray", None)  # Its files are captured; no index has them.
    return "".join(f"{name}=={found[name]}\n" for name in sorted(found))


def _installed() -> list[str]:
    """The import path less the folders that an imported package has put there for itself.

    Ray does so with packages that it brings along: they would be listed in some runs only.
    """
    libraries = {Path(sysconfig.get_path(kind)).resolve() for kind in ("purelib", "platlib")}
    return [place for place in sys.path if not libraries & set(Path(place).resolve().parents)]


def without_credentials(text: str) -> str:
    """A URL, or a text with URLs, less user names, passwords and query strings.

    Example:
        >>> without_credentials("https://me:secret@host/a.csv?token=x")
        'https://host/a.csv'
    """
    return _QUERY.sub("", _USER_INFO.sub("", text)) if "://" in text else text


def image_digest() -> str | None:
    """Digest of the container image, where ``MLOPS_RAY_IMAGE_DIGEST`` holds one.

    A container cannot know its own image: whoever starts it tells, such as by ``name@sha256:...``.
    """
    found = _IMAGE_DIGEST.search(os.environ.get(_IMAGE_VARIABLE, ""))
    return found[0] if found else None


def cpu_level(flags: frozenset[str], machine: str) -> str:
    """The instruction set level that numeric libraries choose their kernels by.

    Example:
        >>> cpu_level(frozenset({"avx2", "bmi1", "bmi2", "fma", "f16c", "movbe"}), "x86_64")
        'x86-64-v3'
    """
    if machine != "x86_64":
        return machine
    return next((name for name, needed in _X86_LEVELS if needed <= flags), "x86-64-v1")


def git_facts(root: Path) -> dict[str, str | bool] | None:
    """Commit of the repository around `root`, and whether tracked files differ from it.

    Returns:
        ``{"commit": <hex>, "dirty": bool}``, or None outside a repository, before its first
        commit, or where git is not installed.
    """
    commit = _git(root, "rev-parse", "HEAD")
    status = _git(root, "status", "--porcelain", "--untracked-files=no")
    if commit is None or status is None:
        return None
    return {"commit": commit, "dirty": bool(status)}


def _git(root: Path, *arguments: str) -> str | None:
    git = shutil.which("git")
    if git is None:
        return None
    try:
        # Reading must neither take the index lock nor run a program that a repository names.
        done = subprocess.run(  # noqa: S603 - fixed arguments, no shell
            [git, "-c", "core.fsmonitor=false", "-C", str(root), *arguments],
            capture_output=True,
            text=True,
            timeout=_GIT_TIMEOUT_S,
            check=False,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _cpu_flags() -> frozenset[str]:
    if not _CPU_FILE.is_file():
        return frozenset()
    lines = _CPU_FILE.read_text(encoding="utf-8", errors="replace").splitlines()
    return next(
        (frozenset(line.partition(":")[2].split()) for line in lines if line.startswith("flags")),
        frozenset(),
    )
