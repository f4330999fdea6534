"""Examples of a feature set: records, and what the set has to make of them, by every way in."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias

import numpy as np
import pyarrow as pa

from mlops_ray.errors import ColumnError, MlopsRayError, RecordError, Where
from mlops_ray.features.codes import read_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from mlops_ray.data.schema import LogicalType, Schema
    from mlops_ray.features.compiled import CompiledTransform

__all__ = ["Difference", "Example", "Golden", "differences", "table_of_records"]

TOLERANCE: Final = 1e-6
# Odd sizes around the blocks in which vectorised loops work.
_COMPANY_SIZES: Final = (2, 7, 31, 257)
_Ask: TypeAlias = "Callable[[Sequence[dict[str, Any]]], NDArray[np.float32]]"
_ARROW: Final[dict[LogicalType, pa.DataType]] = {
    "float": pa.float64(),
    "integer": pa.int64(),
    "boolean": pa.bool_(),
    "string": pa.string(),
    "timestamp": pa.timestamp("us"),
    "date": pa.date32(),
}


@dataclass(frozen=True, slots=True)
class Example:
    """A record and some of its features, as somebody declared them.

    Attributes:
        record: Every input of the set; None is a missing value.
        outputs: Name of a feature -> its value; None where it has none.
        tolerance: How far a feature may lie from its value, relative to that; at 0 it has to be the
            32-bit float nearest to the value.
    """

    record: dict[str, Any]
    outputs: dict[str, float | None]
    tolerance: float = TOLERANCE

    def to_text(self) -> str:
        """As JSON; as text, since canonical JSON turns 2**60 into a string and -0.0 into 0."""
        content = {"record": self.record, "outputs": self.outputs, "tolerance": self.tolerance}
        return _json(content)

    @classmethod
    def from_text(cls, text: str) -> Self:
        """The inverse of `to_text`."""
        return cls(**json.loads(text))


@dataclass(frozen=True, slots=True)
class Golden:
    """Made-up records with exact features.

    Attributes:
        records: The records.
        features: A row each.
    """

    records: tuple[dict[str, Any], ...]
    features: tuple[tuple[float, ...], ...]

    @classmethod
    def of(cls, transform: CompiledTransform, records: Sequence[dict[str, Any]]) -> Self:
        """Records with what a transform makes of them now."""
        rows = transform.from_records(records).tolist() if records else []
        return cls(tuple(records), tuple(map(tuple, rows)))

    def to_json(self) -> dict[str, Any]:
        """Features as hexadecimal floats, so every bit is there."""
        features = [[value.hex() for value in row] for row in self.features]
        return {"records": [_json(record) for record in self.records], "features": features}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`."""
        records = tuple(json.loads(record) for record in content["records"])
        features = (tuple(map(float.fromhex, row)) for row in content["features"])
        return cls(records, tuple(features))


@dataclass(frozen=True, slots=True)
class Difference:
    """An example that does not hold.

    Attributes:
        example: ``examples.0`` or ``golden.3``.
        output: Name of the feature; empty where the record cannot be used at all.
        way: How it was asked, such as ``json alone`` or ``arrow among 31``.
        got: What came out.
        wanted: What should have.
    """

    example: str
    output: str
    way: str
    got: str
    wanted: str


def differences(
    transform: CompiledTransform, examples: Sequence[Example], golden: Golden
) -> list[Difference]:
    """Where examples do not hold, or change with the way they are asked.

    Each record goes through both front ends, alone and in several companies. The way may not change
    a bit; declared values hold within their tolerance, golden ones to the bit.
    """
    named = [(f"examples.{at}", example.record) for at, example in enumerate(examples)]
    named += [(f"golden.{at}", record) for at, record in enumerate(golden.records)]
    found: list[Difference] = []
    usable: dict[str, tuple[dict[str, Any], NDArray[np.float32]]] = {}
    for name, record in named:
        try:
            usable[name] = record, transform.from_records([record])[0]
        except (RecordError, ColumnError) as error:
            found.append(Difference(name, "", "json alone", str(error), "features"))
    outputs = transform.state.outputs
    for at, example in enumerate(examples):
        if (name := f"examples.{at}") in usable:
            found += _declared(name, example, outputs, usable[name][1])
    for at, wanted in enumerate(golden.features):
        if (name := f"golden.{at}") in usable:
            row = np.array(wanted, dtype=np.float32)
            found += _unequal(name, outputs, "json alone", usable[name][1], row)
    return list(dict.fromkeys([*found, *_of_ways(transform, usable)]))


def table_of_records(records: Sequence[Mapping[str, Any]], inputs: Schema) -> pa.Table:
    """Records as the Arrow table that would hold them.

    Raises:
        RecordError: A value cannot stand in such a table.
    """
    columns: dict[str, pa.Array] = {}
    for name, dtype in inputs.items():
        try:
            values = [_cell(record[name], dtype) for record in records]
            columns[name] = pa.array(values, _ARROW[dtype])
        except (pa.ArrowException, OverflowError, ValueError, TypeError) as error:
            what = f"a value of column {name!r} cannot stand in a table"
            raise RecordError(what, type(error).__name__, dtype, where=Where(key=name)) from None
    return pa.table(columns)


def _cell(value: Any, dtype: LogicalType) -> Any:  # noqa: ANN401 - a cell
    if value is None:
        return None
    if dtype in {"timestamp", "date"}:
        return read_time(value, dtype)
    return {"float": float, "integer": int}.get(dtype, lambda same: same)(value)


def _declared(
    name: str, example: Example, outputs: Sequence[str], row: NDArray[np.float32]
) -> Iterator[Difference]:
    for output, value in example.outputs.items():
        if output not in outputs:
            yield Difference(name, output, "json alone", "no such feature", _shown(value))
            continue
        got = float(row[outputs.index(output)])
        if not _is_near(got, value, example.tolerance):
            yield Difference(name, output, "json alone", _shown(got), _shown(value))


def _is_near(got: float, wanted: float | None, tolerance: float) -> bool:
    if wanted is None or math.isnan(got):
        return wanted is None and math.isnan(got)
    nearest = float(np.float32(wanted))
    return got == nearest or abs(got - wanted) <= tolerance * abs(wanted)


def _of_ways(
    transform: CompiledTransform,
    usable: Mapping[str, tuple[dict[str, Any], NDArray[np.float32]]],
) -> Iterator[Difference]:
    """Every other way than a record alone, compared with that."""
    if not usable:
        return
    names, inputs, outputs = list(usable), transform.state.inputs, transform.state.outputs

    def of_table(records: Sequence[dict[str, Any]]) -> NDArray[np.float32]:
        return transform.from_table(table_of_records(records, inputs))

    asks: dict[str, _Ask] = {"json": transform.from_records, "arrow": of_table}
    for kind, ask in asks.items():
        for company in _companies(names):
            way = f"{kind} alone" if len(company) == 1 else f"{kind} among {len(company)}"
            try:
                matrix = ask([usable[name][0] for name in company])
            except MlopsRayError as error:
                yield Difference(company[0], "", way, str(error), "features")
                continue
            for name, row in zip(company, matrix, strict=True):
                yield from _unequal(name, outputs, way, row, usable[name][1])


def _companies(names: Sequence[str]) -> Iterator[list[str]]:
    """Each record alone, then all of them in rows of several lengths, two of each."""
    yield from ([name] for name in names)
    n = len(names)
    for size in _COMPANY_SIZES:
        for start in (0, n // 2):
            yield [names[(start + at) % n] for at in range(size)]


def _unequal(
    name: str,
    outputs: Sequence[str],
    way: str,
    got: NDArray[np.float32],
    wanted: NDArray[np.float32],
) -> Iterator[Difference]:
    if got.shape != wanted.shape:
        yield Difference(name, "", way, f"{got.size} features", f"{wanted.size} features")
        return
    for at in np.flatnonzero(got.view(np.uint32) != wanted.view(np.uint32)):
        # A NaN is a missing value whatever its bits.
        if not (math.isnan(got[at]) and math.isnan(wanted[at])):
            pair = float(got[at]).hex(), float(wanted[at]).hex()
            yield Difference(name, outputs[int(at)], way, *pair)


def _shown(value: float | None) -> str:
    return "null" if value is None or math.isnan(value) else repr(value)


def _json(value: Any) -> str:  # noqa: ANN401 - any JSON value
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
