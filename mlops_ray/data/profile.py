"""The profile of a set of rows: the statistics of all its columns, as one JSON document."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

from mlops_ray.data.association import Association
from mlops_ray.data.cells import decode
from mlops_ray.data.column_profile import (
    CategoryProfile,
    ColumnProfile,
    NumberProfile,
    PresenceProfile,
    TimeProfile,
    column_profile_from_json,
    merge_columns,
)
from mlops_ray.data.histogram import QUANTILE_ERROR
from mlops_ray.data.leakage import Hint
from mlops_ray.data.measure import measure_column
from mlops_ray.data.row_parts import RowParts
from mlops_ray.errors import ColumnError, ManifestError, Where

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from mlops_ray.data.schema import Schema

__all__ = [
    "PROFILE_SCHEMA",
    "CategoryProfile",
    "ColumnProfile",
    "NumberProfile",
    "PresenceProfile",
    "Profile",
    "TimeProfile",
]

PROFILE_SCHEMA: Final = "mlops-ray/profile/v2"
_READABLE: Final = ("mlops-ray/profile/v1", PROFILE_SCHEMA)


@dataclass(frozen=True, slots=True)
class Profile:
    """Statistics of a set of rows.

    Attributes:
        n_rows: Rows seen.
        columns: Column name -> its statistics, in the order of the data.
        target: The column that associations are with; None where none was named.
        associations: Feature -> how it goes with the target; not of merged profiles.
        hints: Of a whole table what looks like a leak, or tells nothing.
    """

    n_rows: int
    columns: dict[str, ColumnProfile]
    target: str | None = None
    associations: dict[str, Association] = field(default_factory=dict)
    hints: tuple[Hint, ...] = ()

    @classmethod
    def of(cls, table: pa.Table, schema: Schema) -> Self:
        """The profile of a table in canonical types, over the columns of the schema."""
        rows = RowParts.whole(table.num_rows)
        columns = {
            name: measure_column(decode(table.column(name), dtype, name), dtype, rows)[0]
            for name, dtype in schema.items()
        }
        return cls.merged([cls(table.num_rows, columns)])

    @classmethod
    def merged(cls, parts: Sequence[Profile]) -> Self:
        """The profile of several sets of rows together; their order does not matter.

        Raises:
            ColumnError: Two of them do not have the same columns.
        """
        names = parts[0].columns
        for part in parts:
            if part.columns.keys() != names.keys():
                odd = min(part.columns.keys() ^ names.keys())
                raise ColumnError("only one of two profiles has the column", where=Where(key=odd))
        columns = {name: merge_columns([part.columns[name] for part in parts]) for name in names}
        return cls(sum(part.n_rows for part in parts), columns)

    def to_json(self) -> dict[str, Any]:
        """The profile as a JSON document of a few kilobytes a column."""
        columns = [{"name": name, **column.to_json()} for name, column in self.columns.items()]
        for column in columns:
            if column["name"] in self.associations:
                column["association"] = self.associations[column["name"]].to_json()
        content = {
            "schema": PROFILE_SCHEMA,
            "n_rows": self.n_rows,
            "quantile_error": QUANTILE_ERROR,
            "columns": columns,
        }
        if self.target is None:
            return content
        hints = [hint.to_json() for hint in self.hints]
        return {**content, "target": self.target, "hints": hints}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """The profile that a document holds.

        Raises:
            ManifestError: The document is no profile of version 1 or 2.
        """
        if value.get("schema") not in _READABLE:
            hint = "upgrade mlops_ray"
            raise ManifestError("not a profile", repr(value.get("schema")), PROFILE_SCHEMA, hint)
        columns = {column["name"]: column_profile_from_json(column) for column in value["columns"]}
        associations = {
            column["name"]: Association.from_json(column["association"])
            for column in value["columns"]
            if "association" in column
        }
        hints = tuple(Hint.from_json(hint) for hint in value.get("hints", ()))
        return cls(value["n_rows"], columns, value.get("target"), associations, hints)
