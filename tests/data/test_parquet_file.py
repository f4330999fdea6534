import io
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlops_ray.data.parquet_file import read_footer, read_row_group
from mlops_ray.errors import SourceError


def test_a_row_group_reads_back_as_written(tmp_path):
    table = pa.table({"x": [1.5, None], "s": ["a", "b"], "l": [[1], None]})
    path = tmp_path / "object-without-suffix"
    pq.write_table(table, path, row_group_size=1)

    schema, n_row_groups = read_footer(path, "t")
    groups = [read_row_group(path, "t", at, ["s", "x", "l"], ["s"]) for at in range(n_row_groups)]

    assert (schema.names, n_row_groups) == (["x", "s", "l"], 2)
    assert pa.types.is_dictionary(groups[0].schema.field("s").type)
    read = [row for group in groups for row in group.to_pylist()]
    assert read == table.select(["s", "x", "l"]).to_pylist()


def test_parquets_own_uuid_is_read_as_its_bytes_and_an_extension_of_arrow_is_refused(tmp_path):
    value = UUID(int=7)
    column = pa.array([value.bytes], pa.uuid())
    plain, extended = tmp_path / "plain.parquet", tmp_path / "extended.parquet"
    pq.write_table(pa.table({"u": column}), plain, store_schema=False)
    pq.write_table(pa.table({"u": column}), extended)

    assert read_footer(plain, "t")[0].field("u").type == pa.binary(16)
    assert read_row_group(plain, "t", 0, ["u"]).to_pylist() == [{"u": value.bytes}]
    with pytest.raises(SourceError, match=r"u: .*extension type"):
        read_footer(extended, "t")
    assert isinstance(pq.read_table(io.BytesIO(plain.read_bytes())).column("u")[0].as_py(), UUID)
