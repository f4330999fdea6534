"""Stores the code that runs, as one archive whose bytes depend on the files alone."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import mlops_ray
from mlops_ray.manifest import CodeFacts, canonical_bytes
from mlops_ray.runtime.code import code_tree

if TYPE_CHECKING:
    from mlops_ray.pipeline.objects import ObjectList

__all__ = ["capture_code"]

_EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # The earliest time a zip archive can hold.


def capture_code(objects: ObjectList) -> CodeFacts:
    """Put the package's files, and the tree of their digests, into the store."""
    tree = code_tree()
    content = canonical_bytes({"schema": "mlops-ray/code/v1", "files": tree})
    objects.put("code archive", _archive([entry["path"] for entry in tree]))
    return CodeFacts(tree=objects.put("code tree", content), n_files=len(tree))


def _archive(paths: list[str]) -> bytes:
    root = Path(mlops_ray.__file__).parent.parent
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path in paths:
            member = zipfile.ZipInfo(path, _EPOCH)
            member.create_system = 3  # Unix, whatever wrote it.
            archive.writestr(member, (root / path).read_bytes())
    return buffer.getvalue()
