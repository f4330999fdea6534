"""Checks of what a run talks to: Ray's token and address, the store and the registry."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from mlops_ray.errors import MlopsRayError
from mlops_ray.runtime.address import check_address
from mlops_ray.runtime.auth_token import user_token_file
from mlops_ray.runtime.check import Check

__all__ = ["check_auth", "check_cluster", "check_registry", "check_store"]

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_SQLITE_PREFIX: Final = "sqlite:///"


def check_auth() -> Check:
    """Whether Ray's ports are protected, and the token readable by its owner only."""
    mode = os.environ.get("RAY_AUTH_MODE", "token")
    if mode.lower() != "token":
        fix = "unset RAY_AUTH_MODE: without a token whoever reaches a Ray port runs code here"
        return Check("ray auth", "warn", f"RAY_AUTH_MODE is {mode!r}", fix)
    file = user_token_file()
    if file is None:
        return Check("ray auth", "ok", "each local cluster gets a private token")
    if stat.S_IMODE(file.stat().st_mode) & _OTHERS:
        fix = f"chmod 600 {file}"
        return Check("ray auth", "warn", f"other users can read the token in {file}", fix)
    return Check("ray auth", "ok", f"token in {file}")


def check_cluster(address: str | None = None) -> Check:
    """Whether the cluster that a run would join can be reached.

    Args:
        address: As for `runtime.cluster.connect`; by default what ``RAY_ADDRESS`` says.
    """
    target = address or os.environ.get("RAY_ADDRESS") or "local"
    if target == "local":
        return Check("cluster", "ok", "none is joined; a run starts its own")
    try:
        check_address(target)
    except MlopsRayError as error:
        return Check("cluster", "fail", str(error), "correct or unset RAY_ADDRESS")
    return Check("cluster", "ok", f"{target} answers")


def check_store(root: Path) -> Check:
    """Whether objects can be written where the store lies or will lie."""
    return _check_writable("store", root.absolute(), root.is_file(), "MLOPS_RAY_STORE")


def check_registry(registry: str) -> Check:
    """Whether a registry in a local file can be written; a database server is not asked.

    Args:
        registry: Path of an SQLite file, or an SQLAlchemy URL.
    """
    path = registry.removeprefix(_SQLITE_PREFIX)
    if "://" in path:
        return Check("registry", "ok", "a database server; not contacted")
    file = Path(path).absolute()
    return _check_writable("registry", file, file.is_dir(), "MLOPS_RAY_REGISTRY")


def _check_writable(name: str, target: Path, is_wrong_kind: bool, variable: str) -> Check:
    there = next(path for path in (target, *target.parents) if path.exists())
    is_blocked = is_wrong_kind or not (there == target or there.is_dir())
    if is_blocked or not os.access(there, os.W_OK):
        fix = f"choose another place with {variable}"
        return Check(name, "fail", f"{there} cannot be written to", fix)
    detail = f"{target} is writable" if there == target else f"{target} will be made"
    return Check(name, "ok", detail)
