"""Garbage collection that cannot delete what a concurrent writer relies on.

Without a lock it looks which objects nothing reaches. Then it closes the gate of the leases, reads
the journals of the living writers, looks again what is reached, and deletes the rest. Journals come
before the second look: a writer that gives its lease back in between has written its record, which
the second look sees.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_ray.errors import StoreError
from mlops_ray.storage.atomic import sweep_temporaries
from mlops_ray.storage.fail_point import fail_point
from mlops_ray.storage.lease import gate, living_journals

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlops_ray.storage.object_store import ObjectStore

__all__ = ["Collected", "collect_garbage"]


@dataclass(frozen=True, slots=True)
class Collected:
    """Outcome of a collection.

    Attributes:
        names: Digests of what was deleted, sorted; of what would be, in a dry run.
        freed_bytes: Their size together.
        n_kept: Objects that stay.
        n_temporaries: Files of dead writers that were removed.
    """

    names: tuple[str, ...]
    freed_bytes: int
    n_kept: int
    n_temporaries: int

    @property
    def n_deleted(self) -> int:
        """How many objects were deleted."""
        return len(self.names)


def collect_garbage(
    store: ObjectStore, reachable: Callable[[], set[str]], *, dry_run: bool = False
) -> Collected:
    """Delete the objects that neither a record nor a living writer holds.

    Args:
        store: A store in a local folder.
        reachable: Digests of all objects that records lead to. Called twice, the second time while
            writers wait, so it should remember what it read. It must raise where it cannot read a
            record: an object that it fails to name is lost.
        dry_run: Delete nothing, only say what would be.

    Raises:
        StoreError: The store cannot be read or written.
    """
    if not store.root.is_dir():
        return Collected((), 0, 0, 0)
    before = reachable()
    names = list(store.names())
    candidates = [name for name in names if name not in before]
    fail_point("collect.marked")
    try:
        with gate(store.root, is_exclusive=True):
            held = living_journals(store.root, remove_dead=not dry_run)
            fail_point("collect.journals_read")
            held |= reachable()
            garbage = tuple(name for name in candidates if name not in held)
            freed_bytes = sum(_deleted(store, name, dry_run) for name in garbage)
    except OSError as error:
        raise StoreError(
            f"garbage of the store {store.root} cannot be collected", error.strerror or str(error)
        ) from error
    n_temporaries = sweep_temporaries(store.root, dry_run=dry_run)
    return Collected(garbage, freed_bytes, len(names) - len(garbage), n_temporaries)


def _deleted(store: ObjectStore, name: str, dry_run: bool) -> int:
    if dry_run:
        return store.size_bytes(name) if store.has(name) else 0
    fail_point("collect.delete")
    return store.delete(name)
