"""Stores the code that runs, as one archive whose bytes depend on the files alone."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING, Final

from mlops_ray.manifest import CodeFacts, canonical_bytes
from mlops_ray.runtime.code import code_files
from mlops_ray.storage import digest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlops_ray.pipeline.objects import ObjectList

__all__ = ["capture_code"]

_EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # The earliest time a zip archive can hold.


def capture_code(objects: ObjectList) -> CodeFacts:
    """Put the package's files, and the tree of their digests, into the store."""
    files = code_files()  # Read once, so that tree and archive agree whoever edits meanwhile.
    tree = [
        {"path": path, "size": len(data), "sha256": digest(data)} for path, data in files.items()
    ]
    objects.put("code archive", _archive(files))
    content = canonical_bytes({"schema": "mlops-ray/code/v1", "files": tree})
    return CodeFacts(tree=objects.put("code tree", content), n_files=len(tree))


def _archive(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path, data in files.items():
            member = zipfile.ZipInfo(path, _EPOCH)
            member.create_system = 3  # Unix, whatever wrote it.
            archive.writestr(member, data)
    return buffer.getvalue()
