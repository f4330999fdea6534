"""Snapshots: the same rows are the same file, kept or only looked at."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlops_ray.config.source import SourceConfig
from mlops_ray.errors import SourceError
from mlops_ray.pipeline.snapshot import snapshot_of, source_text
from mlops_ray.storage import ObjectStore

TABLE = pa.table({"x": [1.5, None], "s": ["a", "b"]})


def test_what_is_looked_at_has_the_digest_of_what_would_be_kept(tmp_path):
    store = ObjectStore(tmp_path / "store")

    looked = snapshot_of(None, TABLE, store, keep=False)
    assert not store.root.exists()
    kept = snapshot_of(None, TABLE, store, keep=True)

    assert looked == kept
    assert store.is_whole(kept.file.sha256)
    assert store.size_bytes(kept.file.sha256) == kept.file.size_bytes
    assert pq.read_table(kept.file.path).equals(TABLE)


def test_a_bundled_table_is_made_once(tmp_path, monkeypatch):
    store, source = ObjectStore(tmp_path / "store"), SourceConfig(path="sklearn:iris")
    looked = snapshot_of(source, None, store, keep=False)
    kept = snapshot_of(source, None, store, keep=True)

    monkeypatch.setattr("mlops_ray.pipeline.snapshot.bundled_table", None)

    assert snapshot_of(source, None, store, keep=True) == kept == looked
    assert snapshot_of(source, None, store, keep=False) == kept


def test_an_unknown_bundled_table_leaves_no_store(tmp_path):
    store = ObjectStore(tmp_path / "store")
    with pytest.raises(SourceError, match="titanic"):
        snapshot_of(SourceConfig(path="sklearn:titanic"), None, store, keep=True)
    assert not store.root.exists()


def test_files_have_no_snapshot_and_every_source_a_text(tmp_path):
    files = SourceConfig(path="data/*.csv")
    query = SourceConfig(sql="SELECT 1", url_env="WAREHOUSE_URL")

    assert snapshot_of(files, None, ObjectStore(tmp_path), keep=True) is None
    assert source_text(files, None) == "data/*.csv"
    assert source_text(query, None) == "sql: SELECT 1 (url in WAREHOUSE_URL)"
    assert source_text(files, TABLE) == "data: pyarrow.Table"
