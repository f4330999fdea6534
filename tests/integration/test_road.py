"""What comes out at the end of the road is right, by independent calculation."""

from __future__ import annotations

import json
from collections import ChainMap

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn import metrics as sk

from mlops_ray.manifest import from_canonical
from mlops_ray.search.trial import read_trial_table

pytestmark = pytest.mark.ray


def _rows(case, tables, part):
    return case.table.filter(pa.array(tables.parts_of(case.table, case.config) == part))


def _document(case, digest):
    return from_canonical(case.project.workspace.store.get(digest))


def test_every_row_is_in_the_part_that_its_key_or_time_tells(case, tables):
    parts = tables.parts_of(case.table, case.config)

    recorded = {name: facts.n_rows for name, facts in case.run.result.split.items()}

    assert recorded == {name: int((parts == name).sum()) for name in ("train", "valid", "test")}
    assert min(recorded.values()) > 50
    if case.config["split"]["test"] == {"time_from": 2018}:
        assert recorded["test"] == np.sum(np.asarray(case.table["year"]) >= 2018)


def test_metrics_are_those_of_sklearn_on_the_test_rows(case, tables):
    test = _rows(case, tables, "test")
    outputs = case.project.predictor(case.run.model_reference).predict_table(test)
    y = np.array(test[case.config["data"]["target"]].to_pylist())

    wanted = {
        "binary": lambda: {
            "roc_auc": sk.roc_auc_score(y == "yes", outputs.probability[:, 1]),
            "accuracy": sk.accuracy_score(y, outputs.label),
        },
        "multiclass": lambda: {
            "accuracy": sk.accuracy_score(y, outputs.label),
            "log_loss": sk.log_loss(y, outputs.probability),
        },
        "regression": lambda: {
            "rmse": sk.root_mean_squared_error(y, outputs.value),
            "r2": sk.r2_score(y, outputs.value),
        },
    }[case.config["data"]["task"]]()

    for name, value in wanted.items():
        assert case.run.metrics[name] == pytest.approx(value, abs=1e-12)
    assert {m.n for m in case.run.result.metrics if m.split == "test"} == {test.num_rows}
    assert [gate.verdict for gate in case.run.gates] == ["PASS"]
    assert case.run.gates[0].value == case.run.metrics[case.run.gates[0].metric]


def test_nulls_are_filled_and_numbers_scaled_by_the_training_rows(case, tables):
    train = _rows(case, tables, "train")
    age = train["age"].to_numpy(zero_copy_only=False)
    filled = np.where(np.isnan(age), np.nanmean(age), age)

    state = _document(case, case.outputs("features")["state"])
    fitted = {
        feature["columns"][0]: ChainMap(*(step["fitted"][0] for step in feature["steps"]))
        for feature in state["features"]
    }

    assert np.isnan(age).sum() > 5
    assert fitted["age"]["fill"] == pytest.approx(np.nanmean(age), rel=1e-14)
    assert fitted["age"]["scale"] == pytest.approx(filled.std(), rel=1e-12)
    assert fitted["rooms"]["offset"] == pytest.approx(np.asarray(train["rooms"]).mean(), rel=1e-14)
    assert fitted["city"]["categories"] == ["Bern", "Genf", "Zürich"]


def test_a_city_that_training_never_saw_is_answered_like_a_null(case, tables):
    test = _rows(case, tables, "test")
    unseen = test.filter(pa.array([city == tables.UNSEEN for city in test["city"].to_pylist()]))
    predictor = case.project.predictor(case.run.model_reference)

    answers = predictor.predict_table(unseen).numbers
    nulls = tables.changed(unseen, "city", slice(None), None)
    known = tables.changed(unseen, "city", slice(None), "Genf")

    assert unseen.num_rows > 5
    assert answers.tobytes() == predictor.predict_table(nulls).numbers.tobytes()
    assert answers.tobytes() != predictor.predict_table(known).numbers.tobytes()


def test_the_best_trial_is_chosen_and_refitted_on_all_rows_but_the_test_rows(case):
    facts, counts = case.run.result.search, case.run.result.split
    records = read_trial_table(case.project.workspace.store.get(facts.trials))
    rows = {stage.name: stage.facts.get("rows") for stage in case.run.envelope.stages}

    choose = min if case.run.spec.objective.mode == "min" else max
    best = choose(records, key=lambda record: record.value)

    assert len({str(record.params) for record in records}) == 3
    assert (facts.best_index, facts.best_value) == (best.index, best.value)
    assert facts.best_params == best.params
    assert rows["refit"] == counts["train"].n_rows + counts["valid"].n_rows
    assert rows["evaluate"] == counts["test"].n_rows


def test_batch_answers_equal_online_answers_bit_for_bit(case, tmp_path):
    out = tmp_path / "answers.parquet"
    source = case.bench.write(case.table, n_files=2, name="batch")
    predictor = case.project.predictor(case.run.model_reference)
    inputs = [field.name for field in predictor.signature.inputs]
    records = case.table.select(inputs).to_pylist()

    done = case.project.predict(case.run.model_reference, str(source), out)

    answers = pq.read_table(out)
    name = "value" if case.config["data"]["task"] == "regression" else "probability"
    batch = np.array(answers[name].to_pylist(), dtype=np.float64).reshape(len(records), -1)
    alone = np.concatenate([predictor.predict_records([record]).numbers for record in records])
    among = predictor.predict_records(records[::-1]).numbers[::-1]
    assert (done.n_rows, done.engine) == (len(records), "ray_data")
    assert answers["id"].to_pylist() == case.table["id"].to_pylist()
    assert batch.tobytes() == alone.tobytes() == np.ascontiguousarray(among).tobytes()
    assert len(np.unique(batch[:, 0])) > 10
    if name == "probability":
        assert answers["label"].to_pylist() == predictor.predict_records(records).label
        classes = json.loads(answers.schema.metadata[b"mlops_ray.classes"])
        assert classes == list(predictor.signature.classes)
