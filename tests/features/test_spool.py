"""Rows on disk are those of the matrices in memory, whatever the input is cut into."""

from __future__ import annotations

import numpy as np
import pytest

from mlops_ray.features import spool as module
from mlops_ray.features.matrix import gather, matrix_of_unit
from mlops_ray.features.spool import batch_rows, spool, spool_unit


@pytest.fixture
def matrices(unit_rows):
    """The same rows in memory."""
    plan, units = unit_rows
    return gather(plan, [matrix_of_unit(plan, unit) for unit in units])


@pytest.mark.parametrize("threads", [1, 3])
def test_rows_and_targets_are_those_of_the_matrices_part_by_part(
    unit_rows, matrices, tmp_path, threads
):
    plan, units = unit_rows

    found = spool(plan, units, tmp_path, threads, spool_unit)

    for part, matrix in matrices.items():
        ((X, y),) = found.batches((part,))
        np.testing.assert_array_equal(X, matrix.X)
        np.testing.assert_array_equal(y, matrix.y)
        assert (X.dtype, y.dtype, found.n_rows((part,))) == ("f4", "i4", matrix.n_rows)
    both = np.concatenate([matrix.y for matrix in matrices.values()])
    np.testing.assert_array_equal(found.targets(("train", "valid")), both)


def test_batches_are_as_long_as_the_number_of_features_says_wherever_units_end(
    unit_rows, matrices, tmp_path, monkeypatch
):
    plan, units = unit_rows
    monkeypatch.setattr(module, "_FEW_ROWS", 64)
    monkeypatch.setattr(module, "_BATCH_CELLS", 2)

    found = spool(plan, units, tmp_path, 2, spool_unit)

    batches = list(found.batches(("train", "valid")))
    n_rows = sum(matrix.n_rows for matrix in matrices.values())
    assert [len(X) for X, _ in batches] == [64] * (n_rows // 64) + [n_rows % 64]
    whole = np.concatenate([matrix.X for matrix in matrices.values()])
    np.testing.assert_array_equal(np.concatenate([X for X, _ in batches]), whole)


def test_rows_of_other_parts_are_nowhere_below_the_folder(unit_rows, tmp_path):
    plan, units = unit_rows
    folder = tmp_path / "rows"
    folder.mkdir()

    found = spool(plan, units, folder, 1, spool_unit)

    assert {path.name.partition("-")[0] for path in folder.iterdir()} == {"train", "valid"}
    n_rows = sum(path.stat().st_size for path in folder.glob("*.y")) // 4
    assert n_rows == found.n_rows(("train", "valid")) < 600


def test_a_part_without_rows_has_no_batches(unit_rows, tmp_path):
    plan, _ = unit_rows

    found = spool(plan, [], tmp_path, 1, spool_unit)

    assert list(found.batches(("train",))) == []
    assert found.targets(("train",)).size == 0


def test_wide_rows_make_short_batches_but_not_absurdly_short_ones():
    assert batch_rows(4) * 4 == batch_rows(64) * 64
    assert batch_rows(10**6) == 1024
