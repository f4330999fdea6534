"""Metrics from counts against scikit-learn's on the rows drawn, and intervals in closed form."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
from sklearn import metrics as reference

from mlops_ray.config.metric_catalogue import METRICS, fitting
from mlops_ray.config.validation import BootstrapConfig, MetricFunctionConfig
from mlops_ray.models import weighted
from mlops_ray.models.bootstrap import draws, intervals
from mlops_ray.models.metrics import score
from mlops_ray.models.scorers import SCORERS
from mlops_ray.models.scoring import Scoring

N_CLASSES = {"binary": 2, "multiclass": 4}
CASES = [(name, task) for task in ("binary", "multiclass", "regression") for name in fitting(task)]


def rows_of(task, n_rows, seed):
    """Few rows have absent classes and ties; predictions are rounded, so that many are equal."""
    rng = np.random.default_rng(seed)
    if task == "regression":
        y = rng.gamma(2.0, 2.0, n_rows) + 0.1
        return y, y * rng.uniform(0.5, 1.5, n_rows)
    n_classes = N_CLASSES[task]
    y = rng.integers(0, n_classes, n_rows).astype(np.int32)
    p = np.round(rng.uniform(0.05, 1.0, (n_rows, n_classes)) + 0.3 * np.eye(n_classes)[y], 1)
    return y, p / p.sum(axis=1, keepdims=True)


def is_same(got, wanted):
    both_undefined = math.isnan(got) and math.isnan(wanted)
    return both_undefined or got == pytest.approx(wanted, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize(("name", "task"), CASES)
@pytest.mark.parametrize("n_rows", [4, 12, 300])
def test_a_metric_from_counts_is_that_of_the_copied_rows(name, task, n_rows):
    differ = 0
    for seed in range(5):
        y, predictions = rows_of(task, n_rows, seed)
        of_counts = weighted.kernel(name, y, predictions, partial(score, name))
        (counts,) = draws(n_rows, 1, seed)
        rows = np.repeat(np.arange(n_rows), counts)

        assert is_same(of_counts(counts), score(name, y[rows], predictions[rows]))
        assert is_same(of_counts(np.ones(n_rows, dtype=np.int64)), score(name, y, predictions))
        differ += not is_same(of_counts(counts), score(name, y, predictions))
    assert differ or n_rows == 4


def test_no_metric_is_copied_whose_rows_can_be_weighed(monkeypatch):
    def refuse(*_):
        raise AssertionError("rows were copied")

    monkeypatch.setattr(weighted, "_of_copies", refuse)
    copied = set()
    for name, task in CASES:
        try:
            weighted.kernel(name, *rows_of(task, 12, 0), partial(score, name))
        except AssertionError:
            copied.add(name)

    assert copied == {
        "roc_auc_ovo",
        "median_absolute_error",
        "max_error",
        "d2_absolute_error",
        "mean_poisson_deviance",
        "mean_gamma_deviance",
    }


def test_counts_are_whole_numbers_that_sum_to_the_rows_and_follow_the_seed():
    first, again, other = (list(draws(50, 20, seed)) for seed in (3, 3, 4))

    assert all(counts.sum() == 50 and counts.dtype.kind == "i" for counts in first)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_standard_error_of_a_mean_is_that_of_the_closed_form():
    rng = np.random.default_rng(5)
    y, values = np.zeros(400), np.abs(rng.gamma(2.0, 3.0, 400))
    kernels = Scoring(("mae",)).kernels("regression", y, values)

    found = intervals(kernels, 400, BootstrapConfig(resamples=20_000), seed=8)["mae"]

    exact = values.std() / math.sqrt(400)  # Of the mean of 400 draws from these very values.
    assert found.standard_error == pytest.approx(exact, rel=0.02)
    assert found.low == pytest.approx(values.mean() - 1.96 * exact, rel=0.01)
    assert found.high == pytest.approx(values.mean() + 1.96 * exact, rel=0.01)
    assert found.n_undefined == 0


def test_groups_are_drawn_as_a_whole_so_that_their_number_counts():
    rng = np.random.default_rng(6)
    of_group = np.abs(rng.normal(10.0, 3.0, 60))
    groups = np.repeat(np.arange(60, dtype=np.uint64) * 977, 20)
    values = np.repeat(of_group, 20)
    kernels = Scoring(("mae",)).kernels("regression", np.zeros(1200), values)
    declared = BootstrapConfig(resamples=10_000)

    together = intervals(kernels, 1200, declared, 8, groups)["mae"]
    alone = intervals(kernels, 1200, declared, 8)["mae"]

    exact = of_group.std() / math.sqrt(60)
    assert together.standard_error == pytest.approx(exact, rel=0.03)
    assert alone.standard_error == pytest.approx(exact / math.sqrt(20), rel=0.03)


def test_resamples_in_which_a_metric_is_undefined_are_counted_and_left_out():
    y = np.array([1, 0, 0], dtype=np.int32)
    p = np.array([[0.2, 0.8], [0.6, 0.4], [0.7, 0.3]])
    kernels = Scoring(("roc_auc",)).kernels("binary", y, p)

    found = intervals(kernels, 3, BootstrapConfig(resamples=5000), seed=1)["roc_auc"]

    # All rows of one class: (2/3)^3 without the positive one, (1/3)^3 with nothing else.
    assert found.n_undefined / 5000 == pytest.approx(9 / 27, abs=0.03)
    assert (found.low, found.high) == (1.0, 1.0)


def test_a_metric_that_no_resample_defines_has_no_interval():
    y, p = np.ones(3, dtype=np.int32), np.full((3, 2), 0.5)
    kernels = Scoring(("roc_auc", "accuracy")).kernels("binary", y, p)

    assert list(intervals(kernels, 3, BootstrapConfig(), seed=1)) == ["accuracy"]


def test_a_metric_of_the_project_is_scored_on_the_rows_drawn(monkeypatch, tmp_path):
    (tmp_path / "own_costs.py").write_text(
        "import mlops_ray\n\n\n@mlops_ray.metric(version=1)\ndef missed(y, predicted):\n"
        "    return float(((y == 1) & (predicted == 0)).mean())\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    declared = MetricFunctionConfig(
        function="own_costs:missed", version=1, direction="min", needs="labels"
    )
    y, p = rows_of("binary", 40, 2)
    (counts,) = draws(40, 1, 9)

    found = Scoring(("accuracy",), (declared,)).kernels("binary", y, p)["own_costs:missed"](counts)

    missed = (y == 1) & (p.argmax(axis=1) == 0)
    assert found == pytest.approx(float(np.average(missed, weights=counts)), abs=1e-12)


def test_sums_without_weights_are_noticed(monkeypatch):
    """A mutation: losses that forget how often a row was drawn."""
    y, values = rows_of("regression", 300, 1)
    (counts,) = draws(300, 1, 1)
    wanted = reference.mean_absolute_error(y, values, sample_weight=counts)
    plain = weighted.kernel("mae", y, values, partial(score, "mae"))

    assert plain(counts) == pytest.approx(wanted, abs=1e-12)
    monkeypatch.setattr(
        weighted, "_of_losses", lambda losses, finish: lambda _: finish(float(losses.mean()))
    )
    assert weighted.kernel("mae", y, values, partial(score, "mae"))(counts) != pytest.approx(
        wanted, abs=1e-6
    )


def test_every_metric_of_the_catalogue_has_a_scorer_and_the_other_way_round():
    assert set(SCORERS) == set(METRICS)


def test_metrics_of_labels_and_their_intervals_look_at_what_is_told():
    y, p = rows_of("binary", 200, 3)
    scoring = Scoring(("f1", "roc_auc"))
    told = p[:, 1] >= 0.2

    scores = scoring.score("binary", y, p, 0.2)
    kernels = scoring.kernels("binary", y, p, 0.2)

    ones = np.ones(200, dtype=np.int64)
    assert scores["f1"] == pytest.approx(reference.f1_score(y, told), abs=1e-12)
    assert scores["f1"] != pytest.approx(score("f1", y, p), abs=1e-3)
    assert scores["roc_auc"] == score("roc_auc", y, p)
    assert {name: of(ones) for name, of in kernels.items()} == pytest.approx(scores, abs=1e-12)
