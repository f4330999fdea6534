"""The last fit from disk and by several workers, some of which are killed."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from mlops_ray.errors import ModelError
from mlops_ray.features.matrix import gather, join, matrix_of_unit
from mlops_ray.features.spool import spool_unit
from mlops_ray.models.families import family_named
from mlops_ray.pipeline import streamed_fit
from mlops_ray.pipeline.streamed_fit import StreamedFit, fit_distributed, fit_external
from mlops_ray.pipeline.worker import on_worker

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_cluster")]

PARAMS = {"n_estimators": 15, "max_depth": 3, "subsample": 0.8}


@pytest.fixture
def fit(unit_rows):
    """A fit to the rows of train and valid."""
    plan, units = unit_rows
    return StreamedFit(plan, units, spool_unit, "binary", 2, PARAMS, seed=5, threads=1)


@pytest.fixture
def rows(unit_rows):
    """The same rows in memory, in their order."""
    plan, units = unit_rows
    return join(list(gather(plan, [matrix_of_unit(plan, unit) for unit in units]).values()))


def _predict(files, X):
    return family_named("xgboost").from_files(files, task="binary", n_classes=2).predict(X)[:, 1]


def _dying(died, *, also_slow=False):
    """Writes rows, but kills its process once at unit 3; defined inside, so that Ray ships it."""

    def work(plan, folder, unit):
        if also_slow and unit.index == 0:
            time.sleep(1.0)  # The other worker is first for once.
        if unit.index == 3 and not died.exists():
            died.write_text(str(folder), encoding="utf-8")
            os.kill(os.getpid(), 9)
        return spool_unit(plan, folder, unit)

    return work


def test_from_disk_the_estimator_has_the_bytes_of_one_fitted_in_memory_even_if_killed(
    fit, rows, tmp_path
):
    died = tmp_path / "died"

    files = on_worker(fit_external, replace(fit, work=_dying(died)), threads=1)

    of_memory = family_named("xgboost").fit(
        rows.X, rows.y, PARAMS, task="binary", n_classes=2, seed=5, threads=1
    )
    assert files == of_memory.to_files()
    assert not Path(died.read_text(encoding="utf-8")).exists()


@pytest.mark.campaign
def test_two_workers_give_one_model_whoever_is_first_and_whoever_is_killed(fit, rows, tmp_path):
    died = tmp_path / "died"

    files = fit_distributed(fit, 2)
    disturbed = fit_distributed(replace(fit, work=_dying(died, also_slow=True)), 2)

    assert files == disturbed
    assert not Path(died.read_text(encoding="utf-8")).exists()
    alone = on_worker(fit_external, fit, threads=1)
    answers, of_one = _predict(files, rows.X), _predict(alone, rows.X)
    assert files != alone  # Two workers sample rows of their own.
    assert np.corrcoef(answers, of_one)[0, 1] > 0.9
    assert roc_auc_score(rows.y, answers) > 0.9


@pytest.mark.slow
def test_workers_without_sampling_fit_the_model_of_one(fit, rows):
    plain = replace(fit, params={**PARAMS, "subsample": 1.0})

    files = fit_distributed(plain, 2)

    alone = on_worker(fit_external, plain, threads=1)
    np.testing.assert_allclose(_predict(files, rows.X), _predict(alone, rows.X), rtol=1e-5)


@pytest.mark.slow
def test_what_a_worker_refuses_comes_out_as_it_is(fit, monkeypatch):
    monkeypatch.setattr(streamed_fit, "_MOST_FAILURES", 0)

    with pytest.raises(ModelError, match="has no training rows"):
        fit_distributed(replace(fit, units=fit.units[:1]), 2)
