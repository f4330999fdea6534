"""Inputs that a run reads in place: whether they still hold the bytes that the spec names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_ray.errors import SourceError, Where
from mlops_ray.storage import digest_file

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlops_ray.data.source import InputFile
    from mlops_ray.storage import ObjectStore

__all__ = ["check_unchanged"]


def check_unchanged(files: Iterable[InputFile], store: ObjectStore) -> None:
    """Check, after a pass over the inputs, that each file is still the one that was frozen.

    Files that are objects of the store are not looked at: nobody edits those. Called after the
    pass and not before, so that a file replaced while it was read is found too.

    Raises:
        SourceError: A file was changed or removed; it is named.
    """
    for file in files:
        if file.path == store.path(file.sha256):
            continue
        try:
            found = digest_file(file.path)
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
