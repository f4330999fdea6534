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

    schema, sizes = read_footer(path, "t")
    groups = [read_row_group(path, "t", at, ["s", "x", "l"], ["s"]) for at in range(len(sizes))]

    assert (schema.names, [size.n_rows for size in sizes]) == (["x", "s", "l"], [1, 1])
    assert min(size.n_bytes for size in sizes) > 0
    assert pa.types.is_dictionary(groups[0].schema.field("s").type)
    read = [row for group in groups for row in group.to_pylist()]
    assert read == table.select(["s", "x", "l"]).to_pylist()


@pytest.mark.parametrize("encoding", ["DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY"])
def test_texts_that_arrow_makes_no_dictionary_of_are_read(tmp_path, encoding):
    """Writers of version 2 of the format choose these encodings; pyarrow only if told so."""
    table = pa.table({"s": ["ab", None, "ac"], "b": [b"1", b"2", None], "t": ["x", "y", "x"]})
    path = tmp_path / "a.parquet"
    delta = {"s": encoding, "b": encoding}
    pq.write_table(table, path, use_dictionary=["t"], column_encoding=delta)

    read = read_row_group(path, "a.parquet", 0, ["s", "b", "t"], ["s", "b", "t"])

    assert read.to_pylist() == table.to_pylist()
    assert [pa.types.is_dictionary(field.type) for field in read.schema] == [False, False, True]


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


@pytest.mark.parametrize("encoded", [[], ["gone"]])
def test_a_column_that_is_gone_since_it_was_listed_is_named(tmp_path, encoded):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"x": [1]}), path)

    with pytest.raises(SourceError, match=r"a\.parquet: gone: the Parquet file lacks a column"):
        read_row_group(path, "a.parquet", 0, ["x", "gone"], encoded)


def test_a_name_that_is_no_text_is_a_damaged_file(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"column": [1]}), path, store_schema=False)
    path.write_bytes(path.read_bytes().replace(b"column", b"c\xf5lumn"))

    with pytest.raises(SourceError, match=r"a\.parquet: cannot read the Parquet file"):
        read_footer(path, "a.parquet")


def test_counts_of_rows_that_disagree_are_a_damaged_footer(tmp_path):
    """As one flipped bit makes them, at whatever place of the footer it lies."""
    path = tmp_path / "a.parquet"
    table = pa.table({"x": pa.array(range(300), pa.int64())})
    pq.write_table(
        table, path, row_group_size=150, write_page_checksum=True, store_schema=False,
        write_statistics=False,
    )  # fmt: skip
    data = path.read_bytes()
    start = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    messages, rows = set(), set()
    for at in range(8 * start, 8 * (len(data) - 8)):
        flipped = bytearray(data)
        flipped[at // 8] ^= 1 << at % 8
        path.write_bytes(flipped)
        try:
            n_groups = len(read_footer(path, "a")[1])
            rows.add(sum(read_row_group(path, "a", g, ["x"]).num_rows for g in range(n_groups)))
        except SourceError as error:
            messages.add(error.what)

    assert rows == {300}
    assert "the Parquet file's counts of rows disagree" in messages


def test_the_schema_is_made_once_however_many_columns_are_read(tmp_path, monkeypatch):
    path, asked = tmp_path / "wide.parquet", []
    names = [f"c{at}" for at in range(30)]
    pq.write_table(pa.table({name: [1] for name in names}), path)
    made = pq.ParquetFile.schema_arrow.fget
    monkeypatch.setattr(
        pq.ParquetFile, "schema_arrow", property(lambda file: asked.append(1) or made(file))
    )

    assert read_row_group(path, "t", 0, names).column_names == names

    assert len(asked) == 1
