"""All checks of the machine in one list, from what a run needs to what slows it down."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_ray.runtime.access_checks import check_auth, check_cluster, check_registry, check_store
from mlops_ray.runtime.check import Check
from mlops_ray.runtime.machine_checks import (
    check_bytecode,
    check_disk,
    check_memory,
    check_packages,
    check_ports,
    check_python,
    check_shared_memory,
)

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Check", "examine"]


def examine(store_root: Path, registry: str, address: str | None = None) -> list[Check]:
    """Look at everything a run needs; nothing is started, written or sent.

    Args:
        store_root: Folder of the object store, which need not exist.
        registry: Path of an SQLite file, or an SQLAlchemy URL.
        address: The cluster a run would join; by default what ``RAY_ADDRESS`` says.
    """
    return [
        check_python(),
        check_packages(),
        check_memory(),
        check_shared_memory(),
        check_disk(store_root),
        check_store(store_root),
        check_registry(registry),
        check_auth(),
        check_cluster(address),
        *check_ports(),
        check_bytecode(),
    ]
