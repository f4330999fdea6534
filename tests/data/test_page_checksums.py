import io
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlops_ray.data.page_checksums import has_page_checksums
from mlops_ray.data.scan import ScanPlan, scan
from mlops_ray.data.source import FoundFile
from mlops_ray.data.unit import list_units
from mlops_ray.data.unit_map import map_in_process
from mlops_ray.data.unit_schema import read_schema
from mlops_ray.errors import DataError

N_FLIPS = 200
N_ROWS = 1000


def table():
    rng = np.random.default_rng(1)
    return pa.table(
        {
            "x": rng.normal(size=N_ROWS),
            "s": rng.choice(["a", "bb", "ccc"], N_ROWS),
            "n": pa.array([None if n % 9 == 0 else n for n in range(N_ROWS)]),
            "price": pa.array([Decimal(n).scaleb(-2) for n in range(N_ROWS)]),
            "tags": pa.array([None if n % 7 == 0 else ["t"] * (n % 3) for n in range(N_ROWS)]),
            "bytes": pa.array([bytes([n % 256]) for n in range(N_ROWS)]),
        }
    )


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("codec", ["none", "snappy", "zstd"])
@pytest.mark.parametrize("is_written", [True, False])
def test_a_file_says_whether_its_pages_have_checksums(tmp_path, version, codec, is_written):
    path = tmp_path / "a.parquet"
    pq.write_table(
        table(), path, row_group_size=400, compression=codec,
        data_page_version=version, write_page_checksum=is_written,
    )  # fmt: skip

    assert has_page_checksums(path) is is_written


def test_a_file_that_cannot_be_read_has_none(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(table(), path, write_page_checksum=True)
    path.write_bytes(path.read_bytes()[:-9])

    assert not has_page_checksums(path)
    assert not has_page_checksums(tmp_path / "nowhere")


def test_a_file_without_pages_has_none(tmp_path):
    pq.write_table(table().slice(0, 0), tmp_path / "a.parquet", write_page_checksum=True)

    assert not has_page_checksums(tmp_path / "a.parquet")


def outcomes(tmp_path, seed, *, has_checksums, n_flips=N_FLIPS):
    """What 200 flips of a bit each lead to: an error, the same rows, or other rows unnoticed."""
    sink = io.BytesIO()
    pq.write_table(table(), sink, row_group_size=400, write_page_checksum=has_checksums)
    data, rng = sink.getvalue(), np.random.default_rng(seed)
    path = tmp_path / "a.parquet"
    file = FoundFile("a.parquet", path, "parquet", len(data))
    path.write_bytes(data)
    schema = read_schema([file])
    plan = ScanPlan(schema, None)
    expected = scan(list_units([file]), plan, map_in_process).fingerprint
    found = {"error": 0, "same": 0, "other": 0}
    for at in rng.integers(len(data) * 8, size=n_flips):
        flipped = bytearray(data)
        flipped[at // 8] ^= 1 << (at % 8)
        path.write_bytes(flipped)
        try:
            read_schema([file])
            got = scan(list_units([file]), plan, map_in_process).fingerprint
        except DataError:
            found["error"] += 1
        else:
            found["same" if got == expected else "other"] += 1
    return found


@pytest.mark.parametrize("seed", [1, 2])
def test_with_checksums_every_flip_is_found_or_harmless(tmp_path, seed):
    found = outcomes(tmp_path, seed, has_checksums=True)

    assert found["other"] == 0
    assert found["error"] > N_FLIPS / 2


def test_without_them_flips_go_unnoticed(tmp_path):
    assert outcomes(tmp_path, 1, has_checksums=False, n_flips=50)["other"] > 0
