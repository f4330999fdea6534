import pyarrow as pa
import pyarrow.parquet as pq

from mlops_ray.data.parquet_file import parquet_bytes, read_footer, read_row_group


def test_the_same_table_gives_the_same_bytes():
    table = pa.table({"x": [1.5, None], "s": ["a", "b"]})

    assert parquet_bytes(table) == parquet_bytes(pa.table(table.to_pydict()))


def test_a_snapshot_reads_back_as_written(tmp_path):
    table = pa.table({"x": [1.5, None], "s": ["a", "b"]})
    path = tmp_path / "object-without-suffix"
    path.write_bytes(parquet_bytes(table))

    schema, n_row_groups = read_footer(path, "t")

    assert (schema.names, n_row_groups) == (["x", "s"], 1)
    assert (
        read_row_group(path, "t", 0, ["s", "x"]).to_pylist() == table.select(["s", "x"]).to_pylist()
    )
    assert pq.read_table(path).equals(table)
