"""Checks of the machine: versions, memory, disk, ports and what the environment sets."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import socket
import sys
from pathlib import Path
from typing import Final

from mlops_ray.runtime.check import Check
from mlops_ray.runtime.environment import behaviour_packages
from mlops_ray.runtime.port_holder import port_holder
from mlops_ray.runtime.resources import memory_limit_bytes

__all__ = [
    "check_bytecode",
    "check_disk",
    "check_memory",
    "check_packages",
    "check_ports",
    "check_python",
    "check_shared_memory",
]

_OLDEST_PYTHON: Final = (3, 11)
_FIRST_UNTRIED_PYTHON: Final = (3, 14)
_PORTS: Final = {8000: "HTTP endpoint", 8265: "Ray dashboard", 6379: "Ray head"}
_SHARED_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - where Ray's object store lies
_SCARCE_SHARED_BYTES: Final = 512 * 2**20
_SCARCE_MEMORY_BYTES: Final = 3 * 2**30
_SCARCE_DISK_BYTES: Final = 5 * 2**30
_TOO_LITTLE_DISK_BYTES: Final = 2**29


def check_python() -> Check:
    """Whether this Python is one the package is tested with."""
    version = platform.python_version()
    if _OLDEST_PYTHON <= sys.version_info[:2] < _FIRST_UNTRIED_PYTHON:
        return Check("python", "ok", version)
    return Check("python", "fail", version, "use Python 3.11, 3.12 or 3.13")


def check_packages() -> Check:
    """Whether all packages that compute are installed."""
    try:
        versions = behaviour_packages()
    except importlib.metadata.PackageNotFoundError as error:
        return Check("packages", "fail", f"{error.name} is missing", "run 'make install'")
    return Check("packages", "ok", ", ".join(f"{k} {v}" for k, v in versions.items()))


def check_memory() -> Check:
    """Whether there is memory for Ray's own processes and some data."""
    limit_bytes, n_cpus = memory_limit_bytes(), os.cpu_count() or 1
    detail = f"{_gib(limit_bytes)}, {n_cpus} CPUs"
    if limit_bytes < _SCARCE_MEMORY_BYTES:
        return Check("memory", "warn", detail, "Ray needs about 1 GiB; use --num-cpus 1")
    return Check("memory", "ok", detail)


def check_shared_memory(folder: Path = _SHARED_MEMORY) -> Check:
    """Whether Ray's object store fits into shared memory."""
    if not folder.is_dir():
        return Check("shared memory", "ok", f"no {folder} on this system")
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < _SCARCE_SHARED_BYTES:
        fix = "start the container with --shm-size=2g; Ray uses slower files otherwise"
        return Check("shared memory", "warn", f"{_gib(free_bytes)} free", fix)
    return Check("shared memory", "ok", f"{_gib(free_bytes)} free")


def check_disk(folder: Path) -> Check:
    """Whether there is room for objects where the store lies or will lie."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free_bytes = shutil.disk_usage(there).free
    detail = f"{_gib(free_bytes)} free at {there}"
    if free_bytes < _TOO_LITTLE_DISK_BYTES:
        return Check("disk", "fail", detail, "free space, or move the store with MLOPS_RAY_STORE")
    if free_bytes < _SCARCE_DISK_BYTES:
        return Check("disk", "warn", detail, "large inputs are copied: store.copy_inputs_below")
    return Check("disk", "ok", detail)


def check_ports() -> list[Check]:
    """Whether the customary ports are free; a run needs none of them, an endpoint the first."""
    return [_check_port(port, use) for port, use in _PORTS.items()]


def check_bytecode() -> Check:
    """Whether workers may keep compiled modules."""
    if os.environ.get("PYTHONDONTWRITEBYTECODE"):
        fix = "unset PYTHONDONTWRITEBYTECODE: every Ray worker compiles every module again"
        return Check("bytecode", "warn", "PYTHONDONTWRITEBYTECODE is set", fix)
    return Check("bytecode", "ok", "compiled modules are kept")


def _check_port(port: int, use: str) -> Check:
    name = f"port {port}"
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            fix = "use --port 0, or end that process" if port == 8000 else ""
            return Check(name, "warn", f"{use}: held by {port_holder(port)}", fix)
    return Check(name, "ok", f"{use}: free")


def _gib(size_bytes: int) -> str:
    return f"{size_bytes / 2**30:.1f} GiB"
