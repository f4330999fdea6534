import re

import pytest

from mlops_ray.data.listing import _expression, is_url


@pytest.mark.parametrize(
    ("pattern", "fits", "misses"),
    [
        ("*.parquet", ["a.parquet", ".parquet"], ["b/a.parquet", "a.parquetx"]),
        ("**/*.pq", ["a.pq", "x/y/a.pq"], ["x/a.p"]),
        ("y=*/part-[0-3].csv", ["y=2018/part-2.csv"], ["y=2018/part-4.csv", "y=1/z/part-1.csv"]),
        ("[!a]*", ["b", "bc"], ["a", "ab"]),
        ("x/**", ["x/a", "x/b/c"], ["y/a"]),
    ],
)
def test_a_glob_in_a_bucket_means_what_it_means_in_a_folder(pattern, fits, misses):
    expression = re.compile(_expression(pattern))

    assert [name for name in [*fits, *misses] if expression.fullmatch(name)] == fits


def test_a_url_is_told_from_a_path():
    assert is_url("s3://bucket/x")
    assert not is_url("data/x.parquet")
    assert not is_url("sklearn:iris")
