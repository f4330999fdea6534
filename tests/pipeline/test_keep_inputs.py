"""`data snapshot`: exact copies in the store, which neither a change nor a collection takes."""

from __future__ import annotations

import json

import pytest

from mlops_ray import Pipeline, Records
from mlops_ray.errors import SourceError
from mlops_ray.manifest import InputFacts, from_canonical
from mlops_ray.pipeline.recorded_inputs import place_inputs
from mlops_ray.storage import ObjectStore, digest

ROWS = b"id,area,price\n1,2.5,3.5\n2,1.5,2.5\n"
CONFIG = {
    "version": 1,
    "name": "homes",
    "objective": {"metric": "rmse"},
    "data": {"source": "rows", "task": "regression", "target": "price", "key": ["id"]},
    "split": {"test": {"share": 0.2}, "valid": {"share": 0.2}},
    "features": [{"columns": ["area"]}],
    "model": {"family": "linear"},
    "store": {"copy_inputs_below": 0},
}


@pytest.fixture
def pipeline(tmp_path):
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / "x.csv").write_bytes(ROWS)
    (tmp_path / "p.yaml").write_text(json.dumps(CONFIG))
    return Pipeline(tmp_path / "p.yaml", store=tmp_path / "store", registry=tmp_path / "r.db")


def test_the_inputs_are_copied_whatever_their_size_and_the_list_names_them(pipeline):
    kept = pipeline.snapshot()

    store = pipeline.records.workspace.store
    (file,) = kept.inputs
    assert (file.name, file.sha256) == ("x.csv", digest(ROWS))
    assert store.get(file.sha256) == ROWS
    listed = from_canonical(store.get(kept.snapshot))
    assert listed["schema"] == "mlops-ray/snapshot/v1"
    assert listed["files"] == [{"path": "x.csv", "sha256": file.sha256, "size": len(ROWS)}]
    assert kept.to_json()["inputs"][0]["sha256"] == file.sha256
    assert kept.to_json()["source"] == "rows"
    assert pipeline.snapshot() == kept


def test_no_collection_takes_them_and_a_check_misses_them(pipeline, tmp_path):
    kept = pipeline.snapshot()
    store = pipeline.records.workspace.store
    with store.lease() as leased:
        garbage = leased.put(b"nobody needs this")
    records = Records(tmp_path, store=tmp_path / "store", registry=tmp_path / "r.db")

    records.collect_garbage()

    assert not store.has(garbage)
    assert store.get(kept.inputs[0].sha256) == ROWS
    assert records.verify_store().is_ok
    store.path(kept.inputs[0].sha256).unlink()
    problems = records.verify_store().problems
    assert [problem.object for problem in problems] == [kept.inputs[0].sha256]


def test_a_recorded_run_finds_its_inputs_without_the_files(pipeline, tmp_path, spec):
    facts = InputFacts(name="x.csv", format="csv", sha256=digest(ROWS), size_bytes=len(ROWS))
    asked = spec.model_copy(update={"data": spec.data.model_copy(update={"inputs": [facts]})})
    store, target = pipeline.records.workspace.store, ObjectStore(tmp_path / "target")
    with pytest.raises(SourceError, match=r"x\.csv: .*not in the store"):
        place_inputs(asked, store, target, None)

    pipeline.snapshot()
    (tmp_path / "rows" / "x.csv").unlink()

    assert place_inputs(asked, store, target, None) == {"x.csv": str(target.path(digest(ROWS)))}
