"""Care of a whole store: is everything there that its records need, and what does nobody need."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from mlops_ray.errors import ManifestError, NotFoundError
from mlops_ray.manifest.reachable import Roots
from mlops_ray.storage import sweep_temporaries
from mlops_ray.storage.check import ObjectsChecked, StoreProblem, check_store
from mlops_ray.storage.code_folders import remove_code_folders
from mlops_ray.storage.collect import Collected, collect_garbage
from mlops_ray.storage.lease import count_leases

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlops_ray.manifest.reachable import Reference
    from mlops_ray.registry import Registry
    from mlops_ray.storage import ObjectStore, Workspace
    from mlops_ray.storage.remote_store import RemoteStore

__all__ = ["STAGES_UNUSED_DAYS", "Collection", "StoreVerification", "collect_store", "verify_store"]

STAGES_UNUSED_DAYS: Final = 30
_DAY_S: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class StoreVerification:
    """Outcome of a store's check.

    Attributes:
        n_objects: Objects in the store.
        n_bytes: Their size together.
        problems: What is wrong, named.
        leftovers: Counts of what dead processes left, which is no fault: the next collection
            removes it.
    """

    n_objects: int
    n_bytes: int
    problems: list[StoreProblem]
    leftovers: dict[str, int]

    @property
    def is_ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def to_json(self) -> dict[str, Any]:
        """The content of ``mlops-ray/store_verify/v1``."""
        problems = [
            {"object": p.object, "expected": p.expected, "got": p.got} for p in self.problems
        ]
        return {
            "ok": self.is_ok,
            "objects": self.n_objects,
            "bytes": self.n_bytes,
            "problems": problems,
            "leftovers": self.leftovers,
        }


@dataclass(frozen=True, slots=True)
class Collection:
    """Outcome of a garbage collection.

    Attributes:
        objects: What happened to the objects.
        n_stages: Pointers of stages that were dropped because no run used them for long.
        n_code_folders: Folders of extracted code that were removed.
        is_dry_run: Whether all this was only looked at.
    """

    objects: Collected
    n_stages: int
    n_code_folders: int
    is_dry_run: bool

    def to_json(self) -> dict[str, Any]:
        """The content of ``mlops-ray/store_gc/v1``."""
        return {
            "deleted": self.objects.n_deleted,
            "freed_bytes": self.objects.freed_bytes,
            "kept": self.objects.n_kept,
            "temporaries": self.objects.n_temporaries,
            "stages": self.n_stages,
            "code_folders": self.n_code_folders,
            "dry_run": self.is_dry_run,
        }


def verify_store(
    workspace: Workspace, registry: Registry, *, read_data: bool = False
) -> StoreVerification:
    """Check that every record leads to a readable document whose objects are all there.

    Args:
        workspace: The store.
        registry: Whose versions' bundles must be there too.
        read_data: Compute the digest of every object anew instead of comparing sizes alone.

    Raises:
        NotFoundError: There is no store.
        StoreError: The store cannot be read.
    """
    store = _existing(workspace)
    checked = _checked(workspace, store, read_data=read_data)
    sizes = dict(checked.sizes)
    problems = [*checked.problems, *_broken_roots(store, _roots(store, registry), sizes)]
    return StoreVerification(
        len(sizes), sum(sizes.values()), problems, _leftovers(workspace, store)
    )


def collect_store(
    workspace: Workspace,
    registry: Registry,
    *,
    dry_run: bool = False,
    stages_unused_days: float | None = STAGES_UNUSED_DAYS,
) -> Collection:
    """Delete what no run, stage, version or living process needs.

    Args:
        workspace: The store.
        registry: Whose versions' bundles stay.
        dry_run: Only look.
        stages_unused_days: Drop stages that no run used for this long; their objects stay where a
            run needs them. None drops none.

    Raises:
        NotFoundError: There is no store.
        ManifestError: A record cannot be read, so nothing was deleted.
        StoreError: The store cannot be read or written.
    """
    store = _existing(workspace)
    roots = _roots(store, registry)
    roots.reached()  # A record that cannot be read must stop this before anything is dropped.
    dropped = _unused_stages(store, stages_unused_days)
    if not dry_run:
        for key in dropped:
            store.delete_record(key)
    forgotten = frozenset(dropped) if dry_run else frozenset()
    collected = _collected(workspace, store, lambda: roots.reached(forgotten), dry_run=dry_run)
    n_code_folders = remove_code_folders(store.root, dry_run=dry_run)
    return Collection(collected, len(dropped), n_code_folders, dry_run)


def _existing(workspace: Workspace) -> ObjectStore:
    """The store; where there is none, nothing would be looked at, and all of it be well."""
    store = workspace.store
    if not store.is_made():
        raise NotFoundError(
            f"there is no store at {workspace.location}",
            "nothing there, or something else",
            "a place where a run has written, with objects/ and runs/ in it",
            "name the store with --store or MLOPS_RAY_STORE; `mlops-ray run CONFIG` makes one, and "
            "an exported run becomes part of one by `mlops-ray runs import`",
        )
    return store


def _checked(workspace: Workspace, store: ObjectStore, *, read_data: bool) -> ObjectsChecked:
    if not workspace.is_remote:
        return check_store(store, read_data=read_data)
    from mlops_ray.storage.remote_collect import check_remote_store  # noqa: PLC0415 - pyarrow

    return check_remote_store(cast("RemoteStore", store), read_data=read_data)


def _collected(
    workspace: Workspace, store: ObjectStore, reachable: Callable[[], set[str]], *, dry_run: bool
) -> Collected:
    if not workspace.is_remote:
        return collect_garbage(store, reachable, dry_run=dry_run)
    from mlops_ray.storage.remote_collect import collect_remote_garbage  # noqa: PLC0415 - pyarrow

    return collect_remote_garbage(cast("RemoteStore", store), reachable, dry_run=dry_run)


def _roots(store: ObjectStore, registry: Registry) -> Roots:
    def bundles() -> dict[str, None]:
        found = (v for model in registry.models() for v in registry.versions(model.model))
        sets = registry.feature_sets.versions()
        return dict.fromkeys([*(v.bundle for v in found), *(v.digest for v in sets)])

    return Roots(store, bundles)


def _broken_roots(store: ObjectStore, roots: Roots, sizes: dict[str, int]) -> list[StoreProblem]:
    found: dict[str, StoreProblem] = {}
    for root in roots.keys():  # noqa: SIM118 - not a mapping
        try:
            contents = roots.contents(root)
            needed = contents.needed if contents is not None else ()
        except ManifestError as error:
            found[root] = StoreProblem(root, "leads to a whole document", error.got or error.what)
            continue
        broken = [item for item in needed if not _is_there(store, item, sizes)]
        # A record may have been given up, and its objects collected, while we looked.
        if broken and roots.contents(root) is not None:
            found |= {item.name: _missing_from(root, item, sizes) for item in broken}
    return list(found.values())


def _is_there(store: ObjectStore, item: Reference, sizes: dict[str, int]) -> bool:
    if item.name not in sizes and store.has(item.name):  # Written since the objects were listed.
        sizes[item.name] = store.size_bytes(item.name)
    size_bytes = sizes.get(item.name)
    if size_bytes is None:
        return item.is_intermediate
    return item.size_bytes in {None, size_bytes}


def _missing_from(root: str, item: Reference, sizes: dict[str, int]) -> StoreProblem:
    wanted = "an object" if item.size_bytes is None else f"{item.size_bytes} bytes"
    got = f"{sizes[item.name]} bytes" if item.name in sizes else "missing"
    return StoreProblem(item.name, f"{wanted} for {item.role} of {root}", got)


def _unused_stages(store: ObjectStore, unused_days: float | None) -> list[str]:
    if unused_days is None:
        return []
    oldest = time.time() - unused_days * _DAY_S
    used_at = {key: store.record_used_at_s(key) for key in store.record_keys("stages/key-")}
    return [key for key, moment in used_at.items() if moment is not None and moment < oldest]


def _leftovers(workspace: Workspace, store: ObjectStore) -> dict[str, int]:
    root = workspace.store_root
    sealed = {
        key.split("/")[1] for key in store.record_keys("runs/") if key.endswith("sealed.json")
    }
    runs = {path.name for path in workspace.runs.glob("*") if path.is_dir()}
    return {
        "temporaries": sweep_temporaries(root, dry_run=True),
        "leases": count_leases(root)[1],
        "locks": sum(1 for _ in (root / "locks").glob("*")),
        "unsealed_runs": len(runs - sealed),
    }
