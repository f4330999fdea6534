"""Bytes at rest: atomic writes and a content-addressed object store whose reads verify.

Names that the stages of a pipeline have no use for are loaded on first use, so that they are no
part of the code by which a finished stage is found again.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mlops_ray.storage.atomic import atomic_writer, write_atomically
from mlops_ray.storage.digest import digest, digest_file, hex_of
from mlops_ray.storage.fail_point import fail_point
from mlops_ray.storage.object_store import ObjectStore
from mlops_ray.storage.process_lock import process_lock

if TYPE_CHECKING:
    from mlops_ray.storage.atomic import sweep_temporaries
    from mlops_ray.storage.digest_cache import DigestCache
    from mlops_ray.storage.workspace import Workspace, find_workspace, project_root

__all__ = [
    "DigestCache",
    "ObjectStore",
    "Workspace",
    "atomic_writer",
    "digest",
    "digest_file",
    "fail_point",
    "find_workspace",
    "hex_of",
    "process_lock",
    "project_root",
    "sweep_temporaries",
    "write_atomically",
]

_HOME = {
    "DigestCache": "digest_cache",
    "Workspace": "workspace",
    "find_workspace": "workspace",
    "project_root": "workspace",
    "sweep_temporaries": "atomic",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - PEP 562 hook
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
