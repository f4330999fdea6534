"""One run with many steps, both ways of reading its data, and its answers online and in batch."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa

from mlops_ray.features import CompiledTransform, FeatureState
from mlops_ray.features.matrix_file import matrix_from_bytes
from mlops_ray.manifest import from_canonical


def _grown(table: pa.Table) -> pa.Table:
    """With a time, a date and a second copy of a text."""
    rng = np.random.default_rng(4)
    seconds = rng.integers(1_500_000_000, 1_600_000_000, table.num_rows)
    at = pa.array(seconds * 10**6, pa.timestamp("us"), mask=rng.random(table.num_rows) < 0.05)
    return table.append_column("at", at).append_column("town", table["city"])


def _group(columns: str, *steps: object) -> dict[str, object]:
    return {"columns": columns.split(), "steps": list(steps)}


FEATURES = [
    _group("age", {"impute": {"strategy": "median", "indicator": True}}, "robust"),
    _group("area", {"clip": {"quantiles": [0.01, 0.99]}}, "log", "standardize"),
    _group("rooms", {"bins": 3}),
    _group("city", {"rare": 3}, {"target": {"folds": 4}}),
    _group("town", {"impute": "mode"}, {"hashing": 6}),
    _group("owner", "one_hot"),
    _group("at", {"date_parts": {"parts": ["year"], "cycles": ["month", "hour"]}}),
    _group("area rooms", "standardize", "interactions"),
    _group("area age", {"expression": {"name": "room", "formula": "area / fill(age, 1)"}}),
]


def _json(value: object) -> object:
    return value.isoformat() if isinstance(value, dt.datetime) else value


def test_a_run_with_many_steps_gives_the_same_whatever_reads_it_and_answers_alike(bench, tables):
    config = {**tables.config_of("xgboost"), "features": FEATURES}
    table = _grown(tables.homes_for(config))

    pair = bench.run(config, table)

    facts = {stage.name: stage.facts for stage in pair.run.envelope.stages}["features"]
    checked = bench.pipeline(config, bench.fresh_store()).check()
    # At most: the profile, the quantiles of `age` twice. So few values are counted: the logarithms.
    assert (facts["passes"], checked["passes"]) == (2, 3)
    store = pair.project.workspace.store
    state = FeatureState.from_json(from_canonical(store.get(pair.outputs("features")["state"])))
    assert len(state.outputs) == facts["columns"] == 20
    train = table.filter(pa.array(tables.parts_of(table, config) == "train"))
    ages = train["age"].drop_null().to_numpy()
    assert state.features[0].steps[0].fitted[0]["fill"] == np.median(ages)
    predictor = pair.project.predictor(pair.run.model_reference)
    names = [field.name for field in predictor.signature.inputs]
    rows = table.select(names).to_pylist()
    records = [{name: _json(value) for name, value in row.items()} for row in rows]
    answers = predictor.predict_table(table).numbers
    assert predictor.predict_records(records).numbers.tobytes() == answers.tobytes()
    alone = [predictor.predict_records([record]).numbers for record in records[:40]]
    assert np.concatenate(alone).tobytes() == answers[:40].tobytes()
    matrix = CompiledTransform(state).from_table(table)
    assert matrix.shape == (table.num_rows, 20)


def test_training_rows_are_encoded_without_their_own_target(bench, tables):
    steps = [{"target": {"folds": 3, "smoothing": 0}}]
    config = {**tables.config_of("xgboost"), "features": [{"columns": ["city"], "steps": steps}]}
    config["features"].append({"columns": ["area"], "steps": []})
    table = tables.homes_for(config)

    pair = bench.run(config, table)

    store = pair.project.workspace.store
    state = FeatureState.from_json(from_canonical(store.get(pair.outputs("features")["state"])))
    parts = tables.parts_of(table, config)
    train = table.filter(pa.array(parts == "train"))
    sold = np.array(train["sold"].to_pylist()) == "yes"
    bern = np.array(train["city"].to_pylist(), dtype=object) == "Bern"
    answer = CompiledTransform(state).from_records([{"city": "Bern", "area": 1.0}])
    assert answer[0, 0] == np.float32(sold[bern].mean())
    learned = matrix_from_bytes(store.get(pair.outputs("features")["train"]))
    valid = matrix_from_bytes(store.get(pair.outputs("features")["valid"]))
    n_values = [len(np.unique(part.X[:, 0])) for part in (learned, valid)]
    assert n_values == [4 * 3, 4]  # Three cities and null, in three folds; then in none.
