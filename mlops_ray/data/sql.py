"""Rows of a query, streamed from any database that SQLAlchemy speaks to.

The URL, which holds the password, is read from an environment variable and appears nowhere. The
query runs in a transaction that is read-only where the database knows such a thing. PostgreSQL
tells the types of its columns, which are mapped one to one; of other databases the values of the
first rows tell them.

Source: PostgreSQL, ``src/include/catalog/pg_type.dat`` (numbers of types); PEP 249 (description).
"""

from __future__ import annotations

import datetime as dt
import os
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import sqlalchemy
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from mlops_ray.data.rows import Rows
from mlops_ray.errors import ColumnError, ConfigError, SourceError, Where

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["sql_rows"]

_FETCH_ROWS: Final = 2**13
_KEY: Final = "data.source.sql"
_NUMERIC: Final = 1700
_SYNTAX: Final = "42"  # States of a query that is wrong in itself: no value of a row is about.
_QUOTED: Final = re.compile(r"""(?<!\w)(['"]).*(?:\1|$)""")
_POSTGRESQL: Final[dict[int, pa.DataType]] = {
    16: pa.bool_(),
    20: pa.int64(),
    21: pa.int16(),
    23: pa.int32(),
    700: pa.float32(),
    701: pa.float64(),
    18: pa.string(),  # "char"
    19: pa.string(),  # name
    25: pa.string(),
    1042: pa.string(),  # character(n)
    1043: pa.string(),  # varchar
    1082: pa.date32(),
    1114: pa.timestamp("us"),
    1184: pa.timestamp("us", "UTC"),
}


@contextmanager
def sql_rows(query: str, url_env: str) -> Iterator[Rows]:
    """The rows of a query, for as long as the block runs; a bounded number of them is held.

    Args:
        query: One statement that returns rows, handed to the database as it is.
        url_env: Name of the environment variable that holds the SQLAlchemy URL.

    Raises:
        ConfigError: The variable is not set or holds no URL, or its driver is not installed.
        SourceError: The database cannot be reached or refuses the query.
        ColumnError: A column has a type, or a value, that cannot be mapped exactly.
    """
    with _connected(url_env) as connection, _told_failures():
        dialect = connection.dialect.name
        options: dict[str, Any] = {"stream_results": True, "no_parameters": True}
        if dialect == "postgresql":
            options["postgresql_readonly"] = True
        result = connection.execution_options(**options).exec_driver_sql(query)
        if not result.returns_rows:
            wanted = "one statement that returns rows"
            raise SourceError("the query returns no rows", "", wanted, "", Where(key=_KEY))
        yield _rows(result, dialect)


def _engine(url_env: str) -> sqlalchemy.Engine:
    where = Where(key="data.source.url_env")
    url = os.environ.get(url_env)
    if not url:
        hint = "set it to an SQLAlchemy URL, such as postgresql+psycopg://..."
        what = f"the environment variable {url_env} is not set"
        raise ConfigError(what, hint=hint, where=where)
    try:
        return sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool, hide_parameters=True)
    except ModuleNotFoundError as error:
        what = f"the driver that {url_env} asks for is not installed"
        raise ConfigError(what, str(error.name), hint="install it", where=where) from None
    except (ArgumentError, ValueError):
        what = f"the environment variable {url_env} holds no SQLAlchemy URL"
        raise ConfigError(what, hint="dialect+driver://user@host/database", where=where) from None


@contextmanager
def _connected(url_env: str) -> Iterator[sqlalchemy.Connection]:
    engine = _engine(url_env)
    try:
        connection = engine.connect()
    except (SQLAlchemyError, UnicodeError, ValueError) as error:
        # The driver's own words may hold any part of the URL.
        raise SourceError(
            "cannot connect to the database",
            _kind(error),
            hint=f"check the server, and host, user and password in {url_env}",
            where=Where(key="data.source.url_env"),
        ) from None
    try:
        yield connection
    finally:
        connection.invalidate()  # Closed at once, though rows may be left.
        connection.close()
        engine.dispose()


@contextmanager
def _told_failures() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        original = getattr(error, "orig", None)
        said = getattr(getattr(original, "diag", None), "message_primary", None)
        words = _words(original, said or (str(original).splitlines() or [""])[0])
        raise SourceError(
            "the database refuses the query",
            f"{_kind(error)}: {words}" if words else _kind(error),
            hint="run the query by hand",
            where=Where(key=_KEY),
        ) from None


def _words(original: object, said: str) -> str:
    """The driver's words, without what it quotes where that may be a value of the data."""
    names_only = _state(original)[:2] == _SYNTAX or type(original).__module__ == "sqlite3"
    return said if names_only else _QUOTED.sub("...", said)


def _state(original: object) -> str:
    return getattr(original, "sqlstate", None) or getattr(original, "pgcode", None) or ""


def _kind(error: Exception) -> str:
    original = error.orig if isinstance(error, DBAPIError) else None
    state = _state(original)
    return " ".join(filter(None, [type(original or error).__name__, state]))


def _rows(result: sqlalchemy.CursorResult[Any], dialect: str) -> Rows:
    names = list(result.keys())
    description = list(result.cursor.description or ())  # Gone with the last row.
    first = result.fetchmany(_FETCH_ROWS)
    if dialect == "postgresql":
        types = [_postgresql_type(column) for column in description]
        if len(types) != len(names):
            raise SourceError("the driver tells no types", dialect, where=Where(key=_KEY))
    else:
        types = [_shown_type(name, [row[at] for row in first]) for at, name in enumerate(names)]
    schema = pa.schema(list(zip(names, types, strict=True)))
    return Rows(schema, _batches(result, first, schema))


def _batches(
    result: sqlalchemy.CursorResult[Any], first: Sequence[Any], schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    part = first
    while part:
        columns = zip(*part, strict=True)
        arrays = [_array(list(cells), f) for cells, f in zip(columns, schema, strict=True)]
        yield pa.record_batch(arrays, schema=schema)
        part = result.fetchmany(_FETCH_ROWS)


def _array(cells: list[Any], field: pa.Field) -> pa.Array:
    try:
        found = pa.array(cells, field.type)
        # An offset would be dropped, and the time be another one.
        is_naive = pa.types.is_timestamp(field.type) and field.type.tz is None
        if is_naive and any(cell is not None and cell.tzinfo is not None for cell in cells):
            raise pa.ArrowInvalid("a time with a zone")
    except (pa.ArrowException, OverflowError, TypeError, ValueError) as error:
        kinds = sorted({type(cell).__name__ for cell in cells if cell is not None})
        raise ColumnError(
            "a value of the query does not fit its column's type",
            f"values of {' and '.join(kinds)}",
            f"{field.type}, as the database says or the first rows show",
            "cast the column in the query",
            Where(key=field.name),
        ) from error
    return found


def _shown_type(name: str, cells: list[Any]) -> pa.DataType:
    """The type that the first values have together."""
    present = [cell for cell in cells if cell is not None]
    try:
        found = pa.array(present).type if present else pa.null()
    except (pa.ArrowException, OverflowError) as error:
        kinds = " and ".join(sorted({type(cell).__name__ for cell in present}))
        hint = "cast the column in the query"
        what = "the query's column has no one type"
        raise ColumnError(what, kinds, "", hint, Where(key=name)) from error
    if any(isinstance(cell, dt.datetime) and cell.tzinfo is not None for cell in present):
        return pa.timestamp("us", "UTC")
    return found


def _postgresql_type(column: Any) -> pa.DataType:  # noqa: ANN401 - a row of PEP 249's description
    name, code = column[0], column[1]
    if code in _POSTGRESQL:
        return _POSTGRESQL[code]
    if code == _NUMERIC and column[4] is not None:
        precision, scale = column[4], column[5] or 0
        return pa.decimal128(precision, scale) if precision <= 38 else _wide(name, precision, scale)
    what = "numeric without precision" if code == _NUMERIC else f"type number {code}"
    hint = f"cast it in the query, such as {name}::numeric(18, 2), ::float8 or ::text"
    raise ColumnError(
        "the query's column has a type that cannot be mapped exactly",
        what,
        "",
        hint,
        Where(key=name),
    )


def _wide(name: str, precision: int, scale: int) -> pa.DataType:
    if precision <= 76:
        return pa.decimal256(precision, scale)
    raise ColumnError(
        "the query's column has more digits than Arrow can hold",
        f"numeric({precision}, {scale})",
        "at most 76 digits",
        "cast it in the query",
        Where(key=name),
    )
