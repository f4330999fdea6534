"""The profile of a set of rows: the statistics of all its columns, as one JSON document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from mlops_ray.data.column_profile import (
    CategoryProfile,
    ColumnProfile,
    NumberProfile,
    TimeProfile,
    column_profile_from_json,
    merge_columns,
)
from mlops_ray.data.measure import measure_column
from mlops_ray.errors import ColumnError, ManifestError, Where

if TYPE_CHECKING:
    import pyarrow as pa

    from mlops_ray.data.schema import Schema

__all__ = [
    "PROFILE_SCHEMA",
    "CategoryProfile",
    "ColumnProfile",
    "NumberProfile",
    "Profile",
    "TimeProfile",
]

PROFILE_SCHEMA: Final = "mlops-ray/profile/v1"


@dataclass(frozen=True, slots=True)
class Profile:
    """Statistics of a set of rows.

    Attributes:
        n_rows: Rows seen.
        columns: Column name -> its statistics, in the order of the data.
    """

    n_rows: int
    columns: dict[str, ColumnProfile]

    @classmethod
    def of(cls, table: pa.Table, schema: Schema) -> Self:
        """The profile of a table in canonical types, over the columns of the schema."""
        everything = [np.arange(table.num_rows)]
        columns = {
            name: measure_column(table.column(name), dtype, everything, name)[0]
            for name, dtype in schema.items()
        }
        return cls(table.num_rows, columns)

    def merge(self, other: Profile) -> Profile:
        """The profile of both sets of rows together; the result does not depend on the order.

        Raises:
            ColumnError: The two do not have the same columns.
        """
        if self.columns.keys() != other.columns.keys():
            odd = min(self.columns.keys() ^ other.columns.keys())
            raise ColumnError("only one of two profiles has the column", where=Where(key=odd))
        columns = {
            name: merge_columns(column, other.columns[name])
            for name, column in self.columns.items()
        }
        return Profile(self.n_rows + other.n_rows, columns)

    def to_json(self) -> dict[str, Any]:
        """The profile as a JSON document."""
        columns = [{"name": name, **column.to_json()} for name, column in self.columns.items()]
        return {"schema": PROFILE_SCHEMA, "n_rows": self.n_rows, "columns": columns}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """The profile that a document holds.

        Raises:
            ManifestError: The document is no profile of version 1.
        """
        if value.get("schema") != PROFILE_SCHEMA:
            hint = "upgrade mlops_ray"
            raise ManifestError("not a profile", repr(value.get("schema")), PROFILE_SCHEMA, hint)
        columns = {column["name"]: column_profile_from_json(column) for column in value["columns"]}
        return cls(value["n_rows"], columns)
