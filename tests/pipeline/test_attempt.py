"""`mlops_ray.pipeline.attempt`: what a record says of an error holds no absolute path."""

import pytest

from mlops_ray.pipeline.attempt import _without_paths


@pytest.mark.parametrize(
    ("message", "kept"),
    [
        (
            "cannot write x: No space left in /mnt/ann/store/objects",
            "cannot write x: No space left in objects",
        ),
        ("got '/home/ann/data/2015.parquet', wanted", "got '2015.parquet', wanted"),
        (
            "../shared/data/x.csv: 3/4 rows, and/or more",
            "../shared/data/x.csv: 3/4 rows, and/or more",
        ),
        ("s3://bucket/key stays", "s3://bucket/key stays"),
    ],
)
def test_of_an_absolute_path_only_the_name_is_kept(message: str, kept: str) -> None:
    assert _without_paths(message) == kept
