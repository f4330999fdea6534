"""One trial: a function of task, index and parameters, that survives its errors."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from mlops_ray.models.families import family_named
from mlops_ray.runtime.seeds import derive
from mlops_ray.search.objective import TrialRunner
from mlops_ray.search.step import Step, trial_seed


def fit_trial(task, index, params):
    """One trial in a process of its own, as it were."""
    return TrialRunner(task).run(Step(index, params, trial_seed(9, index)))


def test_a_trial_is_the_same_whenever_it_runs(make_task):
    task = make_task(params={"n_estimators": 5, "subsample": 0.5})
    first = fit_trial(task, 3, {"max_depth": 2})

    fit_trial(task, 4, {"max_depth": 4})

    assert fit_trial(task, 3, {"max_depth": 2}) == first


def test_a_trial_is_the_same_alone_and_after_others_on_the_same_rows(make_task):
    task = make_task(params={"n_estimators": 5, "subsample": 0.5, "colsample_bytree": 0.5})
    steps = [Step(i, {"max_depth": 1 + i % 4}, trial_seed(9, i)) for i in range(6)]
    runner = TrialRunner(task)

    together = [runner.run(step) for step in (*steps, *reversed(steps))]

    alone = [TrialRunner(task).run(step) for step in steps]
    assert together == [*alone, *reversed(alone)]
    assert len({record.value for record in alone}) > 1


def test_a_task_that_cannot_be_fitted_fails_every_trial_with_its_reason(make_task):
    runner = TrialRunner(make_task(y_train=np.ones(150, dtype=np.int32)))

    for index in range(2):
        record = runner.run(Step(index, {}, 1))
        assert (record.status, record.error) == ("failed", "ModelError")
        assert "every class" in record.message


def test_seed_follows_root_and_index_only(make_task):
    assert fit_trial(make_task(), 3, {}).seed == str(derive(9, "trial", 3))
    assert trial_seed(9, 3) != trial_seed(9, 4)


def test_value_is_the_score_on_the_validation_rows(make_task):
    task = make_task()
    fitted = family_named("xgboost").fit(
        task.X_train,
        task.y_train,
        {"n_estimators": 5, "max_depth": 2},
        task="binary",
        n_classes=2,
        seed=trial_seed(9, 0),
        threads=1,
    )

    record = fit_trial(task, 0, {"max_depth": 2})

    wanted = roc_auc_score(task.y_valid, fitted.predict(task.X_valid)[:, 1])
    assert record.status == "finished"
    assert record.value == wanted == record.metrics["roc_auc"]
    assert set(record.metrics) == {
        "accuracy", "average_precision", "f1_macro", "log_loss", "roc_auc",
    }  # fmt: skip


def test_drawn_parameters_go_over_fixed_ones_and_are_all_that_is_recorded(make_task):
    record = fit_trial(make_task(), 0, {"n_estimators": 2})

    assert record.params == {"n_estimators": 2}
    assert record.metrics == fit_trial(make_task(params={"n_estimators": 2}), 0, {}).metrics


def test_a_failing_fit_becomes_a_record(make_task):
    record = fit_trial(make_task(), 2, {"max_depth": -1})

    assert (record.status, record.error, record.value) == ("failed", "ModelError", None)
    assert "max_depth" in record.message


def test_an_objective_that_is_not_defined_makes_the_trial_invalid(make_task):
    record = fit_trial(make_task(y_valid=np.ones(50, dtype=np.int32)), 0, {})

    assert record.status == "invalid"
    assert "roc_auc" not in record.metrics
    assert "accuracy" in record.metrics


@pytest.mark.parametrize("family", ["linear", "hist_gradient_boosting"])
def test_other_families_run_the_same_way(make_task, family):
    assert fit_trial(make_task(family=family, params={}), 0, {}).status == "finished"
