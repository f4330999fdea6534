"""Where a project keeps its records: the object store, the runs beside it, and the registry."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mlops_ray.storage.atomic import write_atomically
from mlops_ray.storage.location import LocalLocation, RemoteLocation, parse_location
from mlops_ray.storage.object_store import ObjectStore

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Workspace", "find_workspace", "project_root"]

_ROOT_MARKS: Final = ("pyproject.toml", ".git", ".mlops_ray")
_STORE_VARIABLE: Final = "MLOPS_RAY_STORE"
_REGISTRY_VARIABLE: Final = "MLOPS_RAY_REGISTRY"


@dataclass(frozen=True, slots=True)
class Workspace:
    """The two places a project writes to.

    Attributes:
        store_root: Folder of objects and run records; for a remote store, of its cache and of what
            belongs to one machine: locks, and the logs of living runs.
        registry: Path of an SQLite file, or an SQLAlchemy URL.
        is_default: Whether the store lies where nobody asked for it, in the project root.
        location: Where the store lies.
    """

    store_root: Path
    registry: str
    is_default: bool
    location: LocalLocation | RemoteLocation

    @property
    def store(self) -> ObjectStore:
        """The object store, local or remote."""
        if isinstance(self.location, LocalLocation):
            return ObjectStore(self.store_root)
        from mlops_ray.storage.remote_store import RemoteStore  # noqa: PLC0415 - imports pyarrow

        return RemoteStore(self.store_root, self.location)

    @property
    def is_remote(self) -> bool:
        """Whether the store lies in a bucket."""
        return isinstance(self.location, RemoteLocation)

    @property
    def runs(self) -> Path:
        """Folder with one folder a run."""
        return self.store_root / "runs"

    def prepare(self) -> None:
        """Make the project's own folder, if it is used, which keeps itself out of git."""
        folder = self.store_root.parents[1 if self.is_remote else 0]
        if (self.is_default or self.is_remote) and not (folder / ".gitignore").exists():
            write_atomically(folder / ".gitignore", b"*\n")


def project_root(start: Path) -> Path:
    """The nearest folder, from `start` up, that holds pyproject.toml, .git or .mlops_ray."""
    folder = start.absolute()
    for parent in (folder, *folder.parents):
        if any((parent / mark).exists() for mark in _ROOT_MARKS):
            return parent
    return folder


def find_workspace(
    root: Path, store: str | Path | None = None, registry: str | Path | None = None
) -> Workspace:
    """The workspace of a project: arguments win over the environment, that over the default.

    Args:
        root: Project root.
        store: Folder or URL of the store; else ``MLOPS_RAY_STORE``; else ``.mlops_ray/store``.
        registry: Path or URL; else ``MLOPS_RAY_REGISTRY``; else ``.mlops_ray/registry.db``.

    Raises:
        ConfigError: The store's URL cannot be used.
    """
    home = root / ".mlops_ray"
    chosen_store = store or os.environ.get(_STORE_VARIABLE)
    chosen_registry = registry or os.environ.get(_REGISTRY_VARIABLE)
    location = parse_location(chosen_store or home / "store")
    if isinstance(location, RemoteLocation):
        store_root = home.absolute() / "remote" / location.cache_name
    else:
        store_root = location.root
    return Workspace(
        store_root=store_root,
        registry=str(chosen_registry or home / "registry.db"),
        is_default=chosen_store is None,
        location=location,
    )
