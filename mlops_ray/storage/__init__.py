"""Bytes at rest: atomic writes and a content-addressed object store whose reads verify."""

from mlops_ray.storage.atomic import atomic_writer, write_atomically
from mlops_ray.storage.digest import digest, digest_file, hex_of
from mlops_ray.storage.object_store import ObjectStore
from mlops_ray.storage.workspace import Workspace, find_workspace, project_root

__all__ = [
    "ObjectStore",
    "Workspace",
    "atomic_writer",
    "digest",
    "digest_file",
    "find_workspace",
    "hex_of",
    "project_root",
    "write_atomically",
]
