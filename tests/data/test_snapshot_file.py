import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlops_ray.data import snapshot_file
from mlops_ray.data.rows import Rows
from mlops_ray.data.snapshot_file import write_snapshot
from mlops_ray.errors import SourceError


def written(rows):
    sink = io.BytesIO()
    write_snapshot(rows, sink)
    return sink.getvalue()


@pytest.fixture
def small_groups(monkeypatch):
    monkeypatch.setattr(snapshot_file, "_GROUP_ROWS", 100)


@pytest.mark.usefixtures("small_groups")
def test_the_bytes_do_not_tell_how_the_rows_came():
    table = pa.table({"n": range(1050), "s": [f"t{n % 5}" for n in range(1050)]})
    noted = table.replace_schema_metadata({"pandas": "whoever made it"})

    one = written(Rows(table.schema, table.to_batches()))
    many = written(Rows(table.schema, table.to_batches(max_chunksize=33)))
    coded = noted.set_column(1, "s", noted.column("s").dictionary_encode())
    encoded = written(Rows(coded.schema, coded.to_batches(max_chunksize=7)))

    assert one == many == encoded
    file = pq.ParquetFile(io.BytesIO(one), page_checksum_verification=True)
    sizes = [file.metadata.row_group(at).num_rows for at in range(file.num_row_groups)]
    assert sizes == [100] * 10 + [50]
    assert file.read().equals(table)
    assert file.metadata.row_group(0).column(0).compression == "ZSTD"


@pytest.mark.usefixtures("small_groups")
def test_rows_are_taken_group_by_group():
    """No more is taken from the source than what the open row group needs."""
    taken, done = [], []

    class Sink(io.BytesIO):
        def write(self, data):
            done.append(len(taken))
            return super().write(data)

    def batches():
        for at in range(50):
            taken.append(at)
            yield pa.record_batch({"n": range(at * 10, at * 10 + 10)})

    write_snapshot(Rows(pa.schema({"n": pa.int64()}), batches()), Sink())

    assert len(taken) == 50
    assert {10, 20, 30, 40} <= set(done)


def test_a_wide_table_has_smaller_groups(monkeypatch):
    monkeypatch.setattr(snapshot_file, "_GROUP_CELLS", 1000)
    wide = pa.table({f"c{n}": range(30) for n in range(100)})

    file = pq.ParquetFile(io.BytesIO(written(Rows(wide.schema, wide.to_batches()))))

    assert file.metadata.row_group(0).num_rows == 10


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pa.table([[1], [2]], names=["x", "x"]), "x: two columns have one name"),
        (pa.table({"u": pa.array([b"0" * 16], pa.binary(16)).cast(pa.uuid())}), "u: .*extension"),
    ],
)
def test_what_no_run_could_read_is_refused(table, message):
    with pytest.raises(SourceError, match=message):
        written(Rows(table.schema, table.to_batches()))
