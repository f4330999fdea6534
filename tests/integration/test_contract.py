"""A run under a data contract: what a rule rejects, and what it sets aside."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from mlops_ray.errors import GateError, ManifestError

pytestmark = pytest.mark.ray

BAD = [3, 77, 200, 201, 300]


@pytest.fixture
def dirty(binary, tables):
    """The table of the binary case with five rows whose area is no area, and their parts."""
    table = tables.changed(binary.table, "area", BAD, [-50.0, -60.0, -70.0, -80.0, -90.0])
    parts, counts = np.unique(tables.parts_of(table, binary.config)[BAD], return_counts=True)
    return table, dict(zip(parts.tolist(), counts.tolist(), strict=True))


def _under(config, on_violation, **more):
    rules = {"columns": {"area": {"range": {"min": -40, "on_violation": on_violation}}}, **more}
    return {**config, "data": {**config["data"], "contract": rules}}


def _without_the_loss(result):
    content = result.to_json()
    del content["contract"]
    for stage in content["stages"]:
        stage["outputs"].pop("contract", None)
    return content


def test_rows_set_aside_give_the_result_of_the_table_without_them(binary, bench, dirty, fits_here):
    table, parts = dirty
    kept = np.ones(table.num_rows, dtype=bool)
    kept[BAD] = False
    config = _under(binary.config, "quarantine", unique=[["id"]])

    loss = bench.run(config, table)
    bench.write(table.filter(pa.array(kept)))
    with fits_here():
        clean = bench.pipeline(config, bench.fresh_store()).run()

    first, second = loss.run.result, clean.result
    assert _without_the_loss(first) == _without_the_loss(second)
    assert first.digest != second.digest
    assert first.data.n_rows == table.num_rows - len(BAD)
    assert dict(first.contract.set_aside) == parts
    (rule,) = first.contract.quarantined
    assert rule.rule == "columns.area.range"
    assert {part: n for part, n in rule.counts.items() if n} == parts
    assert (first.contract.verdict, second.contract.verdict) == ("WARN", "PASS")
    assert loss.project.verify().is_ok
    assert loss.run.model is not None


def test_a_broken_rule_rejects_the_run_and_names_what_broke_it(binary, bench, dirty, fits_here):
    table, parts = dirty
    bench.write(table)
    pipeline = bench.pipeline(_under(binary.config, "fail"), bench.fresh_store())

    with fits_here():
        run = pipeline.run()
        again = pipeline.run()
        assert pipeline.project.versions() == []
        warned = bench.pipeline(
            _under(binary.config, "warn"), pipeline.records.workspace.store_root
        ).run()

    assert (run.state, run.result, run.model) == ("rejected", None, None)
    error = run.envelope.error
    assert error.code == "contract"
    assert "gate data_valid" in error.message
    counts = ", ".join(f"{part} {parts.get(part, 0)}" for part in ("train", "valid", "test"))
    assert f"columns.area.range (area): 5 of 420 rows; wanted at least -40; rows: {counts}" in (
        error.message
    )
    ids = [table["id"][row].as_py() for row in BAD]
    assert all(f"id={i}: area=-" in error.message for i in ids)
    assert [stage.cache for stage in again.envelope.stages] == ["hit", "hit"]
    assert again.to_json()["contract"] == run.to_json()["contract"]
    assert run.to_json()["contract"]["verdict"] == "FAIL"
    project = pipeline.project
    assert project.verify(run.run_id).is_ok
    with pytest.raises(GateError):
        project.register(run.run_id)
    with pytest.raises(ManifestError, match="no result"):
        project.reproduce(run.run_id)

    assert warned.state == "sealed"
    assert warned.result.contract.verdict == "WARN"
    assert project.diff(run.run_id, warned.run_id).differs["config"].keys() == {
        "data.contract.columns.area.range.on_violation"
    }


def test_a_column_of_another_type_is_rejected_by_its_rule_before_the_run(binary, bench):
    table = binary.table
    texts = pa.array([f"{area} m2" for area in table["area"].to_pylist()])
    bench.write(table.set_column(table.column_names.index("area"), "area", texts))
    config = _under(binary.config, "fail")
    config["data"]["contract"]["columns"]["area"]["type"] = "float"

    pipeline = bench.pipeline(config, bench.fresh_store())

    with pytest.raises(Exception, match=r"columns.area.type \(area\): type string") as caught:
        pipeline.run()
    assert caught.value.code == "contract"
    assert pipeline.records.runs() == []
