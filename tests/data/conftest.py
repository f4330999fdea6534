"""Small tables on disk that the data tests share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

from mlops_ray.data.source import FoundFile

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

WriteParquet = Callable[..., FoundFile]


@pytest.fixture
def write_parquet(tmp_path: Path) -> WriteParquet:
    """Writes a table below the test's folder and returns it as a found file."""

    def write(name: str, table: pa.Table) -> FoundFile:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, path, write_page_checksum=True)
        return FoundFile(name, path, "parquet", path.stat().st_size)

    return write


@pytest.fixture
def write_csv(tmp_path: Path) -> Callable[[str, str], FoundFile]:
    """Writes a CSV text below the test's folder and returns it as a found file."""

    def write(name: str, text: str) -> FoundFile:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return FoundFile(name, path, "csv", path.stat().st_size)

    return write
