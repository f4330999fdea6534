"""The bounds of a stratified split: where the parts of each class end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlops_ray.errors import ColumnError, ManifestError
from mlops_ray.manifest.canonical import from_canonical

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["STRATA_SCHEMA", "Strata", "plain_column", "strata_from_bytes"]

STRATA_SCHEMA: Final = "mlops-ray/strata/v1"
_TYPES: Final = {"integer": pa.int64(), "string": pa.string(), "boolean": pa.bool_()}


@dataclass(frozen=True, slots=True)
class Strata:
    """The bounds of each class.

    Attributes:
        dtype: Logical type of the target.
        classes: Its values; None for the rows without one.
        ends: Of each class the hashes where test and where valid ends.
    """

    dtype: str
    classes: tuple[Any, ...]
    ends: tuple[tuple[int, int], ...]

    def of_rows(self, target: pa.ChunkedArray) -> NDArray[np.uint64]:
        """The two bounds of each row, shape ``(2, n_rows)``.

        Raises:
            ColumnError: A row's class was not seen when the bounds were found.
        """
        places = pc.index_in(plain_column(target), value_set=self._values())
        if places.null_count:
            got = f"{places.null_count} rows of other classes"
            raise ColumnError("the split was stratified for other classes", got)
        ends = np.array(self.ends, dtype=np.uint64).reshape(-1, 2)
        bounds: NDArray[np.uint64] = ends[places.to_numpy()].T
        return bounds

    def to_json(self) -> dict[str, Any]:
        """As plain JSON, for `from_json`."""
        ends = [[f"{end:016x}" for end in pair] for pair in self.ends]
        classes = list(self.classes)
        return {"schema": STRATA_SCHEMA, "dtype": self.dtype, "classes": classes, "ends": ends}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """The inverse of `to_json`; large integers come back from canonical JSON as strings.

        Raises:
            ManifestError: The value is something else.
        """
        if value.get("schema") != STRATA_SCHEMA:
            raise ManifestError("not the bounds of strata", wanted=STRATA_SCHEMA)
        is_integer = value["dtype"] == "integer"
        classes = tuple(int(i) if is_integer and i is not None else i for i in value["classes"])
        ends = tuple((int(first, 16), int(second, 16)) for first, second in value["ends"])
        return cls(value["dtype"], classes, ends)

    def _values(self) -> pa.Array:
        return pa.array(self.classes, _TYPES[self.dtype])


def strata_from_bytes(data: bytes) -> Strata:
    """What a run keeps of its strata: the canonical JSON of `Strata.to_json`."""
    return Strata.from_json(from_canonical(data))


def plain_column(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column without dictionary encoding."""
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
