"""Files that cannot be read as the others are: found by reading, and left out if that was declared.

What is wrong with a file is told by its bytes and by the declared columns alone, so that a second
execution leaves out the same files for the same reasons.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from mlops_ray.data.parquet_file import count_rows
from mlops_ray.data.unit import list_units
from mlops_ray.data.unit_rows import read_unit
from mlops_ray.data.unit_schema import check_fits, read_schema
from mlops_ray.errors import DataError, ManifestError, SourceError
from mlops_ray.manifest import canonical_bytes, from_canonical

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlops_ray.data.schema import LogicalType, Schema
    from mlops_ray.data.source import FoundFile
    from mlops_ray.data.unit import Unit
    from mlops_ray.data.unit_map import UnitMap

__all__ = [
    "BadFile",
    "find_bad_files",
    "quarantine_from_bytes",
    "quarantine_to_bytes",
    "shared_schema",
]

_SCHEMA: Final = "mlops-ray/quarantine/v1"


@dataclass(frozen=True, slots=True)
class BadFile:
    """A file that cannot be read.

    Attributes:
        name: Its name in the source.
        reason: What is wrong, without values and places, so that it may be recorded.
        n_rows: Rows that its footer tells of; None where it has none that can be read.
    """

    name: str
    reason: str
    n_rows: int | None


def quarantine_to_bytes(bad: Sequence[BadFile]) -> bytes:
    """The files that are left out, as canonical JSON."""
    files = [{"name": f.name, "reason": f.reason, "n_rows": f.n_rows} for f in bad]
    return canonical_bytes({"schema": _SCHEMA, "left_out": files})


def quarantine_from_bytes(data: bytes) -> list[BadFile]:
    """What `quarantine_to_bytes` wrote.

    Raises:
        ManifestError: The bytes are something else.
    """
    content = from_canonical(data)
    if not isinstance(content, dict) or content.get("schema") != _SCHEMA:
        raise ManifestError("not a quarantine this version can read", wanted=_SCHEMA)
    return [BadFile(f["name"], f["reason"], f["n_rows"]) for f in content["left_out"]]


def shared_schema(
    files: Sequence[FoundFile], casts: Mapping[str, LogicalType] | None = None
) -> Schema:
    """The schema that most of the files have, in the first one's order; others are passed over.

    Raises:
        SourceError: No file can be read.
    """
    schemas: list[Schema] = []
    first_error: DataError | None = None
    for file in sorted(files, key=lambda found: found.name):
        try:
            schemas.append(read_schema([file], casts))
        except DataError as error:
            first_error = first_error or error
    if not schemas:
        raise first_error or SourceError("no input files", "0 files", "at least 1")
    ((columns, _),) = Counter(frozenset(schema.items()) for schema in schemas).most_common(1)
    return next(schema for schema in schemas if frozenset(schema.items()) == columns)


def find_bad_files(
    files: Sequence[FoundFile],
    schema: Schema,
    casts: Mapping[str, LogicalType],
    unit_map: UnitMap,
) -> list[BadFile]:
    """Read every file once and say which cannot be read as declared, by name.

    Args:
        files: The input files.
        schema: Of the columns that a run reads.
        casts: Columns whose type was declared, whatever the files hold.
        unit_map: Runs the reading, here or on Ray.

    Raises:
        SourceError: No file can be read.
    """
    found: dict[str, str] = {}
    units: list[Unit] = []
    for file in files:
        try:
            check_fits(file, schema, casts)
            units += list_units([file])
        except DataError as error:
            found[file.name] = _reason(error)
    numbered = [replace(unit, index=index) for index, unit in enumerate(units)]
    for answer in unit_map(partial(_misreads, schema), numbered):
        for name, reason in json.loads(answer).items():
            found.setdefault(name, reason)
    if len(found) == len(files):
        name, reason = min(found.items())
        raise SourceError("no input file can be read", f"{name}: {reason}")
    by_name = {file.name: file for file in files}
    return [BadFile(name, found[name], _rows_lost(by_name[name])) for name in sorted(found)]


def _misreads(schema: Schema, unit: Unit) -> bytes:
    try:
        read_unit(unit, schema)
    except DataError as error:
        return json.dumps({unit.name: _reason(error)}).encode()
    return b"{}"


def _reason(error: DataError) -> str:
    return error.what + (f": {error.where.key}" if error.where.key else "")


def _rows_lost(file: FoundFile) -> int | None:
    try:
        return count_rows(file.path, file.name) if file.format == "parquet" else None
    except DataError:
        return None
