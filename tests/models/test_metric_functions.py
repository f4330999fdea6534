"""Metrics of a project: what they are given, and what is refused."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest

from mlops_ray.config.validation import MetricFunctionConfig
from mlops_ray.errors import ModelError
from mlops_ray.models.metric_functions import load_metric, score_by
from mlops_ray.models.scoring import Scoring
from mlops_ray.runtime.code_guard import CodeGuard

SOURCE = b"""
import numpy as np
from mlops_ray import metric


@metric(version=2)
def share(y, predicted):
    predicted[:] = predicted  # Its own copy.
    return np.mean(y == predicted)


@metric(version=1)
def highest(y, predicted):
    return float(predicted.max())


@metric(version=1)
def text(y, predicted):
    return "0.5"


@metric(version=1)
def broken(y, predicted):
    raise ValueError("no idea")
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "mf_own.py").write_bytes(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("mf_own", None)


def declared(name, version=1, needs="labels"):
    return MetricFunctionConfig(
        function=f"mf_own:{name}", version=version, direction="max", needs=needs
    )


Y = np.array([0, 1, 1, 0], dtype=np.int32)
P = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.7, 0.3]])


@pytest.mark.usefixtures("project")
def test_it_is_given_what_it_needs_beside_the_class_indices():
    assert score_by(declared("share", 2), Y, P) == 0.75
    assert score_by(declared("highest", needs="probabilities"), Y, P) == 0.9
    assert score_by(declared("highest", needs="values"), np.ones(2), np.array([3.0, 4.0])) == 4.0


@pytest.mark.usefixtures("project")
def test_it_may_not_change_what_others_are_given():
    y, values = np.ones(2), np.array([3.0, 4.0])
    y.flags.writeable = values.flags.writeable = False

    assert score_by(declared("share", 2, "values"), y, values) == 0.0


@pytest.mark.usefixtures("project")
def test_beside_metrics_of_the_catalogue_it_stands_under_its_own_name():
    found = Scoring(("accuracy",), (declared("share", 2),)).score("binary", Y, P)

    assert found == {"accuracy": 0.75, "mf_own:share": 0.75}


@pytest.mark.usefixtures("project")
def test_of_predictions_that_are_not_finite_it_is_not_asked():
    assert math.isnan(score_by(declared("broken"), Y, np.full((4, 2), np.nan)))


@pytest.mark.usefixtures("project")
def test_another_version_a_missing_function_and_no_number_are_refused():
    with pytest.raises(ModelError, match="got version 2, wanted version 1"):
        load_metric("mf_own:share", 1)
    with pytest.raises(ModelError, match="there is no metric 'mf_own:nothing'"):
        load_metric("mf_own:nothing", 1)
    with pytest.raises(ModelError, match="answers with no number"):
        score_by(declared("text"), Y, P)


@pytest.mark.usefixtures("project")
def test_other_code_than_was_recorded_computes_nothing():
    same = CodeGuard(("mf_own:share",), {"mf_own": SOURCE})
    other = CodeGuard(("mf_own:share",), {"mf_own": SOURCE + b"\n# edited\n"})

    assert Scoring((), (declared("share", 2),), same).score("binary", Y, P)["mf_own:share"] == 0.75
    with pytest.raises(ModelError, match="of which this run needs 'mf_own:share'"):
        Scoring((), (declared("share", 2),), other).score("binary", Y, P)
