"""XGBoost under guidance: constraints, weights, categories; beside XGBoost and closed forms."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xgboost

from mlops_ray.errors import ModelError
from mlops_ray.models.families import family_named
from mlops_ray.models.guidance import NO_GUIDANCE, Guidance, guided
from mlops_ray.testing.estimator_rows import N_CLASSES

XGBOOST = family_named("xgboost")
SMALL = {"n_estimators": 12, "max_depth": 4, "subsample": 0.8}
CATEGORIES = (6, *[0] * 22)


def fit(X, y, guidance, task="regression", params=SMALL, threads=1):
    options = {"task": task, "n_classes": N_CLASSES[task], "threads": threads}
    return guided(XGBOOST, X, y, guidance, **options).fit(params, seed=5)


def learner_of(fitted):
    booster = xgboost.Booster()
    booster.load_model(bytearray(fitted.to_files()["model.ubj"]))
    return json.loads(booster.save_raw("json"))["learner"]


def paths(tree):
    """The features on each way from the root to a leaf."""
    left, right, feature = (tree[k] for k in ("left_children", "right_children", "split_indices"))

    def below(node, seen):
        if left[node] == -1:
            yield seen
            return
        for child in (left[node], right[node]):
            yield from below(child, seen | {feature[node]})

    return list(below(0, frozenset()))


def with_categories(X, seed=2):
    """Rows whose first feature holds the codes 0 to 5, and a target that hangs on them."""
    rows = X.copy()
    codes = np.random.default_rng(seed).integers(0, 6, len(X))
    rows[:, 0] = codes
    return rows, np.array([3.0, -2.0, 5.0, 0.0, -4.0, 1.0])[codes] + X[:, 1]


@pytest.mark.parametrize("sign", [1, -1])
def test_answers_move_one_way_only_where_that_is_declared(training_rows, sign):
    X, y = training_rows("regression")
    steps = np.linspace(-3, 3, 60, dtype=np.float32)

    def least_step(guidance):
        fitted = fit(X, y, guidance)
        rows = np.repeat(X[:40], steps.size, axis=0)
        rows[:, 2] = np.tile(steps, 40)
        return (sign * np.diff(fitted.predict(rows).reshape(40, -1), axis=1)).min()

    assert least_step(Guidance(monotone=(0, 0, sign, *[0] * 20))) >= 0
    assert least_step(NO_GUIDANCE) < 0


def test_features_of_different_groups_do_not_meet_on_a_path(training_rows):
    X, y = training_rows("regression")
    groups = (tuple(range(12)), tuple(range(12, 23)))

    def crossing(guidance):
        trees = learner_of(fit(X, y, guidance))["gradient_booster"]["model"]["trees"]
        return [p for tree in trees for p in paths(tree) if min(p) < 12 <= max(p)]

    assert crossing(Guidance(interactions=groups)) == []
    assert crossing(NO_GUIDANCE)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_a_weight_of_two_is_a_row_that_stands_twice(training_rows, task):
    X, y = training_rows(task)
    params = {"n_estimators": 6, "max_depth": 3}
    twice = np.arange(len(X)) % 3 == 0
    weights = np.where(twice, 2.0, 1.0)

    weighted = fit(X, y, Guidance(weights=weights), task, params)

    at = np.sort(np.concatenate([np.arange(len(X)), np.flatnonzero(twice)]))
    repeated = fit(X[at], y[at], NO_GUIDANCE, task, params)
    np.testing.assert_allclose(weighted.predict(X), repeated.predict(X), rtol=2e-3, atol=2e-3)
    plain = fit(X, y, NO_GUIDANCE, task, params)
    assert np.abs(weighted.predict(X) - plain.predict(X)).max() > 1e-2


def test_the_base_score_is_the_weighted_mean(training_rows):
    X, y = training_rows("regression")
    weights = np.random.default_rng(1).gamma(2.0, size=len(y))

    learner = learner_of(fit(X, y, Guidance(weights=weights)))

    got = float(learner["learner_model_param"]["base_score"].strip("[]"))
    np.testing.assert_allclose(got, np.average(y, weights=weights), rtol=1e-6)


@pytest.mark.parametrize(
    ("weights", "says"),
    [
        (np.array([1.0, -1.0, np.nan, 1.0]), "2 others"),
        (np.array([1.0, 1.0, 0.0, 0.0]), "the weights of a class are all 0"),
        (np.ones(3), "one weight a row"),
    ],
)
def test_weights_that_cannot_be_used_are_refused(weights, says):
    X, y = np.zeros((4, 23), dtype=np.float32), np.array([0, 0, 1, 1], dtype=np.int32)

    with pytest.raises(ModelError, match=says):
        fit(X, y, Guidance(weights=weights), "binary")


def test_a_family_that_takes_no_guidance_says_so(training_rows):
    X, y = training_rows("regression")
    options = {"task": "regression", "n_classes": 0, "threads": 1}

    with pytest.raises(ModelError, match="linear takes no interactions and no monotone"):
        guided(
            family_named("linear"), X, y, Guidance(monotone=(1,), interactions=((0,),)), **options
        )


def test_categories_are_split_as_by_xgboost_itself(training_rows):
    X, _ = training_rows("regression")
    rows, y = with_categories(X)
    guidance = Guidance(categories=CATEGORIES)

    fitted = fit(rows, y, guidance, params={"n_estimators": 5})

    types = ["c", *["q"] * 22]
    matrix = xgboost.QuantileDMatrix(rows, y, feature_types=types, enable_categorical=True)
    base = {"base_score": float(np.mean(y)), "seed_per_iteration": True, "tree_method": "hist"}
    wanted = xgboost.train({**base, "seed": 5}, matrix, 5).predict(matrix)
    np.testing.assert_array_equal(fitted.predict(rows), wanted.astype(np.float64))
    trees = learner_of(fitted)["gradient_booster"]["model"]["trees"]
    assert any(tree["categories_nodes"] for tree in trees)


@pytest.mark.parametrize("unseen", [-1.0, 6.0, 3.0, 1e9, 2.5])
def test_a_code_that_no_fit_has_seen_is_a_missing_value(training_rows, unseen):
    X, _ = training_rows("regression")
    rows, y = with_categories(X)
    rows[::10, 0], y[::10] = np.nan, 9.0  # Missing has a way of its own.
    keep = rows[:, 0] != 3
    fitted = fit(rows[keep], y[keep], Guidance(categories=CATEGORIES))
    asked, missing = X[:80].copy(), X[:80].copy()
    asked[:, 0], missing[:, 0] = unseen, np.nan

    assert fitted.predict(asked).tobytes() == fitted.predict(missing).tobytes()
    if unseen in {3.0, 6.0}:  # Left to itself, XGBoost answers otherwise.
        assert not np.array_equal(fitted._booster.inplace_predict(asked), fitted.predict(missing))


def test_categories_keep_all_laws_of_an_estimator(training_rows):
    X, _ = training_rows("regression")
    rows, y = with_categories(X)
    rows[::9, 0] = -1
    guidance = Guidance(categories=CATEGORIES, weights=np.linspace(0.5, 2, len(y)))
    shared = guided(XGBOOST, rows, y, guidance, task="regression", n_classes=0, threads=2)
    first = fit(rows, y, guidance)
    files, together = first.to_files(), first.predict(rows)

    assert shared.fit(SMALL, seed=5).to_files() == files
    growth = shared.grow(SMALL, seed=5)
    growth.to(5).predict(rows)
    assert growth.to(12).to_files() == files
    loaded = XGBOOST.from_files(files, task="regression", n_classes=0)
    assert loaded.to_files() == files
    assert loaded.predict(rows).tobytes() == together.tobytes()
    for size in (1, 7, 31):
        for start in range(0, 10 * size, size):
            part = np.ascontiguousarray(rows[start : start + size])
            assert loaded.predict(part).tobytes() == together[start : start + size].tobytes()


def test_without_categories_a_booster_is_saved_as_before(training_rows):
    X, y = training_rows("regression")

    assert learner_of(fit(X, y, NO_GUIDANCE))["attributes"] == {}
