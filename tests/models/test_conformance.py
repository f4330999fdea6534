"""Laws that hold for every family and every task."""

from __future__ import annotations

import numpy as np
import pytest

from mlops_ray.errors import ModelError
from mlops_ray.models.families import FAMILIES, family_named

pytestmark = [
    pytest.mark.parametrize("name", sorted(FAMILIES)),
    pytest.mark.parametrize("task", ["binary", "multiclass", "regression"]),
]
N_CLASSES = {"binary": 2, "multiclass": 12, "regression": 0}
SAMPLED = {
    "xgboost": {"n_estimators": 4, "subsample": 0.6, "colsample_bytree": 0.6},
    "hist_gradient_boosting": {"max_iter": 3, "max_features": 0.6},
    "linear": {},
}
OTHERS = {
    "xgboost": [{}, {"max_bin": 16}, {"max_bin": 32, "grow_policy": "lossguide"}, {"max_depth": 2}],
    "hist_gradient_boosting": [{}, {"max_bins": 16}],
    "linear": [{}],
}


def test_a_row_has_the_same_bits_alone_and_among_others(name, task, fit, training_rows):
    X, _ = training_rows(task, n_rows=1000, with_missing=family_named(name).accepts_missing)
    fitted = fit(name, task)
    everything = fitted.predict(X)

    for size in (1, 2, 7, 31, 1000):
        starts = range(0, min(1000 - size + 1, 40 * size), size)
        for start in starts:
            part = fitted.predict(np.ascontiguousarray(X[start : start + size]))
            assert part.tobytes() == everything[start : start + size].tobytes()
    assert fitted.predict(X[::-1].copy())[::-1].tobytes() == everything.tobytes()


def test_answers_are_float64_of_the_declared_shape(name, task, fit, training_rows):
    X, _ = training_rows(task, n_rows=20)

    answers = fit(name, task).predict(X)

    assert answers.dtype == np.float64
    assert answers.shape == ((20, N_CLASSES[task]) if N_CLASSES[task] else (20,))
    if N_CLASSES[task]:
        np.testing.assert_allclose(answers.sum(axis=1), 1.0, atol=1e-6)


def test_loading_keeps_every_bit_of_answers_and_files(name, task, fit, training_rows):
    X, _ = training_rows(task)
    fitted = fit(name, task)

    loaded = family_named(name).from_files(fitted.to_files(), task=task, n_classes=N_CLASSES[task])

    assert loaded.predict(X).tobytes() == fitted.predict(X).tobytes()
    assert loaded.to_files() == fitted.to_files()


@pytest.mark.parametrize("threads", [1, 2])
def test_refitting_gives_the_same_files(name, task, fit, threads):
    first = fit(name, task).to_files()
    fit(name, task, seed=6)  # Whatever else ran in this process must not matter.

    assert fit(name, task, threads=threads).to_files() == first


@pytest.mark.parametrize("threads", [1, 2])
def test_a_fit_on_shared_rows_is_the_same_as_one_on_rows_of_its_own(
    name, task, threads, training_rows
):
    family = family_named(name)
    X, y = training_rows(task, with_missing=family.accepts_missing)
    facts = {"task": task, "n_classes": N_CLASSES[task], "threads": threads}
    shared = family.prepare(X, y, **facts)
    drawn = [{**SAMPLED[name], **params} for params in OTHERS[name]]

    first, *_, last = [shared.fit(params, seed=8) for params in (*drawn, drawn[0])]

    assert first.to_files() == last.to_files()
    for params in drawn:
        alone = family.fit(X, y, params, seed=8, **facts).to_files()
        assert shared.fit(params, seed=8).to_files() == alone


@pytest.mark.parametrize("threads", [1, 2])
def test_a_fit_that_goes_on_is_a_fit_of_so_many_rounds_alone_and_among_others(
    name, task, threads, training_rows
):
    family = family_named(name)
    X, y = training_rows(task, with_missing=family.accepts_missing)
    facts = {"task": task, "n_classes": N_CLASSES[task], "threads": threads}
    training = family.prepare(X, y, **facts)
    if family.rounds is None:
        growth = training.grow({}, seed=1)
        with pytest.raises(ModelError, match="does not fit in rounds"):
            growth.to(2)
        return
    params = [{**SAMPLED[name], "learning_rate": rate} for rate in (0.1, 0.3)]

    growths = [training.grow(p, seed=seed) for seed, p in enumerate(params)]
    for n_rounds in (1, 3, 6):
        for seed, (growth, drawn) in enumerate(zip(growths, params, strict=True)):
            grown = growth.to(n_rounds)
            alone = family.fit(X, y, {**drawn, family.rounds: n_rounds}, seed=seed, **facts)
            assert grown.predict(X).tobytes() == alone.predict(X).tobytes()
            if n_rounds != 3:  # Looking at a booster must not be what keeps it right.
                assert grown.to_files() == alone.to_files()


def test_fitting_does_not_touch_its_inputs(name, task, training_rows):
    X, y = training_rows(task)
    before = X.tobytes(), y.tobytes()
    X.flags.writeable = y.flags.writeable = False  # As Ray's object store hands them out.

    family_named(name).fit(X, y, {}, task=task, n_classes=N_CLASSES[task], seed=0, threads=1)

    assert (X.tobytes(), y.tobytes()) == before


def test_files_of_another_kind_are_refused(name, task, fit):
    other = "regression" if task != "regression" else "binary"
    files = fit(name, task).to_files()

    with pytest.raises(ModelError):
        family_named(name).from_files(files, task=other, n_classes=N_CLASSES[other])
    with pytest.raises(ModelError, match="the bundle has no"):
        family_named(name).from_files({"model.pkl": b""}, task=task, n_classes=N_CLASSES[task])
    with pytest.raises(ModelError):
        family_named(name).from_files(
            dict.fromkeys(files, b"not a model"), task=task, n_classes=N_CLASSES[task]
        )


def test_infinities_and_empty_inputs_are_refused(name, task, training_rows):
    X, y = training_rows(task)
    X[3, 3] = np.inf
    settings = {"task": task, "n_classes": N_CLASSES[task], "seed": 0, "threads": 1}

    with pytest.raises(ModelError, match="infinities"):
        family_named(name).fit(X, y, {}, **settings)
    with pytest.raises(ModelError, match="one target a row"):
        family_named(name).fit(X[:0], y[:0], {}, **settings)
    with pytest.raises(ModelError, match="one target a row"):
        family_named(name).fit(X, y[:-1], {}, **settings)
