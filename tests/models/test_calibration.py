"""Calibrators beside scikit-learn's; and answers: written, read, alone and among others."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.isotonic import IsotonicRegression

from mlops_ray.errors import ManifestError, ModelError
from mlops_ray.models.calibration import Calibrator, SigmoidCurve, StepCurve, log_odds
from mlops_ray.models.calibration_fit import fit_calibrator


class Told(ClassifierMixin, BaseEstimator):
    """A classifier whose margins are its only feature."""

    def __init__(self):
        self.classes_ = np.array([0, 1])
        self.fitted_ = True

    def fit(self, X, y):  # noqa: ARG002 - scikit-learn's signature
        return self

    def decision_function(self, X):
        return X[:, 0]

    def predict(self, X):
        return (X[:, 0] > 0).astype(int)


def answers(n=800, seed=1, n_classes=2):
    """Overconfident probabilities in float32, with ties, and what happened."""
    rng = np.random.default_rng(seed)
    margins = rng.normal(size=(n, n_classes)).round(1)
    powers = np.exp(margins)
    true = powers / powers.sum(axis=1, keepdims=True)
    y = (true.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1).astype(np.int32)
    powers = np.exp(2.5 * margins + np.arange(n_classes))
    told = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32).astype(np.float64)
    return told / told.sum(axis=1, keepdims=True), y, rng.gamma(2.0, size=n)


@pytest.mark.filterwarnings("ignore:Since FrozenEstimator")  # The weights of calibration are meant.
@pytest.mark.parametrize("is_weighted", [False, True])
def test_a_sigmoid_is_that_of_scikit_learn_on_the_log_odds(is_weighted):
    told, y, weights = answers()
    odds = log_odds(told[:, 1])[:, None]
    used = weights if is_weighted else None
    oracle = CalibratedClassifierCV(FrozenEstimator(Told()), method="sigmoid")
    oracle.fit(odds, y, sample_weight=used)

    got = fit_calibrator("sigmoid", told, y, used).of(told)

    np.testing.assert_allclose(got, oracle.predict_proba(odds), atol=2e-5)


def test_a_sigmoid_on_log_odds_undoes_what_stretched_and_moved_them():
    rng = np.random.default_rng(3)
    true = rng.uniform(0.02, 0.98, 40_000)
    y = (rng.random(true.size) < true).astype(np.int32)
    wrong = 1 / (1 + np.exp(-(2.0 * np.log(true / (1 - true)) + 1.0)))

    (curve,) = fit_calibrator("sigmoid", np.stack([1 - wrong, wrong], axis=1), y).curves

    np.testing.assert_allclose([curve.slope, curve.intercept], [0.5, -0.5], atol=0.03)


def test_a_sigmoid_does_not_depend_on_the_order_of_the_rows():
    told, y, weights = answers()
    order = np.random.default_rng(0).permutation(y.size)

    first = fit_calibrator("sigmoid", told, y, weights)

    assert fit_calibrator("sigmoid", told[order], y[order], weights[order]) == first


def test_classes_that_are_parted_perfectly_have_a_finite_sigmoid():
    shares = np.array([1e-12, 0.2, 0.8, 1.0])
    told, y = np.stack([1 - shares, shares], axis=1), np.array([0, 0, 1, 1], dtype=np.int32)

    got = fit_calibrator("sigmoid", told, y).of(told)[:, 1]

    assert (np.diff(got) > 0).all()
    assert 0.0 < got[0] < 0.5 < got[3] < 1.0


@pytest.mark.parametrize("is_weighted", [False, True])
def test_isotonic_steps_are_those_of_scikit_learn(is_weighted):
    told, y, weights = answers()
    used = weights if is_weighted else None
    oracle = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
    oracle.fit(told[:, 1], y, sample_weight=used)
    asked = np.concatenate([told[:, 1], np.linspace(0, 1, 501)])

    got = fit_calibrator("isotonic", told, y, used).curves[0].of(asked)

    np.testing.assert_allclose(got, oracle.predict(asked), atol=1e-12)


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_several_classes_are_calibrated_one_by_one_and_sum_to_one(method):
    told, y, _ = answers(n_classes=4)

    calibrator = fit_calibrator(method, told, y)
    got = calibrator.of(told)

    alone = [
        fit_calibrator(method, np.stack([1 - t, t], axis=1), (y == k).astype(np.int32))
        for k, t in enumerate(told.T)
    ]
    columns = np.stack([one.curves[0].of(t) for one, t in zip(alone, told.T, strict=True)], axis=1)
    np.testing.assert_allclose(got, columns / columns.sum(axis=1, keepdims=True), rtol=1e-12)
    one_hot = np.eye(4)[y]
    assert ((got - one_hot) ** 2).sum() < ((told - one_hot) ** 2).sum()


def test_shares_that_all_become_nothing_are_equal():
    curves = tuple(StepCurve((0.5, 0.6), (0.0, 1.0)) for _ in range(4))

    got = Calibrator("isotonic", curves).of(np.full((2, 4), 0.25))

    assert got.tolist() == [[0.25] * 4] * 2


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
@pytest.mark.parametrize("n_classes", [2, 12])
def test_a_row_has_the_same_bits_alone_among_others_and_once_read(method, n_classes):
    told, y, _ = answers(n_classes=n_classes)
    calibrator = fit_calibrator(method, told, y)
    together = calibrator.of(told)
    read = Calibrator.from_bytes(calibrator.to_bytes())

    assert read == calibrator
    assert read.to_bytes() == calibrator.to_bytes()
    for size in (1, 2, 7, 31):
        for start in range(0, 40 * size, size):
            part = read.of(told[start : start + size])
            assert part.tobytes() == together[start : start + size].tobytes()
    assert read.of(told[::-1])[::-1].tobytes() == together.tobytes()


def test_a_class_that_validation_does_not_show_is_refused():
    told, y, _ = answers(n_classes=3)

    with pytest.raises(ModelError, match="2 of 3 classes"):
        fit_calibrator("sigmoid", told, np.minimum(y, 1))


def test_a_level_sigmoid_gives_back_what_it_got():
    shares = np.linspace(0.001, 0.999, 99)

    np.testing.assert_allclose(SigmoidCurve(1.0, 0.0).of(shares), shares, rtol=1e-12)


@pytest.mark.parametrize(
    "data",
    [
        b"{}",
        b'{"curves":[{"slope":1}],"method":"sigmoid","schema":"mlops-ray/calibration/v1"}',
        b'{"curves":[{"x":[],"y":[]}],"method":"isotonic","schema":"mlops-ray/calibration/v1"}',
        b'{"curves":[{}],"method":"beta","schema":"mlops-ray/calibration/v1"}',
    ],
)
def test_other_documents_are_refused(data):
    with pytest.raises(ManifestError):
        Calibrator.from_bytes(data)
