"""The ``environment`` section: what may be declared, and what it means if it is not."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from mlops_ray.config.environment import EnvironmentConfig
from mlops_ray.config.loader import load_config
from mlops_ray.config.model import PipelineConfig

FILE = """\
version: 1
name: churn
objective: {metric: roc_auc}
data: {source: d.csv, task: binary, target: left, key: [id]}
split: {test: {share: 0.2}, valid: {share: 0.2}}
features: [{columns: [age]}]
model: {family: xgboost}
environment: {on_difference: allow, tolerance: 1e-5}
"""


def test_a_file_may_declare_it(tmp_path):
    path = tmp_path / "p.yaml"
    path.write_text(FILE)

    declared = load_config(path, ["environment.on_difference=warn"]).config.environment

    assert declared == EnvironmentConfig(on_difference="warn", tolerance=1e-5)


def test_a_difference_is_refused_by_default():
    assert PipelineConfig.model_fields["environment"].default == EnvironmentConfig(
        on_difference="refuse", tolerance=1e-6
    )


@pytest.mark.parametrize("on_difference", ["refuse", "warn", "allow"])
def test_each_policy_may_be_declared(on_difference):
    declared = EnvironmentConfig.model_validate({"on_difference": on_difference, "tolerance": 0})

    assert (declared.on_difference, declared.tolerance) == (on_difference, 0.0)


@pytest.mark.parametrize(
    "content",
    [
        {"on_difference": "ignore"},
        {"on_difference": None},
        {"tolerance": -1e-9},
        {"tolerance": 1.0},
        {"tolerance": "1e-6"},
        {"tolerance": float("nan")},
        {"packages": {}},
    ],
)
def test_what_makes_no_sense_is_refused(content):
    with pytest.raises(ValidationError):
        EnvironmentConfig.model_validate(content)
