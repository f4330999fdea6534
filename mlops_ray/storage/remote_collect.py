"""Garbage collection and check of a remote store, where age takes the place of locks.

An object is deleted if nothing reaches it and it is older than the grace time; its age is looked
at again just before. Writers renew what they rely on at half that time (`RemoteStore.hold`, `put`),
and a run holds every object again before its pointer is written. So a writer and a collector meet
only if an object that was garbage for a day is renewed in the milliseconds between look and
deletion. The clocks of the server and of whoever collects must agree to within hours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_ray.storage.check import ObjectsChecked, StoreProblem
from mlops_ray.storage.collect import Collected
from mlops_ray.storage.remote_store import GRACE_S, age_s

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlops_ray.storage.remote_store import RemoteStore

__all__ = ["check_remote_store", "collect_remote_garbage"]


def collect_remote_garbage(
    store: RemoteStore,
    reachable: Callable[[], set[str]],
    *,
    dry_run: bool = False,
    grace_s: float = GRACE_S,
) -> Collected:
    """Delete the objects of a bucket that no record leads to and that are old.

    Args:
        store: The store.
        reachable: Digests of all objects that records lead to; called twice.
        dry_run: Delete nothing, only say what would be.
        grace_s: Age in seconds below which nothing is deleted.

    Raises:
        BusyError: The server could not be asked; what was not yet deleted stays.
    """
    heads = dict(store.heads())
    reached = reachable() | reachable()
    garbage = {
        name: head.size_bytes
        for name, head in heads.items()
        if name not in reached and age_s(head) > grace_s
    }
    deleted = {
        name: size_bytes
        for name, size_bytes in garbage.items()
        if dry_run or _delete_if_still_old(store, name, grace_s)
    }
    return Collected(
        tuple(sorted(deleted)), sum(deleted.values()), len(heads) - len(deleted), n_temporaries=0
    )


def _delete_if_still_old(store: RemoteStore, name: str, grace_s: float) -> bool:
    head = store.head(name)
    if head is None or age_s(head) <= grace_s:
        return False
    store.delete(name)
    return True


def check_remote_store(store: RemoteStore, *, read_data: bool) -> ObjectsChecked:
    """Look at every object of a bucket; with `read_data` fetch each and compute its digest anew."""
    fresh = store.fresh()
    sizes: dict[str, int] = {}
    problems: list[StoreProblem] = []
    for name, head in store.heads():
        sizes[name] = head.size_bytes
        if read_data and not fresh.is_whole(name):
            problems.append(StoreProblem(name, name, "other bytes"))
    return ObjectsChecked(sizes, problems)
