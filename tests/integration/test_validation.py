"""Folds, metrics, the rule of choice and intervals in whole runs, by independent calculation."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from sklearn import metrics as sk
from sklearn.model_selection import TimeSeriesSplit

from mlops_ray import exit_code
from mlops_ray.data.rowhash import hash_rows
from mlops_ray.data.schema import schema_of
from mlops_ray.errors import ColumnError, DataError, MlopsRayError
from mlops_ray.features.matrix_file import matrix_from_bytes
from mlops_ray.manifest import from_canonical
from mlops_ray.models.calibration_fit import fit_calibrator
from mlops_ray.models.families import family_named
from mlops_ray.runtime import cluster
from mlops_ray.runtime.seeds import derive
from mlops_ray.search.trial import read_trial_table
from mlops_ray.telemetry.progress import SilentProgress

pytestmark = [pytest.mark.ray, pytest.mark.slow]

SCHEMES = {
    "k_fold": {"scheme": "k_fold", "folds": 3},
    "repeated": {"scheme": "k_fold", "folds": 2, "repeats": 2},
    "grouped": {"scheme": "grouped", "folds": 3, "group": "rooms"},
    "time_series": {"scheme": "time_series", "folds": 2},
}


DECIDED = {
    "calibration": "sigmoid",
    "threshold": {"false_positive": 1.0, "false_negative": 3.0},
}


def config_with(tables, scheme):
    config = tables.config_of("xgboost")
    del config["split"]["valid"]
    config["split"]["test"] = {"share": 0.25}
    config["data"] |= {"order_by": ["id"], "time": "year"}
    config["model"]["params"] |= {"n_estimators": 4}
    config["validation"] = SCHEMES[scheme]
    if scheme in {"repeated", "time_series"}:
        config["model"] |= DECIDED
    config["features"][1]["columns"] = ["area"]  # The group is no feature.
    config["evaluation"] = {
        "metrics": ["roc_auc", "brier", "f1"],
        "bootstrap": {"resamples": 200, "level": 0.9},
    }
    return config


@pytest.fixture(scope="module", params=list(SCHEMES))
def pair(request, new_bench, tables):
    on_workers = ("ray_data",) if request.param == "repeated" else ()
    config = config_with(tables, request.param)
    return request.param, new_bench().run(config, tables.homes(), on_workers=on_workers)


def _training(pair):
    """The training rows in the order of their matrix."""
    table = pair.table.sort_by("id")
    salt, schema = derive(pair.config["seed"], "split"), schema_of([("", table.schema)])
    hashes = hash_rows(table, schema, ["id"], salt)[0]
    return table.filter(pa.array(hashes / 2.0**64 >= 0.25)), schema


def _mixed(words):
    """The finaliser of SplitMix64 in plain integers."""
    mixed = []
    for word in map(int, words):
        first = ((word ^ word >> 30) * 0xBF58476D1CE4E5B9) % 2**64
        second = ((first ^ first >> 27) * 0x94D049BB133111EB) % 2**64
        mixed.append(second ^ second >> 31)
    return mixed


def _folds(scheme, pair):
    """Rows to fit on and to score, dealt without the code under test."""
    rows, schema = _training(pair)
    rule, n_rows = pair.config["validation"], rows.num_rows
    if scheme == "time_series":
        years = np.asarray(rows["year"])
        order = np.argsort(years, kind="stable")
        starts = [years[order[valid[0]]] for _, valid in TimeSeriesSplit(2).split(order)]
        return [
            (np.flatnonzero(years < start), np.flatnonzero((years >= start) & (years < end)))
            for start, end in zip(starts, [*starts[1:], math.inf], strict=True)
        ]
    seed = derive(pair.config["seed"], "validation")
    units = hash_rows(rows, schema, [rule.get("group", "id")], seed)[0]
    folds = []
    for repeat in range(rule.get("repeats", 1)):
        words = _mixed(units ^ np.uint64(derive(seed, "repeat", repeat)))
        number = np.array([(word >> 32) * rule["folds"] >> 32 for word in words])
        is_scored = [number == fold for fold in range(rule["folds"])]
        folds += [(np.flatnonzero(~own), np.flatnonzero(own)) for own in is_scored]
    assert all(len(train) + len(valid) == n_rows for train, valid in folds)
    return folds


def _records(pair):
    return read_trial_table(pair.project.workspace.store.get(pair.run.result.search.trials))


def test_each_trial_is_scored_fold_by_fold_on_rows_that_it_was_not_fitted_on(pair):
    scheme, pair = pair
    store = pair.project.workspace.store
    matrix = matrix_from_bytes(store.get(pair.outputs("features")["train"]))
    folds = _folds(scheme, pair)

    for record in _records(pair):
        params = {**pair.config["model"]["params"], **record.params}
        assert len(record.folds) == len(folds)
        for (train, valid), found in zip(folds, record.folds, strict=True):
            y, p = matrix.y[valid], _answers(matrix, train, valid, params, record)
            assert found["roc_auc"] == pytest.approx(sk.roc_auc_score(y, p[:, 1]), abs=1e-12)
            assert found["brier"] == pytest.approx(sk.brier_score_loss(y, p[:, 1]), abs=1e-12)
            assert found["f1"] == pytest.approx(sk.f1_score(y, p.argmax(axis=1)), abs=1e-12)
        for name, value in record.metrics.items():
            assert value == pytest.approx(np.mean([f[name] for f in record.folds]), abs=1e-15)
        assert record.value == record.metrics["roc_auc"]


def _answers(matrix, train, valid, params, record):
    fitted = family_named("xgboost").fit(
        matrix.X[train],
        matrix.y[train],
        params,
        task="binary",
        n_classes=2,
        seed=int(record.seed),
        threads=1,
    )
    return fitted.predict(matrix.X[valid])


def test_what_is_decided_is_decided_by_answers_from_out_of_the_fold(pair):
    scheme, pair = pair
    if "threshold" not in pair.config["model"]:
        assert pair.run.result.model.threshold is None
        return
    matrix = matrix_from_bytes(pair.project.workspace.store.get(pair.outputs("features")["train"]))
    best = max(_records(pair), key=lambda record: record.value)
    params = {**pair.config["model"]["params"], **best.params}
    folds = _folds(scheme, pair)
    y = np.concatenate([matrix.y[valid] for _, valid in folds])
    p = np.concatenate([_answers(matrix, *rows, params, best) for rows in folds])

    curve = fit_calibrator("sigmoid", p, y)
    share = curve.of(p)[:, 1]
    thresholds = np.unique(share)
    costs = [np.mean(np.where(y == 1, 3.0 * (share < t), share >= t)) for t in thresholds]
    found = pair.run.result.model.threshold
    assert found.threshold == thresholds[len(costs) - 1 - np.argmin(costs[::-1])]
    assert found.cost == pytest.approx(min(costs), abs=1e-12)


def test_the_record_tells_folds_means_and_intervals(pair):
    scheme, pair = pair
    result, folds = pair.run.result, _folds(scheme, pair)
    rows = {stage.name: stage.facts.get("rows") for stage in pair.run.envelope.stages}
    document = pair.project.workspace.store.get(pair.outputs("search")["folds"])
    best = max(_records(pair), key=lambda record: record.value)

    valid = {metric.name: metric for metric in result.metrics if metric.split == "valid"}
    test = {metric.name: metric for metric in result.metrics if metric.split == "test"}

    assert [(f["n_train"], f["n_valid"]) for f in from_canonical(document)["folds"]] == [
        (len(train), len(scored)) for train, scored in folds
    ]
    assert result.search.best_index == best.index
    assert set(valid) == set(test) == {"roc_auc", "brier", "f1"}
    n_scored = len({row for _, scored in folds for row in scored})
    for name, metric in valid.items():
        assert metric.folds == [scores[name] for scores in best.folds]
        assert metric.n == n_scored
    assert result.split["valid"].n_rows == 0
    assert rows["refit"] == result.split["train"].n_rows
    for metric in test.values():
        assert metric.interval.low < metric.value < metric.interval.high
        assert (metric.interval.resamples, metric.interval.level) == (200, 0.9)
        assert metric.interval.drawn == ("groups" if scheme == "grouped" else "rows")
        assert metric.folds is None


@pytest.fixture
def refused(bench, monkeypatch):
    """Runs a pipeline in this process that has to fail before Ray is asked for."""

    def run(config, table):
        bench.write(table)
        monkeypatch.setattr(cluster, "connect", _no_ray)
        with pytest.raises(MlopsRayError) as caught:
            bench.pipeline(config, bench.fresh_store()).run()
        return caught.value

    return run


def _no_ray(*_args, **_options):
    raise AssertionError("Ray was asked for")


def test_that_ray_is_asked_for_would_be_noticed(refused, tables):
    with pytest.raises(AssertionError, match="Ray was asked for"):
        refused(config_with(tables, "k_fold"), tables.homes())


def test_fewer_groups_than_folds(refused, tables):
    config = config_with(tables, "grouped")
    config["validation"] = {"scheme": "grouped", "folds": 20, "group": "rooms"}

    error = refused(config, tables.homes())

    assert (type(error), exit_code(error)) == (DataError, 65)
    assert "a fold has no rows" in str(error)
    assert "declare fewer folds" in str(error)


def test_folds_of_one_class(refused, tables):
    table = tables.homes()
    parts = tables.parts_of(table, {**config_with(tables, "k_fold")})
    sold = np.full(table.num_rows, "no", dtype=object)
    for part in ("train", "test"):
        sold[np.flatnonzero(parts == part)[:2]] = "yes"
    config = config_with(tables, "k_fold")
    config["validation"]["folds"] = 5

    error = refused(config, tables.changed(table, "sold", slice(None), sold))

    assert (type(error), exit_code(error)) == (DataError, 65)
    assert "a fold has one class" in str(error)
    assert "split.stratify" in str(error)


def test_a_time_that_does_not_tell_rows_apart(refused, tables):
    error = refused(
        config_with(tables, "time_series"),
        tables.changed(tables.homes(), "year", slice(None), 2015),
    )

    assert (type(error), exit_code(error)) == (DataError, 65)
    assert "a time that tells more rows apart" in str(error)


@pytest.mark.parametrize(("scheme", "column"), [("grouped", "rooms"), ("time_series", "year")])
def test_a_group_or_time_that_is_missing(refused, tables, scheme, column):
    error = refused(
        config_with(tables, scheme), tables.changed(tables.homes(), column, slice(0, 400, 7), None)
    )

    assert (type(error), exit_code(error)) == (ColumnError, 65)
    assert f"'{column}' deals the folds and has rows without a value" in str(error)


class Listening(SilentProgress):
    """Keeps what a run notes."""

    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


def test_a_feature_that_has_seen_targets_of_other_folds_is_named(bench, tables, fits_here):
    listening, config = Listening(), config_with(tables, "k_fold")
    config["features"] = [f for f in config["features"] if f["columns"] != ["city"]] + [
        {"columns": ["city"], "steps": ["target"]}
    ]
    config["evaluation"] = {}
    bench.write(tables.homes())

    with fits_here():
        bench.pipeline(config, bench.fresh_store()).run(progress=listening)

    told = [note for note in listening.notes if "targets of all training rows" in note]
    assert [note.partition(":")[0] for note in told] == ["city"]


def test_stratified_folds_have_their_share_of_each_class(bench, tables, fits_here):
    listening, config = Listening(), config_with(tables, "k_fold")
    config["split"]["stratify"] = True
    config["evaluation"] = {}
    bench.write(tables.homes())

    with fits_here():
        pipeline = bench.pipeline(config, bench.fresh_store())
        run = pipeline.run(progress=listening)

    store, outputs = (
        pipeline.project.workspace.store,
        {s.name: s.outputs for s in run.result.stages},
    )
    y = matrix_from_bytes(store.get(outputs["features"]["train"])).y
    sizes = [f["n_valid"] for f in from_canonical(store.get(outputs["search"]["folds"]))["folds"]]
    assert sum(sizes) == len(y)
    assert not any("targets of all" in note for note in listening.notes)
    # The same number of each class, but for a row of each.
    assert max(sizes) - min(sizes) <= 2
    trials = read_trial_table(store.get(run.result.search.trials))
    assert all(
        set(fold) == {"accuracy", "average_precision", "f1_macro", "log_loss", "roc_auc"}
        for record in trials
        for fold in record.folds
    )
