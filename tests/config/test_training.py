"""Where training keeps its rows: what fits together, and what is refused with its place."""

from __future__ import annotations

import pytest

from mlops_ray.config.loader import load_config
from mlops_ray.config.model import ModelConfig
from mlops_ray.errors import InvalidConfigError

CONFIG = """\
version: 1
name: large
objective: {metric: roc_auc}
data: {source: {path: data}, task: binary, target: y, key: [id]}
split: {test: {share: 0.2}, valid: {share: 0.2}}
features: [{columns: [x]}]
model: {family: xgboost}
"""


@pytest.fixture
def load(tmp_path):
    """Loads the pipeline file with other values."""
    path = tmp_path / "pipeline.yaml"
    path.write_text(CONFIG, encoding="utf-8")
    return lambda *overrides: load_config(path, overrides).config.model


def test_what_is_not_declared_stays_out_of_the_record(load):
    assert load().model_dump() == ModelConfig(family="xgboost").model_dump()
    assert "training" not in load().model_dump()
    assert not load().is_streamed


def test_both_ways_for_large_tables_are_declared_by_name(load):
    external = load("model.training=external")
    shared = load("model.training=distributed", "model.workers=2")

    assert external.is_streamed
    assert external.model_dump()["training"] == "external"
    assert (shared.training, shared.workers, shared.is_streamed) == ("distributed", 2, True)


def test_metrics_intervals_of_rows_and_a_rule_of_choice_go_with_streamed_rows(load):
    model = load(
        "model.training=external",
        "objective.metric=balanced_accuracy",
        "evaluation={metrics: [brier], bootstrap: {}}",
        "search.space={max_depth: {int: [1, 3]}}",
        "search.selection={tie_break: [{lowest: max_depth}]}",
    )

    assert model.is_streamed


@pytest.mark.parametrize(
    ("overrides", "key", "what"),
    [
        (["model.family=linear", "model.training=external"], "model.training", "in memory"),
        (["data.order_by=[id]", "model.training=external"], "data.order_by", "unsorted"),
        (["model.training=distributed"], "model.workers", "several workers, not 1"),
        (["model.workers=2"], "model.workers", "fits on one worker"),
        (["model.training=external", "model.workers=2"], "model.workers", "fits on one worker"),
        (["model.training=disk"], "model.training", "memory"),
        (["model.training=external", "data.weight=w"], "data.weight", "does not go with it"),
        (["model.training=external", "model.categories=[x]"], "model.categories", "does not go"),
        (["model.training=external", "model.device=cuda"], "model.device", "does not go with it"),
        (["model.training=external", "model.calibration=sigmoid"], "model.calibration", "not go"),
        (["model.training=external", "model.ensemble={top: 2}"], "model.ensemble", "does not go"),
        (
            ["model.training=external", "split.valid=null", "validation={scheme: k_fold}"],
            "validation.scheme",
            "a matrix in memory",
        ),
        (
            ["model.training=external", "split.group=g", "evaluation.bootstrap={}"],
            "evaluation.bootstrap",
            "groups are drawn from a matrix in memory",
        ),
    ],
)
def test_what_does_not_go_together_is_refused_with_its_place(load, overrides, key, what):
    with pytest.raises(InvalidConfigError, match=what) as refused:
        load(*overrides)

    assert key in [problem.where.key for problem in refused.value.problems]
