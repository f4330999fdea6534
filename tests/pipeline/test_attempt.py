"""`mlops_ray.pipeline.attempt`: what a record says of an error holds no absolute path."""

import pytest

from mlops_ray.manifest import GateFacts
from mlops_ray.pipeline.attempt import _fit_for_record, _shortfall


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
    assert _fit_for_record(message) == kept


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (0.73, "log_loss is 0.73 where its gate wants <= 0.0001"),
        (None, "log_loss has no value where its gate wants <= 0.0001"),
    ],
)
def test_a_missed_gate_is_one_sentence(value: float | None, sentence: str) -> None:
    verdict = "UNKNOWN" if value is None else "FAIL"
    gate = GateFacts(
        metric="log_loss",
        comparator="<=",
        threshold=1e-4,
        value=value,
        verdict=verdict,
        evidence="sha256:" + "0" * 64,
    )

    assert _shortfall(gate) == sentence
