"""Decoding records (parsed JSON) into the blocks that the program works on; no Arrow, no pandas."""

from __future__ import annotations

import math
from datetime import date, datetime
from difflib import get_close_matches
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, NoReturn

import numpy as np

from mlops_ray.errors import RecordError, Where
from mlops_ray.features.codes import CalendarField, read_time
from mlops_ray.features.program import Blocks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence, Set

    from numpy.typing import NDArray

    from mlops_ray.data.schema import LogicalType, Schema
    from mlops_ray.features.program import Program

__all__ = ["RecordDecoder"]

_PYTHON_TYPES: Final[dict[LogicalType, frozenset[type]]] = {
    "float": frozenset({float, int}),
    "integer": frozenset({int, float}),  # A float has to be whole.
    "boolean": frozenset({bool}),
    "string": frozenset({str}),
    "timestamp": frozenset({str, datetime}),
    "date": frozenset({str, date}),
}
_NAMES: Final[dict[LogicalType, str]] = {
    "float": "a number or null",
    "integer": "an integer or null",
    "boolean": "true, false or null",
    "string": "a text or null",
    "timestamp": "a time in ISO 8601 or null",
    "date": "a date in ISO 8601 or null",
}
_MAX_SIGNATURES: Final = 4096  # Of types seen; bounds what a client can make us remember.


class RecordDecoder:
    """Turns records into blocks; everything that does not depend on values is done before.

    Numbers come first among a record's values. Rows whose types were seen before, and are plain,
    are not looked at value by value.

    Args:
        program: What the blocks are for.
        inputs: Input columns and their logical types.
    """

    def __init__(self, program: Program, inputs: Schema) -> None:
        numbers = [name for name, _, _ in program.number_columns]
        others = [name for name in inputs if name not in numbers]
        self._names = [*numbers, *others]
        self._dtypes = [inputs[name] for name in self._names]
        self._fields = frozenset(self._names)
        self._n_numbers = len(numbers)
        self._n_coders = len(program.coders)
        self._take: Callable[[Mapping[str, Any]], tuple[Any, ...]] = (
            itemgetter(*self._names)
            if len(self._names) > 1
            else lambda record: (record[self._names[0]],)
        )
        self._lookups, self._times = self._readers(program)
        self._plain_types: dict[tuple[type, ...], bool] = {}

    def _readers(self, program: Program) -> tuple[Any, Any]:
        """How codes are made of a row's values: position and function; for times, functions."""
        lookups: list[Any] = []
        times: dict[int, tuple[Any, list[Any], list[int]]] = {}
        order = []
        for at, coder in enumerate(program.coders):
            position = self._names.index(coder.column)
            if isinstance(coder, CalendarField):
                fields = times.setdefault(position, (coder.dtype, [], []))
                fields[1].append(coder.of_datetime)
                fields[2].append(coder.null)
                order.append((1, position, at))
            else:
                lookups.append((position, coder.code))  # type: ignore[attr-defined]
                order.append((0, 0, at))
        places = [at for _, _, at in sorted(order, key=lambda item: item[:2])]
        # Codes are made in this order; the block wants them in that of the coders.
        self._code_order = None if places == sorted(places) else np.argsort(places)
        return lookups, [(position, *times[position]) for position in sorted(times)]

    def of_records(self, records: Sequence[Mapping[str, Any]]) -> Blocks:
        """Blocks of records; every record has all fields, and no other.

        Raises:
            RecordError: A record does not fit; names record and field.
        """
        take, n_fields, rows = self._take, len(self._names), []
        for at, record in enumerate(records):
            try:
                if len(record) != n_fields:
                    self._refuse_record(at, record)
                rows.append(take(record))
            except (KeyError, TypeError, IndexError):
                self._refuse_record(at, record)
        return self._of_rows(rows)

    def of_columns(self, columns: Mapping[str, Sequence[Any]]) -> Blocks:
        """Blocks of columns of Python values; None is a missing value.

        Raises:
            RecordError: A column is missing, unknown or shorter than others, or a value does not
                fit; names row and field.
        """
        if columns.keys() != self._fields:
            _refuse_fields(self._fields, columns.keys(), "the request")
        values = [columns[name] for name in self._names]
        n_rows = len(values[0])
        for name, column in zip(self._names, values, strict=True):
            if len(column) != n_rows:
                got, where = f"{len(column)} values", Where(key=name)
                raise RecordError("columns differ in length", got, str(n_rows), "", where)
        return self._of_rows(list(zip(*values, strict=True)))

    def _of_rows(self, rows: list[tuple[Any, ...]]) -> Blocks:
        n, plain, any_null = self._n_numbers, self._plain_types, False
        for at, row in enumerate(rows):
            types = tuple(map(type, row))
            has_null = plain.get(types)
            if has_null is None or not _is_finite(row[:n], has_null=has_null):
                has_null = self._check_row(at, row, types)
            any_null |= has_null
        codes = [self._codes(at, row) for at, row in enumerate(rows)]
        numbers = self._numbers(rows)
        if len(rows) == 1:
            block = np.array(codes[0], dtype=np.int32)[:, np.newaxis]
        else:
            block = np.array(codes, dtype=np.int32).reshape(len(rows), self._n_coders).T
        numbers += 0.0  # -0.0 + 0.0 is 0.0; all else stays.
        if self._code_order is not None:
            block = block[self._code_order]
        return Blocks(numbers, block, any_null)

    def _numbers(self, rows: list[tuple[Any, ...]]) -> NDArray[np.float64]:
        n = self._n_numbers
        try:
            if len(rows) == 1:
                return np.array(rows[0][:n], dtype=np.float64)[:, np.newaxis]
            stacked = np.array([row[:n] for row in rows], dtype=np.float64)
        except OverflowError:
            # Integers beyond float64 that add up to less pass for finite.
            for at, row in enumerate(rows):
                self._check_row(at, row, tuple(map(type, row)))
            raise
        return np.ascontiguousarray(stacked.reshape(len(rows), n).T)

    def _codes(self, at: int, row: tuple[Any, ...]) -> list[int]:
        codes = [code(row[position]) for position, code in self._lookups]
        for position, dtype, fields, nulls in self._times:
            value = row[position]
            if value is None:
                codes += nulls
                continue
            try:
                time = read_time(value, dtype)
            except ValueError:
                self._refuse(at, position, "a text that is none")
            codes += [field(time) for field in fields]
        return codes

    def _check_row(self, at: int, row: tuple[Any, ...], types: tuple[type, ...]) -> bool:
        """Look at each value; remember the types if they need no second look.

        Returns:
            Whether a number is missing.
        """
        plain, has_null = True, None in row[: self._n_numbers]
        for position, (value, kind) in enumerate(zip(row, types, strict=True)):
            dtype = self._dtypes[position]
            if value is None:
                continue
            if kind not in _PYTHON_TYPES[dtype]:
                self._refuse(at, position, f"a value of type {kind.__name__}")
            if kind is float:
                plain &= dtype != "integer"
                self._check_float(at, position, value)
            elif kind is int and position < self._n_numbers:
                self._check_integer(at, position, value)
        if plain and len(self._plain_types) < _MAX_SIGNATURES:
            self._plain_types[types] = has_null
        return has_null

    def _check_float(self, at: int, position: int, value: float) -> None:
        if not math.isfinite(value):
            self._refuse(at, position, "NaN or infinity", "use null for a missing value")
        if self._dtypes[position] == "integer" and not value.is_integer():
            self._refuse(at, position, "a number that is not whole")

    def _check_integer(self, at: int, position: int, value: int) -> None:
        try:
            float(value)
        except OverflowError:
            self._refuse(at, position, "an integer beyond the range of float64")

    def _refuse(self, row: int, position: int, got: str, hint: str = "") -> NoReturn:
        wanted, where = _NAMES[self._dtypes[position]], Where(key=self._names[position])
        raise RecordError(f"record {row} cannot be used", got, wanted, hint, where)

    def _refuse_record(self, at: int, record: Any) -> NoReturn:  # noqa: ANN401 - not a record
        if not hasattr(record, "keys"):
            raise RecordError(f"record {at} is not an object", type(record).__name__, "fields")
        _refuse_fields(self._fields, record.keys(), f"record {at}")


def _is_finite(numbers: tuple[Any, ...], *, has_null: bool) -> bool:
    """Whether all numbers surely are; a sum beyond float64 says nothing."""
    try:
        return math.isfinite(sum(x for x in numbers if x is not None) if has_null else sum(numbers))
    except OverflowError:
        return False


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
