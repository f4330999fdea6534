import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlops_ray.data.quarantine import (
    find_bad_files,
    quarantine_from_bytes,
    quarantine_to_bytes,
    shared_schema,
)
from mlops_ray.data.source import FoundFile
from mlops_ray.data.unit_map import map_in_process
from mlops_ray.errors import ManifestError, SourceError


@pytest.fixture
def files(tmp_path):
    found = []
    for at in range(6):
        path = tmp_path / f"p{at}.parquet"
        table = pa.table({"x": [at + n / 7 for n in range(500)], "n": range(500)})
        pq.write_table(table, path, write_page_checksum=True, compression="none")
        found.append(FoundFile(path.name, path, "parquet", path.stat().st_size))
    return found


def found(files, schema=None, casts=None):
    schema = schema or shared_schema(files)
    bad = find_bad_files(files, schema, casts or {}, map_in_process)
    return [(file.name, file.reason, file.n_rows) for file in bad]


def test_each_kind_of_bad_file_is_found_with_its_reason_and_rows(files):
    assert found(files) == []

    pq.write_table(pa.table({"x": [1], "n": [2]}), files[0].path)
    files[1].path.write_bytes(files[1].path.read_bytes()[:-50])
    content = bytearray(files[2].path.read_bytes())
    content[2000] ^= 1
    files[2].path.write_bytes(content)
    pq.write_table(pa.table({"n": [2, 3]}), files[3].path)

    assert found(files) == [
        ("p0.parquet", "files disagree on a column's type: x", 1),
        ("p1.parquet", "cannot read the Parquet file", None),
        ("p2.parquet", "cannot read the Parquet file", 500),
        ("p3.parquet", "files disagree on their columns: x", 2),
    ]


def test_what_most_files_have_decides_and_not_the_first(files):
    pq.write_table(pa.table({"x": ["a"], "n": [2]}), files[0].path)

    assert shared_schema(files) == {"x": "float", "n": "integer"}


def test_a_declared_cast_makes_a_file_fit(files):
    pq.write_table(pa.table({"x": [1], "n": [2]}), files[0].path)

    assert found(files, shared_schema(files, {"x": "float"}), {"x": "float"}) == []


def test_a_column_that_the_run_does_not_read_does_not_matter(files):
    pq.write_table(pa.table({"x": [1.5], "other": [2]}), files[0].path)

    assert found(files, {"x": "float"}) == []


def test_if_no_file_can_be_read_nothing_is_left_out(files):
    for file in files:
        file.path.write_bytes(b"PAR1")
    with pytest.raises(SourceError, match="cannot read the Parquet file"):
        shared_schema(files)
    with pytest.raises(SourceError, match="no input file can be read"):
        find_bad_files(files, {"x": "float"}, {}, map_in_process)


def test_what_is_written_is_read_back(files):
    files[1].path.write_bytes(b"")
    bad = find_bad_files(files, {"x": "float"}, {}, map_in_process)

    assert quarantine_from_bytes(quarantine_to_bytes(bad)) == bad
    with pytest.raises(ManifestError):
        quarantine_from_bytes(b"{}")
