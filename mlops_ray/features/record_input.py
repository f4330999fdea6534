"""Decoding records (parsed JSON) into the blocks that the kernels work on; no Arrow, no pandas."""

from __future__ import annotations

import math
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final, NoReturn

import numpy as np

from mlops_ray.errors import RecordError, Where
from mlops_ray.features.kernels import Blocks
from mlops_ray.features.state import NumberInput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence, Set

    from mlops_ray.data.schema import LogicalType
    from mlops_ray.features.state import CategoryInput, FeatureInput

__all__ = ["blocks_of_columns", "columns_of_records"]

_PYTHON_TYPES: Final[dict[LogicalType, frozenset[type]]] = {
    "float": frozenset({float, int}),
    "integer": frozenset({int, float}),  # A float has to be whole.
    "boolean": frozenset({bool}),
    "string": frozenset({str}),
}
_NAMES: Final[dict[LogicalType, str]] = {
    "float": "a number or null",
    "integer": "an integer or null",
    "boolean": "true, false or null",
    "string": "a text or null",
}


def columns_of_records(
    inputs: Sequence[FeatureInput], records: Sequence[Mapping[str, Any]]
) -> dict[str, list[Any]]:
    """Records turned into columns; every record has all fields, and no other.

    Raises:
        RecordError: A field is missing or unknown; names record and field.
    """
    fields = {item.column for item in inputs}
    for row, record in enumerate(records):
        if not hasattr(record, "keys"):
            raise RecordError(f"record {row} is not an object", type(record).__name__, "fields")
        if record.keys() != fields:
            _refuse_fields(fields, record.keys(), f"record {row}")
    return {item.column: [record[item.column] for record in records] for item in inputs}


def blocks_of_columns(
    inputs: Sequence[FeatureInput], columns: Mapping[str, Sequence[Any]]
) -> Blocks:
    """Blocks of columns of Python values; None is a missing value.

    Raises:
        RecordError: A column is missing, unknown or shorter than others, or a value has another
            type, is NaN or infinite; names row and field.
    """
    fields = {item.column for item in inputs}
    if columns.keys() != fields:
        _refuse_fields(fields, columns.keys(), "the request")
    n_rows = len(columns[inputs[0].column])
    numbers, codes = [], []
    for item in inputs:
        values = columns[item.column]
        if len(values) != n_rows:
            got = f"{len(values)} values"
            raise RecordError("columns differ in length", got, str(n_rows), "", _at(item))
        _check_types(item, values)
        if isinstance(item, NumberInput):
            numbers.append(_numbers(item, values))
        else:
            codes.append(_codes(item, values))
    return Blocks(
        np.array(numbers, dtype=np.float64).reshape(len(numbers), n_rows),
        np.array(codes, dtype=np.int32).reshape(len(codes), n_rows),
    )


def _check_types(item: FeatureInput, values: Sequence[Any]) -> None:
    accepted = _PYTHON_TYPES[item.dtype]
    for row, value in enumerate(values):
        kind = type(value)
        if value is not None and kind not in accepted:
            _refuse(item, row, f"a value of type {kind.__name__}")
        if kind is float:
            if not math.isfinite(value):
                _refuse(item, row, "NaN or infinity", "use null for a missing value")
            if item.dtype == "integer" and not value.is_integer():
                _refuse(item, row, "a number that is not whole")


def _numbers(item: NumberInput, values: Sequence[Any]) -> list[float]:
    numbers = []
    for row, value in enumerate(values):
        try:
            # Adding 0.0 makes -0.0 the same as 0.0.
            numbers.append(math.nan if value is None else float(value) + 0.0)
        except OverflowError:
            _refuse(item, row, "an integer beyond the range of float64")
    return numbers


def _codes(item: CategoryInput, values: Sequence[Any]) -> list[int]:
    position = {category: at for at, category in enumerate(item.categories)}
    return [-1 if value is None else position.get(value, -1) for value in values]


def _refuse_fields(wanted: Set[str], given: Set[str], what: str) -> NoReturn:
    missing = sorted(wanted - given)
    if missing:
        hint = "send null where a value is missing"
        where = Where(key=missing[0])
        raise RecordError(f"{what} lacks a field", f"{len(missing)} missing", "", hint, where)
    unknown = sorted(str(name) for name in given - wanted)
    near = get_close_matches(unknown[0], sorted(wanted), n=1)
    # The unknown name is not repeated: it is the caller's text, of any length.
    hint = f"is it {near[0]!r}?" if near else "leave out what is no input of the model"
    raise RecordError(f"{what} has unknown fields", f"{len(unknown)} unknown", "", hint)


def _refuse(item: FeatureInput, row: int, got: str, hint: str = "") -> NoReturn:
    raise RecordError(f"record {row} cannot be used", got, _NAMES[item.dtype], hint, _at(item))


def _at(item: FeatureInput) -> Where:
    return Where(key=item.column)
