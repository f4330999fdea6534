"""`mlops_ray.pipeline.attempt`: what a record says of an error holds no absolute path."""

import json

import pytest

from mlops_ray.manifest import GateFacts
from mlops_ray.pipeline.attempt import _fit_for_record, _shortfall
from mlops_ray.pipeline.pipeline import Pipeline
from mlops_ray.pipeline.stages import ingest

CONFIG = {
    "version": 1,
    "name": "tiny",
    "objective": {"metric": "rmse"},
    "data": {"source": "rows.csv", "task": "regression", "target": "y", "key": ["id"]},
    "split": {"test": {"share": 0.2}, "valid": {"share": 0.2}},
    "features": [{"columns": ["x"], "steps": ["standardize"]}],
    "model": {"family": "linear"},
}


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


def test_of_what_nobody_foresaw_the_record_tells_the_kind_and_no_value(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").touch()
    rows = "".join(f"{n},{n}.5,{n}\n" for n in range(9))
    (tmp_path / "rows.csv").write_text("id,x,y\n" + rows)
    (tmp_path / "pipeline.yaml").write_text(json.dumps(CONFIG))
    pipeline = Pipeline(tmp_path / "pipeline.yaml", store=tmp_path / "store")

    def fails(_):
        return float("O'Neil 4711")

    monkeypatch.setattr(ingest, "execute", fails)
    with pytest.raises(ValueError, match="4711"):
        pipeline.run()

    error = pipeline.records.run().envelope.error
    assert (error.code, error.message) == (
        "bug",
        "ValueError: could not convert string to float: ...",
    )
    for path in (tmp_path / "store").rglob("*"):
        assert not path.is_file() or b"4711" not in path.read_bytes()
