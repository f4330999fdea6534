"""Inputs that a run reads in place: whether they still hold the bytes that the spec names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_ray.errors import SourceError, Where

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlops_ray.data.source import InputFile
    from mlops_ray.storage import DigestCache, ObjectStore

__all__ = ["check_unchanged"]


def check_unchanged(files: Iterable[InputFile], store: ObjectStore, digests: DigestCache) -> None:
    """Check, after a pass over the inputs, that each file is still the one that was frozen.

    Files that are objects of the store are not looked at: nobody edits those. Called after the
    pass and not before, so that a file replaced while it was read is found too. A file whose size,
    inode and times are those it was frozen with is taken for unchanged, as git does.

    Raises:
        SourceError: A file was changed or removed; it is named.
    """
    for file in files:
        if file.path == store.path(file.sha256):
            continue
        try:
            found = digests.digest_file(file.path)
        except OSError as error:
            found = error.strerror or type(error).__name__
        if found != file.sha256:
            raise SourceError(
                "the input file changed while the run read it",
                found,
                file.sha256,
                "run again once nobody writes to it, or raise 'store.copy_inputs_below'",
                Where(file=file.name),
            )
