"""Mistakes in steps: place, what is wrong, the nearest name; and what a right one resolves to."""

import json
import subprocess
import sys

import pytest

from mlops_ray.config import StepDeclaration
from mlops_ray.config.loader import load_config
from mlops_ray.errors import ConfigError, InvalidConfigError
from mlops_ray.features.declaration import read_step, step_problems
from mlops_ray.features.steps import DECLARABLE, STEPS

TEXT = """\
version: 1
name: homes
objective: {metric: rmse}
data: {source: rows.csv, task: regression, target: price, key: [id]}
split: {test: {share: 0.2}, valid: {share: 0.2}}
features:
  - columns: [area]
    steps:
      - STEP
model: {family: xgboost}
"""


AT = "9:9: features.0.steps.0"
MISTAKES = {
    "standardise": f"{AT}: unknown step 'standardise'; did you mean 'standardize'?",
    "is_null": f"{AT}: unknown step 'is_null'",
    "one_hot: {min_cnt: 3}": (
        "9:19: features.0.steps.0.one_hot.min_cnt: unknown key 'min_cnt'; did you mean 'min_count'?"
    ),
    "{step: one_hot, min_cnt: 3}": (
        "9:25: features.0.steps.0.min_cnt: unknown key 'min_cnt'; did you mean 'min_count'?"
    ),
    "one_hot: {min_count: 0}": "9:19: features.0.steps.0.one_hot.min_count: wrong value: got 0",
    "impute: maen": f"{AT}.impute: wrong value: got 'maen', wanted 'mean', 'median', 'mode' or",
    "impute: {strategy: constant}": f"{AT}.impute: 'value' belongs to strategy 'constant'",
    "standardize: 3": f"{AT}: step 'standardize' takes no bare value; give its options by name",
    "hashing: {}": f"{AT}.hashing.n_buckets: required key is missing",
    "clip: [3, 1]": f"{AT}.clip: low (3) is above high (1)",
    "clip: [3]": f"{AT}.clip: give [low, high], or options by name",
    "clip: a": f"{AT}.clip: give [low, high], or options by name",
    "ordinal: [a, b, a]": f"{AT}.ordinal: a category of 'order' is named twice",
    "{impute: mean, standardize: {}}": f"{AT}: a step is NAME or {{NAME: options}}; several",
    "{}": f"{AT}: a step is NAME or {{NAME: options}}; several",
    "3": f"{AT}: a step is NAME or {{NAME: options}}; several",
    "clip: {quantiles: [0.9, 0.1]}": "quantiles [0.9, 0.1] must rise",
    "bins: {edges: [1, 1]}": "'edges' must rise",
    "bins: {quantiles: [1, 2], encode: one_hot}": "bins.quantiles: wrong value: got list",
    "bins: {}": "exactly one of 'edges', 'uniform' and 'quantiles'",
    "power: box_cox": "'lambda' belongs to the methods",
    "min_max: {low: 1, high: 0}": "low (1) must be below high (0)",
    "robust: {low: 0.8}": "low (0.8) must be below high (0.75)",
    "date_parts: [yearr]": "features.0.steps.0.date_parts.0: wrong value: got 'yearr'",
    "date_parts: {}": "give 'parts' or 'cycles'",
    "rare: {}": "exactly one of 'min_count' and 'min_share'",
    "expression: {name: e, formula: 'log(area'}": (
        "9:31: features.0.steps.0.expression.formula: the expression 'log(area' cannot be used"
    ),
    "expression: {name: e, formula: 'lgo(area)'}": "'lgo' is not known here, at character 1",
}


@pytest.mark.parametrize(("step", "message"), MISTAKES.items())
def test_a_mistake_has_its_place_and_the_way_out(tmp_path, step, message):
    (tmp_path / "p.yaml").write_text(TEXT.replace("STEP", step))

    with pytest.raises(InvalidConfigError) as caught:
        load_config(tmp_path / "p.yaml", steps=step_problems)

    (problem,) = caught.value.problems
    assert message in str(problem)


def test_mistakes_of_steps_stand_among_all_others_in_the_order_of_the_file(tmp_path):
    text = TEXT.replace("STEP", "one_hto").replace("rmse", "rsme").replace("xgboost", "xgbost")
    (tmp_path / "p.yaml").write_text(text)

    with pytest.raises(InvalidConfigError) as caught:
        load_config(tmp_path / "p.yaml", steps=step_problems)

    assert [problem.where.line for problem in caught.value.problems] == [3, 9, 10]


IMPUTE = {"step": "impute", "strategy": "mean", "value": None, "indicator": False, "exact": True}
BINS = {"step": "bins", "edges": None, "uniform": None, "quantiles": None, "encode": "ordinal"}
POWER = {"step": "power", "method": "box_cox", "lambda": 0.5, "out_of_range": "error"}


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ({"impute": "mean"}, IMPUTE),
        ({"impute": {"value": 3}}, {**IMPUTE, "strategy": "constant", "value": 3.0}),
        ({"clip": [0, 1]}, {"step": "clip", "low": 0, "high": 1, "quantiles": None, "exact": True}),
        ({"bins": 4}, {**BINS, "quantiles": 4, "exact": True}),
        ({"bins": [1, 2]}, {**BINS, "edges": [1, 2], "exact": True}),
        ({"log": "log"}, {"step": "log", "function": "log", "out_of_range": "error"}),
        ({"power": {"method": "box_cox", "lambda": 0.5}}, POWER),
    ],
)
def test_a_step_resolves_to_all_its_options_and_those_to_itself(written, wanted):
    step = read_step(StepDeclaration.model_validate(written))

    options = step.model_dump(mode="json", by_alias=True)
    assert options == wanted
    # As a spec keeps it: nulls are left out, and canonical JSON writes 3.0 as 3.
    kept = {name: value for name, value in options.items() if value is not None}
    assert read_step(StepDeclaration.model_validate(json.loads(json.dumps(kept)))) == step


def test_a_wrong_step_of_a_spec_is_told_too():
    with pytest.raises(ConfigError, match="unknown step 'novel'"):
        read_step(StepDeclaration(step="novel"))
    with pytest.raises(ConfigError, match=r"step 'one_hot', min_count: .*greater"):
        read_step(StepDeclaration(step="one_hot", options={"min_count": 0}))


def test_every_step_is_named_as_it_is_registered():
    for name in DECLARABLE:
        assert STEPS[name].model_fields["step"].default == name
        assert (STEPS[name].__doc__ or "").strip()


def test_steps_are_read_without_ray_and_model_libraries():
    code = (
        "import sys, mlops_ray.features.declaration, mlops_ray.features.plan\n"
        "print(sorted({'ray', 'sklearn', 'xgboost', 'pandas', 'scipy'} & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
