"""XGBoost on batches: the bytes of a fit in memory, whatever the batches."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from mlops_ray.errors import ModelError
from mlops_ray.models.families import family_named
from mlops_ray.models.xgboost_stream import StreamedRows, external_training, shared_training

PARAMS = {"n_estimators": 12, "max_depth": 4, "subsample": 0.6, "colsample_bytree": 0.7}
N_CLASSES = {"binary": 2, "multiclass": 12, "regression": 0}


def _batches(X, y, size):
    return iter([(X[at : at + size], y[at : at + size]) for at in range(0, len(X), size)])


@pytest.fixture(params=["binary", "multiclass", "regression"])
def streamed(request, training_rows):
    """Makes rows in batches, beside the same rows and their task."""
    task = request.param
    X, y = training_rows(task, with_missing=True)

    def make(size):
        return StreamedRows(partial(_batches, X, y, size), y, task, N_CLASSES[task])

    return make, X, y, task


def _in_memory(X, y, task, threads=1):
    return family_named("xgboost").prepare(
        X, y, task=task, n_classes=N_CLASSES[task], threads=threads
    )


@pytest.mark.parametrize(("size", "threads"), [(17, 1), (64, 2), (10_000, 1)])
def test_on_disk_a_fit_has_the_bytes_of_one_in_memory(streamed, size, threads, tmp_path):
    make, X, y, task = streamed

    fitted = external_training(make(size), threads, tmp_path).fit(PARAMS, seed=3)

    assert fitted.to_files() == _in_memory(X, y, task).fit(PARAMS, seed=3).to_files()
    assert fitted.to_files() != _in_memory(X, y, task).fit(PARAMS, seed=4).to_files()


def test_on_disk_a_fit_goes_on_from_rung_to_rung(streamed, tmp_path):
    make, X, y, task = streamed

    growth = external_training(make(50), 1, tmp_path).grow(PARAMS, seed=3)
    growth.to(5)

    assert growth.to(12).to_files() == _in_memory(X, y, task).fit(PARAMS, seed=3).to_files()


def test_other_numbers_of_bins_are_quantised_anew(streamed, tmp_path):
    make, X, y, task = streamed
    training, memory = external_training(make(50), 1, tmp_path), _in_memory(X, y, task)

    for max_bin in (8, 64, 8, 16):
        params = {**PARAMS, "max_bin": max_bin}
        assert training.fit(params, seed=3).to_files() == memory.fit(params, seed=3).to_files()


def test_shared_by_one_process_a_fit_has_the_bytes_of_one_in_memory(streamed):
    make, X, y, task = streamed

    fitted = shared_training(make(50), 1).fit(PARAMS, seed=3)

    assert fitted.to_files() == _in_memory(X, y, task).fit(PARAMS, seed=3).to_files()


def test_the_matrix_lies_in_the_folder_and_in_no_other(streamed, tmp_path):
    make, *_ = streamed
    training = external_training(make(50), 1, tmp_path)
    assert not list(tmp_path.iterdir())

    training.fit(PARAMS, seed=3)

    assert [path.suffix for path in tmp_path.iterdir()] == [".page"]


@pytest.mark.parametrize("begin", [partial(external_training, folder=None), shared_training])
def test_rows_that_cannot_be_used_are_refused(begin):
    X, y = np.zeros((6, 2), np.float32), np.zeros(6, np.int32)

    with pytest.raises(ModelError, match="do not show every class"):
        begin(StreamedRows(partial(_batches, X, y, 2), y, "binary", 2), threads=1)
    with pytest.raises(ModelError, match="no training rows"):
        begin(StreamedRows(partial(_batches, X[:0], y[:0], 2), y[:0], "binary", 2), threads=1)


def test_an_infinity_in_any_batch_is_refused(tmp_path):
    X, y = np.ones((6, 2), np.float32), np.arange(6.0)
    X[5, 1] = np.inf
    rows = StreamedRows(partial(_batches, X, y, 2), y, "regression", 0)

    with pytest.raises(ModelError, match="infinities"):
        external_training(rows, 1, tmp_path).fit(PARAMS, seed=3)
