from __future__ import annotations

import math

import pytest

from mlops_ray.config.model import GateConfig
from mlops_ray.pipeline.gates import judge

AT_LEAST = GateConfig(metric="roc_auc", at_least=0.9)
AT_MOST = GateConfig(metric="rmse", at_most=3.0)


def test_no_gate_gives_no_verdict():
    assert judge([], {"roc_auc": 1.0}, "sha256:e") == []


@pytest.mark.parametrize(
    ("value", "verdict"),
    [(0.95, "PASS"), (0.9, "PASS"), (math.nextafter(0.9, 0), "FAIL"), (0.0, "FAIL")],
)
def test_at_least_includes_its_threshold(value, verdict):
    (found,) = judge([AT_LEAST], {"roc_auc": value}, "sha256:e")

    assert (found.verdict, found.value, found.comparator) == (verdict, value, ">=")
    assert (found.metric, found.threshold, found.evidence) == ("roc_auc", 0.9, "sha256:e")


@pytest.mark.parametrize(
    ("value", "verdict"),
    [(-1.0, "PASS"), (3.0, "PASS"), (math.nextafter(3.0, 4), "FAIL"), (1e300, "FAIL")],
)
def test_at_most_includes_its_threshold(value, verdict):
    (found,) = judge([AT_MOST], {"rmse": value}, "sha256:e")

    assert (found.verdict, found.comparator, found.threshold) == (verdict, "<=", 3.0)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("gate", [AT_LEAST, AT_MOST])
def test_a_value_that_is_not_finite_is_unknown_and_never_green(gate, value):
    (found,) = judge([gate], {gate.metric: value}, "sha256:e")

    assert (found.verdict, found.value) == ("UNKNOWN", None)


def test_a_metric_that_was_not_computed_is_unknown():
    found = judge([AT_MOST, AT_LEAST], {"rmse": 1.0}, "sha256:e")

    assert [gate.verdict for gate in found] == ["PASS", "UNKNOWN"]


def test_a_threshold_of_zero_is_a_threshold():
    gates = [GateConfig(metric="r2", at_least=0.0), GateConfig(metric="mae", at_most=0.0)]

    found = judge(gates, {"r2": -0.1, "mae": 0.0}, "sha256:e")

    assert [(gate.verdict, gate.threshold) for gate in found] == [("FAIL", 0.0), ("PASS", 0.0)]
