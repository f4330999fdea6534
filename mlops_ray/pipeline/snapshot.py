"""The snapshot of a bundled table: made once a version of scikit-learn, then found in the store."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

from mlops_ray.data.bundled import bundled_table
from mlops_ray.data.parquet_file import parquet_bytes, read_footer
from mlops_ray.data.schema import schema_of
from mlops_ray.manifest import canonical_bytes, digest_json, from_canonical
from mlops_ray.storage import digest, hex_of

if TYPE_CHECKING:
    from mlops_ray.data.schema import Schema
    from mlops_ray.storage import ObjectStore

__all__ = ["Snapshot", "remember", "snapshot_of"]

_MADE_BY = ("mlops-ray", "pyarrow", "scikit-learn")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A table that came from no file.

    Attributes:
        source: Where it came from, such as ``sklearn:iris``.
        sha256: Digest of its Parquet bytes.
        size_bytes: Their number.
        schema: Logical types of its columns.
        data: The bytes; None where they lie in the store.
    """

    source: str
    sha256: str
    size_bytes: int
    schema: Schema
    data: bytes | None

    @property
    def file_name(self) -> str:
        """Its name as an input file."""
        return f"{self.source.partition(':')[2]}.parquet"

    def to_bytes(self) -> bytes:
        """Its Parquet bytes, made again where they are not at hand."""
        return parquet_bytes(bundled_table(self.source)) if self.data is None else self.data


def snapshot_of(source: str, store: ObjectStore) -> Snapshot:
    """The snapshot of a bundled table, from the store if it was made before.

    Raises:
        SourceError: There is no such table.
    """
    record = store.read_record(_key(source))
    if record is not None:
        name = str(from_canonical(record)["snapshot"])
        if store.is_whole(name):
            arrow, _ = read_footer(store.path(name), source)
            schema = schema_of([(source, arrow)])
            return Snapshot(source, name, store.size_bytes(name), schema, None)
    table = bundled_table(source)
    data = parquet_bytes(table)
    return Snapshot(source, digest(data), len(data), schema_of([(source, table.schema)]), data)


def remember(snapshot: Snapshot, store: ObjectStore) -> None:
    """Note where the snapshot of a table lies, once it is in the store."""
    content = canonical_bytes({"snapshot": snapshot.sha256})
    store.write_record(_key(snapshot.source), content)


def _key(source: str) -> str:
    made_by = {name: version(name) for name in _MADE_BY}
    about = digest_json({"schema": "mlops-ray/snapshot-key/v1", "source": source, "by": made_by})
    return f"snapshots/key-{hex_of(about)}.json"
