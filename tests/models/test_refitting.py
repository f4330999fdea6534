"""A refit: what answers is fitted to all rows, what is decided is decided by fits that were not."""

from __future__ import annotations

import numpy as np
import pytest

from mlops_ray.config.estimator import ModelConfig
from mlops_ray.config.model import ObjectiveConfig
from mlops_ray.features.matrix import Matrix, join
from mlops_ray.models.calibration_fit import fit_calibrator
from mlops_ray.models.decision import cheapest_threshold
from mlops_ray.models.ensemble import mean_of, members_of
from mlops_ray.models.ensemble_selection import greedy_weights
from mlops_ray.models.families import family_named
from mlops_ray.models.guidance import NO_GUIDANCE, Guidance
from mlops_ray.models.metrics import score
from mlops_ray.models.refitting import Candidate, Refit, RefitTask

XGBOOST = family_named("xgboost")
CANDIDATES = tuple(
    Candidate(index, {"n_estimators": 5, "max_depth": depth, "subsample": 0.7}, seed=40 + index)
    for index, depth in ((7, 3), (2, 5), (4, 1))
)
COSTS = {"false_positive": 1.0, "false_negative": 4.0}


@pytest.fixture(scope="module")
def parts(training_rows):
    X, y = training_rows("binary")
    weights = np.random.default_rng(0).gamma(2.0, size=len(y))
    cut = 400
    return (
        Matrix(X[:cut], y[:cut], "train", weights[:cut]),
        Matrix(X[cut:], y[cut:], "valid", weights[cut:]),
    )


@pytest.fixture(scope="module")
def refit(parts):
    def run(candidates=CANDIDATES, on_valid=True, folds=(), **declared):
        model = ModelConfig.model_validate({"family": "xgboost", **declared})
        task = RefitTask(
            train=parts[0],
            valid=parts[0].without_rows() if folds else parts[1],
            on_valid=on_valid and not folds,
            candidates=candidates,
            model=model,
            guidance=NO_GUIDANCE,
            task="binary",
            n_classes=2,
            objective=ObjectiveConfig(metric="log_loss"),
            folds=folds,
        )
        return Refit(task).run()

    return run


def fitted_to(rows, candidate):
    guidance = Guidance(weights=rows.weights)
    options = {"task": "binary", "n_classes": 2, "threads": 1, "guidance": guidance}
    return XGBOOST.prepare(rows.X, rows.y, **options).fit(candidate.params, seed=candidate.seed)


def from_outside(parts):
    return [fitted_to(parts[0], candidate).predict(parts[1].X) for candidate in CANDIDATES]


def test_without_more_the_best_trial_is_fitted_to_all_rows(refit, parts):
    found = refit(CANDIDATES[:1])

    assert found.fitted.to_files() == fitted_to(join(parts), CANDIDATES[0]).to_files()
    assert (found.members, found.decision) == ((), None)


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_the_calibrator_is_fitted_to_answers_of_a_fit_that_saw_no_validation_row(
    refit, parts, method
):
    files = refit(CANDIDATES[:1], calibration=method).fitted.to_files()

    valid = parts[1]
    wanted = fit_calibrator(method, from_outside(parts)[0], valid.y, valid.weights)
    seen = fitted_to(join(parts), CANDIDATES[0]).predict(valid.X)
    assert files["calibration.json"] == wanted.to_bytes()
    assert wanted != fit_calibrator(method, seen, valid.y, valid.weights)
    assert files["model.ubj"] == fitted_to(join(parts), CANDIDATES[0]).to_files()["model.ubj"]


def test_an_average_takes_all_candidates_in_their_order(refit, parts):
    found = refit(ensemble={"method": "average", "top": 3})

    assert found.members == ((7, 1), (2, 1), (4, 1))
    files = found.fitted.to_files()
    for at, candidate in enumerate(CANDIDATES):
        own = fitted_to(join(parts), candidate).to_files()
        assert files[f"members/{at:03}/model.ubj"] == own["model.ubj"]
    assert [weight for _, weight in members_of(files)] == [1, 1, 1]


def test_a_greedy_ensemble_is_picked_by_the_objective_and_holds_nobody_else(refit, parts):
    found = refit(ensemble={"method": "greedy", "top": 3, "picks": 9})

    valid = parts[1]
    weights = greedy_weights(from_outside(parts), lambda told: score("log_loss", valid.y, told), 9)
    wanted = [(c.index, n) for c, n in zip(CANDIDATES, weights, strict=True) if n]
    assert list(found.members) == wanted
    assert len(members_of(found.fitted.to_files())) == len(wanted)


def test_the_threshold_is_the_cheapest_for_calibrated_answers_of_the_whole_ensemble(refit, parts):
    found = refit(ensemble={"method": "average", "top": 3}, calibration="sigmoid", threshold=COSTS)

    valid, told = parts[1], mean_of(from_outside(parts), [1, 1, 1])
    calibrator = fit_calibrator("sigmoid", told, valid.y, valid.weights)
    costs = ModelConfig.model_validate({"family": "linear", "threshold": COSTS}).threshold
    assert found.decision == cheapest_threshold(calibrator.of(told)[:, 1], valid.y, costs)
    assert found.decision.cost <= found.decision.cost_at_half
    assert found.decision.threshold < 0.5


def test_a_refit_on_the_training_rows_alone_answers_what_was_calibrated(refit, parts):
    found = refit(CANDIDATES[:1], on_valid=False, calibration="isotonic")

    told = from_outside(parts)[0]
    calibrator = fit_calibrator("isotonic", told, parts[1].y, parts[1].weights)
    assert found.fitted.predict(parts[1].X).tobytes() == calibrator.of(told).tobytes()


def dealt(n_rows, n_folds, n_left_out=0):
    """Folds by position; the first rows are never scored, as in a time series."""
    rows = np.arange(n_rows)
    scored = np.array_split(rows[n_left_out:], n_folds)
    return tuple((np.setdiff1d(rows, own), own) for own in scored)


def out_of_fold(train, folds):
    """Answers of each candidate to the rows of each fold, and these rows in that order."""
    rows = np.concatenate([own for _, own in folds])
    answers = [
        np.concatenate(
            [fitted_to(train.taken(others), c).predict(train.X[own]) for others, own in folds]
        )
        for c in CANDIDATES
    ]
    return answers, train.taken(rows)


@pytest.mark.parametrize("n_left_out", [0, 100])
def test_with_folds_what_is_decided_is_decided_by_answers_from_out_of_the_fold(
    refit, parts, n_left_out
):
    train = parts[0]
    folds = dealt(train.n_rows, 3, n_left_out)

    found = refit(
        folds=folds,
        ensemble={"method": "greedy", "top": 3, "picks": 9},
        calibration="sigmoid",
        threshold=COSTS,
    )

    answers, seen = out_of_fold(train, folds)
    weights = greedy_weights(answers, lambda told: score("log_loss", seen.y, told), 9)
    used = [at for at, n in enumerate(weights) if n]
    told = mean_of([answers[at] for at in used], [weights[at] for at in used])
    calibrator = fit_calibrator("sigmoid", told, seen.y, seen.weights)
    costs = ModelConfig.model_validate({"family": "linear", "threshold": COSTS}).threshold
    files = found.fitted.to_files()
    assert list(found.members) == [(CANDIDATES[at].index, weights[at]) for at in used]
    assert files["calibration.json"] == calibrator.to_bytes()
    assert found.decision == cheapest_threshold(calibrator.of(told)[:, 1], seen.y, costs)
    assert found.decision.n == train.n_rows - n_left_out


def test_with_folds_what_answers_is_fitted_to_all_training_rows(refit, parts):
    train = parts[0]

    files = refit(CANDIDATES[:1], folds=dealt(train.n_rows, 3), calibration="isotonic")

    wanted = fitted_to(train, CANDIDATES[0]).to_files()["model.ubj"]
    assert files.fitted.to_files()["model.ubj"] == wanted


def test_other_folds_give_another_calibration(refit, parts):
    n_rows = parts[0].n_rows
    two, three, again = (
        refit(CANDIDATES[:1], folds=dealt(n_rows, n), calibration="sigmoid").fitted.to_files()
        for n in (2, 3, 3)
    )

    assert two["calibration.json"] != three["calibration.json"] == again["calibration.json"]
