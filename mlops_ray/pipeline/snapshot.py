"""Snapshots of what lies in no file: a query, a table of the caller's, a bundled table.

A run reads one Parquet file with a digest, like any other input, so that it can be executed again
when the database has moved on. It is taken once a run, before anything else; who only looks, such
as `plan`, computes the same digest and keeps nothing.
"""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Final, Protocol

from mlops_ray.data.bundled import bundled_table, is_bundled
from mlops_ray.data.parquet_file import read_footer
from mlops_ray.data.rows import Rows, kind_of_table, rows_of
from mlops_ray.data.snapshot_file import write_snapshot
from mlops_ray.data.source import InputFile
from mlops_ray.manifest import canonical_bytes, digest_json, from_canonical
from mlops_ray.storage import hex_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from typing import IO

    import pyarrow as pa

    from mlops_ray.config.model import SourceConfig
    from mlops_ray.storage import ObjectStore

__all__ = ["Snapshot", "snapshot_of", "source_text"]

_MADE_BY: Final = ("mlops-ray", "pyarrow", "scikit-learn")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A table that came from no file.

    Attributes:
        file: Its Parquet file; an object of the store if it was kept.
        schema: Arrow schema of the file.
    """

    file: InputFile
    schema: pa.Schema


def source_text(source: SourceConfig | None, data: object) -> str:
    """Where rows come from, as given; no secret, since a query names its database by a variable."""
    if data is not None:
        return f"data: {kind_of_table(data)}"
    if source is None:
        return ""
    return source.path or f"sql: {source.sql} (url in {source.url_env})"


def snapshot_of(
    source: SourceConfig | None, data: object, store: ObjectStore, *, keep: bool
) -> Snapshot | None:
    """The snapshot of a source without files; None for a source with files.

    Args:
        source: As declared.
        data: A table that the caller gave instead, or None.
        store: May hold the snapshot of a bundled table already.
        keep: Whether to put it into the store; else only its digest is computed.

    Raises:
        DataError: The rows cannot be had, or not be written as they are.
        ConfigError: `data` is no table, or the database is not named as it should be.
        StoreError: The store cannot be written.
    """
    if data is not None:
        return _taken("table.parquet", _Given(data), store, keep=keep)
    if source is None:
        return None
    if source.sql is not None:
        return _taken("query.parquet", _Query(source), store, keep=keep)
    if is_bundled(source.path):
        return _bundled(str(source.path), store, keep=keep)
    return None


class _Opener(Protocol):
    """Rows that can be read as long as a block runs."""

    def __call__(self) -> AbstractContextManager[Rows]: ...


@dataclass(frozen=True)
class _Given:
    data: object

    @contextmanager
    def __call__(self) -> Iterator[Rows]:
        yield rows_of(self.data)


@dataclass(frozen=True)
class _Query:
    source: SourceConfig

    def __call__(self) -> AbstractContextManager[Rows]:
        from mlops_ray.data.sql import sql_rows  # noqa: PLC0415 - only a query needs SQLAlchemy

        return sql_rows(str(self.source.sql), str(self.source.url_env))


def _taken(name: str, opened: _Opener, store: ObjectStore, *, keep: bool) -> Snapshot:
    schemas: list[pa.Schema] = []

    def write(sink: IO[bytes]) -> None:
        with opened() as rows:
            schemas.append(write_snapshot(rows, sink))

    if keep:
        digest = store.put_written(write)
        size_bytes = store.size_bytes(digest)
    else:
        digester = _Digester()
        write(digester)  # type: ignore[arg-type]  # All that a writer of Parquet asks of a file.
        digest, size_bytes = digester.digest, digester.tell()
    file = InputFile(name, store.path(digest), "parquet", size_bytes, digest)
    return Snapshot(file, schemas[0])


def _bundled(source: str, store: ObjectStore, *, keep: bool) -> Snapshot:
    """Made once a version of scikit-learn, then found in the store."""
    name = f"{source.partition(':')[2]}.parquet"
    record = store.read_record(_key(source))
    if record is not None:
        digest = str(from_canonical(record)["snapshot"])
        if store.hold(digest) if keep else store.has(digest) and store.is_whole(digest):
            schema, _ = read_footer(store.verified_path(digest), name)
            path, size_bytes = store.path(digest), store.size_bytes(digest)
            return Snapshot(InputFile(name, path, "parquet", size_bytes, digest), schema)
    found = _taken(name, _Given(bundled_table(source)), store, keep=keep)
    if keep:
        store.write_record(_key(source), canonical_bytes({"snapshot": found.file.sha256}))
    return found


def _key(source: str) -> str:
    made_by = {name: version(name) for name in _MADE_BY}
    about = digest_json({"schema": "mlops-ray/snapshot-key/v1", "source": source, "by": made_by})
    return f"snapshots/key-{hex_of(about)}.json"


class _Digester:
    """A file whose bytes are counted and digested, and kept nowhere."""

    closed = False

    def __init__(self) -> None:
        self._sha256, self._n_bytes = hashlib.sha256(), 0

    @property
    def digest(self) -> str:
        return f"sha256:{self._sha256.hexdigest()}"

    def write(self, data: bytes) -> int:
        self._sha256.update(data)
        self._n_bytes += len(data)
        return len(data)

    def tell(self) -> int:
        return self._n_bytes

    def flush(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """Nothing is open."""

    def writable(self) -> bool:
        return True
