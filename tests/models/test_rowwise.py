"""Row-wise arithmetic: equal to the textbook, and equal in bits alone and in company."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, softmax

from mlops_ray.models.rowwise import linear_margins, sigmoid_probabilities, softmax_probabilities


@pytest.fixture
def rows():
    return np.random.default_rng(5).normal(size=(2500, 37)).astype(np.float32)


@pytest.fixture
def coefficients():
    return np.random.default_rng(6).normal(size=(11, 37))


def test_margins_are_the_matrix_product_up_to_rounding(rows, coefficients):
    intercepts = np.linspace(-1, 1, 11)

    margins = linear_margins(rows, coefficients, intercepts)

    np.testing.assert_allclose(
        margins, rows.astype(np.float64) @ coefficients.T + intercepts, atol=1e-12
    )


def test_margins_add_from_left_to_right():
    big = np.float32(2.0**60)
    X = np.array([[big, 1.0, -big]], dtype=np.float32)

    assert linear_margins(X, np.ones((1, 3)), np.zeros(1)).item() == 0.0  # 1 is lost to 2**60.
    assert linear_margins(X[:, [0, 2, 1]].copy(), np.ones((1, 3)), np.zeros(1)).item() == 1.0


@pytest.mark.parametrize("size", [1, 2, 7, 31, 1000, 1025, 2500])
def test_bits_of_a_row_do_not_depend_on_the_number_of_rows(rows, coefficients, size):
    everything = softmax_probabilities(linear_margins(rows, coefficients, np.zeros(11)))

    part = softmax_probabilities(linear_margins(rows[:size].copy(), coefficients, np.zeros(11)))

    assert part.tobytes() == everything[:size].tobytes()


def test_bits_do_not_depend_on_the_memory_layout(rows, coefficients):
    margins = linear_margins(rows, coefficients, np.zeros(11))

    fortran = softmax_probabilities(np.asfortranarray(margins))

    assert fortran.tobytes() == softmax_probabilities(margins).tobytes()


def test_sigmoid_agrees_with_scipy_and_does_not_overflow():
    margins = np.array([-800.0, -3.0, -0.0, 0.0, 1e-3, 40.0, 800.0])

    probabilities = sigmoid_probabilities(margins)

    np.testing.assert_allclose(probabilities[:, 1], expit(margins), rtol=1e-15, atol=0)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-15)


def test_sigmoid_of_the_opposite_swaps_the_classes_exactly():
    margins = np.random.default_rng(0).normal(scale=10, size=1000)

    opposite = sigmoid_probabilities(-margins)[:, ::-1]

    assert np.array_equal(sigmoid_probabilities(margins), opposite)


def test_softmax_agrees_with_scipy_and_does_not_overflow():
    margins = np.array([[1000.0, 999.0, -1000.0], [0.0, 0.0, 0.0]])

    np.testing.assert_allclose(
        softmax_probabilities(margins), softmax(margins, axis=1), rtol=1e-15, atol=1e-300
    )


def test_no_rows_give_no_rows():
    assert linear_margins(np.empty((0, 2), np.float32), np.ones((3, 2)), np.ones(3)).shape == (0, 3)
    assert softmax_probabilities(np.empty((0, 3))).shape == (0, 3)
    assert sigmoid_probabilities(np.empty(0)).shape == (0, 2)
