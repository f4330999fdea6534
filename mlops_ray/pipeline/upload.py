"""Refuses what would lie in a Ray job's upload, which Ray deletes with the job."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from mlops_ray.data.bundled import is_bundled
from mlops_ray.data.listing import is_url
from mlops_ray.errors import ConfigError, SourceError, Where

if TYPE_CHECKING:
    from mlops_ray.storage import Workspace

__all__ = ["check_outlives_upload", "upload_folder"]

_UPLOADS: Final = "working_dir_files"  # Ray unpacks a job's --working-dir below such a folder.


def upload_folder(start: Path | None = None) -> Path | None:
    """The unpacked upload that this process works in; None outside of a job with an upload."""
    folder = (start or Path.cwd()).absolute()
    for candidate in (folder, *folder.parents):
        if candidate.parent.name == _UPLOADS:
            return candidate
    return None


def check_outlives_upload(workspace: Workspace, source: str | None, root: Path) -> None:
    """Refuse a store, a registry or data inside the upload, before any work is done.

    Raises:
        ConfigError: The store or the registry would be deleted with the job.
        SourceError: The data would be.
    """
    upload = upload_folder()
    if upload is None:
        return
    if _lies_in(upload, workspace.store_root):
        raise ConfigError(
            "the store lies in the job's upload and would be deleted with it",
            hint="set MLOPS_RAY_STORE to an absolute folder that all nodes share, for example by "
            '--runtime-env-json \'{"env_vars": {"MLOPS_RAY_STORE": "/mnt/mlops/store"}}\'',
        )
    registry = _registry_file(workspace.registry)
    if registry is not None and _lies_in(upload, Path(registry)):
        raise ConfigError(
            "the registry lies in the job's upload and would be deleted with it",
            hint="set MLOPS_RAY_REGISTRY to an absolute path or a database URL",
        )
    is_local = source is not None and not is_url(source) and not is_bundled(source)
    if is_local and _lies_in(upload, root / str(source)):
        raise SourceError(
            "the data lie in the job's upload and would be deleted with it",
            repr(source),
            "a path that outlives the job",
            "give data.source an absolute path that all nodes can read, or an s3:// URL",
            Where(key="data.source"),
        )


def _lies_in(upload: Path, place: Path) -> bool:
    """Whether a place is in the upload in the end, after all links and dots."""
    return place.expanduser().resolve().is_relative_to(upload.resolve())


def _registry_file(registry: str) -> str | None:
    """The file of a registry given as a path or an SQLite URL; None where it is a server."""
    scheme, mark, path = registry.partition(":///")
    if mark and scheme.startswith("sqlite"):
        return path.partition("?")[0]
    return None if "://" in registry else registry
