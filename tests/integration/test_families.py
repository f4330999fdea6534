"""What a fit is told beside parameters, through whole runs: constraints, weights, categories."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import f1_score

FAULTS = Path(__file__).parents[1] / "faults"
sys.path.append(str(FAULTS))

from killed_run import Place, problems_of, write_project  # noqa: E402 - its folder is no package

from mlops_ray.config.model import SplitConfig  # noqa: E402
from mlops_ray.data.schema import schema_of  # noqa: E402
from mlops_ray.data.split import SPLITS, SplitRows, assign_split  # noqa: E402
from mlops_ray.models.admitted import load_admitted  # noqa: E402
from mlops_ray.models.bundle import load_bundle  # noqa: E402
from mlops_ray.models.ensemble import members_of  # noqa: E402
from mlops_ray.pipeline.admission import admission_of  # noqa: E402
from mlops_ray.search.trial import read_trial_table  # noqa: E402

pytestmark = [pytest.mark.ray, pytest.mark.slow]

FEATURES = [
    {"columns": ["a", "b", "c"], "steps": ["standardize"]},
    {"columns": ["city"], "steps": ["ordinal"]},
]
MODEL = {
    "family": "xgboost",
    "params": {"n_estimators": 12, "max_depth": 3, "subsample": 0.8},
    "monotone": {"a": "increasing"},
    "interactions": [["a", "b"], ["c", "city"]],
    "categories": ["city"],
}
SEARCH = {"space": {"learning_rate": {"uniform": [0.2, 0.5]}}, "trials": 3, "generation": 3}
DECIDED = {
    "ensemble": {"method": "greedy", "top": 3, "picks": 6},
    "calibration": "sigmoid",
    "threshold": {"false_positive": 1, "false_negative": 6},
}
CHANGES = {"features": FEATURES, "model": MODEL, "search": SEARCH}


def project_in(folder, **data):
    """The tiny project with a city that matters, and a weight."""
    project = write_project(folder, 400, {**CHANGES})
    config = json.loads((project / "pipeline.yaml").read_text())
    config["data"] |= {"weight": "w", **data}
    (project / "pipeline.yaml").write_text(json.dumps(config), encoding="utf-8")
    rng = np.random.default_rng(8)
    for path in sorted((project / "data").glob("*.parquet")):
        table = pq.read_table(path)
        n = table.num_rows
        city = rng.choice(["Bern", "Genf", "Chur"], n)
        y = np.where(city == "Chur", "yes", table["y"].to_numpy(zero_copy_only=False))
        table = table.set_column(table.column_names.index("y"), "y", pa.array(y))
        columns = {"city": pa.array(city), "w": pa.array(rng.gamma(2.0, size=n))}
        for name, values in columns.items():
            table = table.append_column(name, values)
        pq.write_table(table, path)
    return project


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    root = tmp_path_factory.mktemp("families")
    return Place.made(project_in(root / "project"), root / "place", None)


@pytest.fixture(scope="module")
def line(place):
    line = place.run()
    assert line["code"] == 0, line["stderr"]
    return line


@pytest.fixture(scope="module")
def decided(place):
    """With an ensemble, calibrated, and a threshold by cost."""
    line = place.run(*_overrides({"model": {**MODEL, **DECIDED}}))
    assert line["code"] == 0, line["stderr"]
    return line


def _predictor(place, line):
    run = place.records.run(line["run_id"])
    store = place.records.workspace.store
    return load_admitted(store, run.result.model.bundle, admission_of(run))


@pytest.fixture(scope="module")
def predictor(place, line):
    return _predictor(place, line)


def _overrides(changes):
    words = [f"{name}={json.dumps(value)}" for name, value in changes.items()]
    return [word for text in words for word in ("--set", text)]


def _record(**values):
    return {"a": 0.1, "b": 0.2, "c": -0.3, "city": "Bern", **values}


def test_the_spec_says_what_fits_were_told(place, line):
    spec = place.records.run(line["run_id"]).spec

    assert spec.data.weight == "w"
    assert spec.model.monotone == {"a": "increasing"}
    assert problems_of(place) == []


def test_answers_of_the_served_model_rise_with_the_feature(predictor):
    records = [_record(a=a, b=b) for b in (-1.0, 0.0, 1.0) for a in np.linspace(-3, 3, 40).tolist()]

    shares = predictor.predict_records(records).probability[:, 1].reshape(3, -1)

    assert (np.diff(shares, axis=1) >= 0).all()
    assert np.ptp(shares) > 0.2


def test_a_city_that_training_never_saw_is_answered_as_a_missing_one(predictor):
    cities = ["Bern", "Chur", "Atlantis", None]
    records = [_record(city=city) for city in cities]

    together = predictor.predict_records(records).numbers
    alone = [predictor.predict_records([record]).numbers for record in records]
    table = pa.Table.from_pylist(records)

    assert np.concatenate(alone).tobytes() == together.tobytes()
    assert predictor.predict_table(table).numbers.tobytes() == together.tobytes()
    assert together[2].tobytes() == together[3].tobytes()
    assert together[0, 1] < together[1, 1]


@pytest.mark.campaign
@pytest.mark.parametrize("which", ["line", "decided"])
def test_it_is_reproduced_bit_for_bit(place, which, request):
    run_id = request.getfixturevalue(which)["run_id"]

    done = place.command("reproduce", run_id, "--json")

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["verdict"] == "IDENTICAL"


def test_what_was_decided_stands_in_result_signature_and_answers(place, decided):
    run, store = place.records.run(decided["run_id"]), place.records.workspace.store
    model, predictor = run.result.model, _predictor(place, decided)
    bundle = load_bundle(store, model.bundle)
    records = [_record(a=a, city=city) for a in (-2.0, 0.0, 2.0) for city in ("Bern", "Chur")]

    together = predictor.predict_records(records)

    assert model.calibration == predictor.signature.calibration == "sigmoid"
    assert model.threshold.threshold == predictor.signature.threshold < 0.5
    assert model.threshold.cost <= model.threshold.cost_at_half
    assert model.threshold.n == run.result.split["valid"].n_rows
    listed = [(member.digest, member.weight) for member in model.members]
    assert listed == members_of(bundle.files)
    trials = read_trial_table(store.get(run.result.search.trials))
    assert {member.trial for member in model.members} <= {trial.index for trial in trials}
    told = together.probability[:, 1] >= model.threshold.threshold
    assert together.label == [model.classes[int(at)] for at in told]
    alone = [predictor.predict_records([record]).numbers for record in records]
    assert np.concatenate(alone).tobytes() == together.numbers.tobytes()
    assert predictor.predict_table(pa.Table.from_pylist(records)).label == together.label
    assert problems_of(place) == []


def test_metrics_of_labels_look_at_what_is_told(place, decided):
    run = place.records.run(decided["run_id"])
    files = sorted((place.project / "data").glob("*.parquet"))
    table = pa.concat_tables([pq.read_table(path) for path in files])
    rule = SplitConfig.model_validate(run.spec.split.model_dump(mode="json"))
    split = SplitRows(rule, ("id",), None, int(run.spec.seeds["split"]))
    is_test = assign_split(table, schema_of([("", table.schema)]), split) == SPLITS.index("test")
    test = table.filter(pa.array(is_test))

    outputs = _predictor(place, decided).predict_table(test)

    scores = {m.name: m.value for m in run.result.metrics if m.split == "test"}
    told, y = np.array(outputs.label), np.array(test["y"].to_pylist())
    at_half = np.where(outputs.probability[:, 1] > 0.5, "yes", "no")
    assert (told != at_half).any()
    assert scores["accuracy"] == pytest.approx((told == y).mean(), abs=1e-12)
    assert scores["f1_macro"] == pytest.approx(f1_score(y, told, average="macro"), abs=1e-12)


def test_another_weight_is_another_model(place, line):
    store = place.records.workspace.store
    plain = place.run("--set", "data.weight=null")

    assert plain["code"] == 0, plain["stderr"]
    bundles = [
        load_bundle(store, place.records.run(run["run_id"]).result.model.bundle)
        for run in (line, plain)
    ]
    assert bundles[0].model_files != bundles[1].model_files


def test_a_gpu_that_is_not_there_is_refused_before_a_fit(place):
    refused = place.run("--set", "model.device=cuda")

    assert refused["code"] not in (0, 1), refused["stderr"]
    assert "no GPU is visible to Ray" in refused["stderr"]


def test_rows_with_a_weight_that_cannot_be_used_are_counted(place):
    features = [{"columns": ["b", "c"]}, {"columns": ["city"], "steps": ["ordinal"]}]
    changes = {"features": features, "data.weight": "a", "model": {"family": "xgboost"}}

    refused = place.run(*_overrides(changes))

    tables = [pq.read_table(path) for path in sorted((place.project / "data").glob("*.parquet"))]
    n_negative = int((pa.concat_tables(tables)["a"].to_numpy() < 0).sum())
    assert refused["code"] == 65, refused["stderr"]
    found = re.search(
        r"rows have a negative weight: got (\d+) of the (\d+) rows of train", refused["stderr"]
    )
    assert found is not None, refused["stderr"]
    assert 0 < int(found[1]) <= n_negative
