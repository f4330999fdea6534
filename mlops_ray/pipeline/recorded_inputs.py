"""Finds the inputs of a recorded run: copies in its store, or files that the user supplies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mlops_ray.data.source import find_files
from mlops_ray.errors import SourceError, Where
from mlops_ray.storage import digest_file

if TYPE_CHECKING:
    from mlops_ray.data.place import Place
    from mlops_ray.manifest import InputFacts, Spec
    from mlops_ray.storage import ObjectStore
    from mlops_ray.storage.s3_file import S3File

__all__ = ["place_inputs"]


def place_inputs(
    spec: Spec, source: ObjectStore, target: ObjectStore, data: str | None
) -> dict[str, str]:
    """Where each input of a spec can be read, its bytes checked.

    Copies in the store are copied on, as are files in a bucket; others are read where they lie.

    Args:
        spec: Names the inputs by digest.
        source: Store of the run.
        target: Fresh store of the second execution.
        data: File, folder, glob or ``s3://`` URL that holds what the store has no copy of.

    Returns:
        Name of an input -> its path.

    Raises:
        SourceError: An input is found nowhere, or has other bytes; it is named.
    """
    supplied = _supplied(data)
    places: dict[str, str] = {}
    for item in spec.data.inputs:
        if item.name in supplied:
            place = supplied[item.name]
            path = place if isinstance(place, Path) else _fetched(place, target)
            places[item.name] = str(_checked(item, path))
        elif source.has(item.sha256):
            target.put_file(source.verified_path(item.sha256))
            places[item.name] = str(target.path(item.sha256))
        else:
            raise _absent(item, data)
    _check_named(spec, supplied)
    return places


def _check_named(spec: Spec, supplied: dict[str, Place]) -> None:
    """A file that is no input would be passed over, and its owner think that it was checked."""
    names = {item.name for item in spec.data.inputs}
    if supplied and not names & supplied.keys():
        raise SourceError(
            "no supplied file is an input of the run",
            ", ".join(sorted(supplied)[:3]),
            ", ".join(sorted(names)[:3]),
            "supply files under the names that they had in the source's folder",
        )


def _supplied(data: str | None) -> dict[str, Place]:
    if data is None:
        return {}
    return {file.name: file.path for file in find_files(data, Path.cwd())}


def _fetched(place: S3File, target: ObjectStore) -> Path:
    pieces = place.pieces()
    return target.path(target.put_written(lambda sink: sink.writelines(pieces)))


def _checked(item: InputFacts, path: Path) -> Path:
    try:
        found = digest_file(path)
    except OSError as error:
        found = error.strerror or type(error).__name__
    if found != item.sha256:
        raise SourceError(
            "the supplied file is not the one that the run read",
            found,
            item.sha256,
            "supply the bytes that were read then",
            Where(file=item.name),
        )
    return path


def _absent(item: InputFacts, data: str | None) -> SourceError:
    return SourceError(
        "an input of the run is not in the store",
        "nothing of that name under --data" if data else "it was too large to be copied",
        item.sha256,
        "name the folder that holds it with --data",
        Where(file=item.name),
    )
