"""Ensembles: who takes part and how much, and answers whose bits depend on nobody around."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from mlops_ray.errors import ManifestError, ModelError
from mlops_ray.manifest.canonical import canonical_bytes, digest_json
from mlops_ray.models.assembled import Calibrated, load_assembled
from mlops_ray.models.bundle import tree_of
from mlops_ray.models.calibration_fit import fit_calibrator
from mlops_ray.models.ensemble import ENSEMBLE_FILE, Ensemble, Member, mean_of, members_of
from mlops_ray.models.ensemble_selection import greedy_weights
from mlops_ray.models.families import FAMILIES, family_named
from mlops_ray.testing.estimator_rows import N_CLASSES

TASKS = ("binary", "multiclass", "regression")


@pytest.fixture(scope="module")
def make(fit, training_rows):
    """An ensemble of three fits, calibrated where there are classes."""

    def assembled(name="xgboost", task="binary", method="isotonic"):
        fits = [fit(name, task, seed=seed) for seed in (1, 2, 3)]
        members = [Member(fitted, weight) for fitted, weight in zip(fits, (2, 1, 4), strict=True)]
        ensemble = Ensemble(members)
        if task == "regression":
            return ensemble
        X, y = training_rows(task)
        return Calibrated(ensemble, fit_calibrator(method, ensemble.predict(X), y))

    return assembled


def load(name, task, files):
    return load_assembled(files, family_named(name), task=task, n_classes=N_CLASSES[task])


def test_a_mean_is_weighted_and_added_in_order():
    answers = [np.array([0.1, 1e16]), np.array([0.2, 1.0]), np.array([0.3, -1e16])]

    got = mean_of(answers, [1, 3, 2])

    wanted = [((0.1 + 0.2 * 3) + 0.3 * 2) / 6, ((1e16 + 3.0) - 2e16) / 6]
    assert got.tolist() == wanted


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_an_ensemble_answers_with_the_same_bits_alone_among_others_and_once_loaded(
    make, training_rows, name, task
):
    X, _ = training_rows(task)
    assembled = make(name, task, "sigmoid")
    files, together = assembled.to_files(), assembled.predict(X)

    loaded = load(name, task, files)

    assert loaded.to_files() == files
    assert loaded.predict(X[::-1].copy())[::-1].tobytes() == together.tobytes()
    for size in (1, 2, 31):
        for start in range(0, 20 * size, size):
            part = loaded.predict(np.ascontiguousarray(X[start : start + size]))
            assert part.tobytes() == together[start : start + size].tobytes()


def test_the_list_names_each_member_by_the_digest_of_its_files(fit):
    fits = [fit("xgboost", "binary", seed=seed) for seed in (1, 2)]

    files = Ensemble([Member(fits[0], 3), Member(fits[1], 1)]).to_files()

    wanted = [
        (digest_json(tree_of(fitted.to_files())), n) for fitted, n in zip(fits, (3, 1), strict=True)
    ]
    assert members_of(files) == wanted
    assert files["members/001/model.ubj"] == fits[1].to_files()["model.ubj"]


def test_a_member_in_the_place_of_another_is_refused(make):
    files = make().to_files()
    load("xgboost", "binary", files)
    first, second = "members/000/model.ubj", "members/001/model.ubj"
    swapped = {**files, first: files[second], second: files[first]}

    with pytest.raises(ModelError, match="member 0 of the ensemble is not the one"):
        load("xgboost", "binary", swapped)


@pytest.mark.parametrize(
    "members", [None, [], [{"digest": "sha256:0", "weight": 0}], [{"weight": 1}]]
)
def test_lists_that_make_no_sense_are_refused(make, members):
    content = {"schema": "mlops-ray/ensemble/v1", "members": members}
    files = {**make().to_files(), ENSEMBLE_FILE: canonical_bytes(content)}

    with pytest.raises(ManifestError):
        load("xgboost", "binary", files)


def test_a_greedy_ensemble_is_that_of_trying_every_pick():
    rng = np.random.default_rng(5)
    y = (rng.random(300) < 0.4).astype(int)
    margins = [y * rng.uniform(0.5, 1.5) + rng.normal(0, 1.2, 300) for _ in range(6)]
    shares = [1 / (1 + np.exp(-m)) for m in margins]
    answers = sorted((np.stack([1 - p, p], axis=1) for p in shares), key=lambda a: log_loss(y, a))

    got = greedy_weights(answers, lambda a: log_loss(y, a), 12)

    picked, path = [], []
    for _ in range(12):
        losses = [
            log_loss(y, np.mean([answers[k] for k in [*picked, at]], axis=0)) for at in range(6)
        ]
        picked.append(int(np.argmin(losses)))
        path.append(min(losses))
    used = picked[: int(np.argmin(path)) + 1]
    assert got == [used.count(at) for at in range(6)]
    assert sum(n > 0 for n in got) > 1
    mean = mean_of(answers, got)
    assert log_loss(y, mean) < log_loss(y, answers[0])


def test_it_is_never_worse_than_the_best_alone_and_ties_go_to_the_first():
    y = np.array([0, 1, 0, 1])
    right = np.array([[0.9, 0.1], [0.1, 0.9], [0.8, 0.2], [0.2, 0.8]])

    def loss_of(answers):
        return -roc_auc_score(y, answers[:, 1])

    assert greedy_weights([right, right.copy(), right[:, ::-1]], loss_of, 5) == [1, 0, 0]


def test_a_loss_that_is_no_number_is_the_worst():
    losses = {1.0: float("nan"), 2.0: 5.0}

    assert greedy_weights(
        [np.array([1.0]), np.array([2.0])], lambda a: losses.get(a[0], float("nan")), 3
    ) == [0, 1]
