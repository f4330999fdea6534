"""Mistakes in a declared contract, each with its place in the file."""

import pytest
from ruamel.yaml import YAML

from mlops_ray.config.contract import ContractConfig
from mlops_ray.config.loader import load_config
from mlops_ray.errors import InvalidConfigError

FILE = """\
version: 1
name: people
objective: {{metric: {metric}}}
data:
  source: data
  task: {task}
  target: label
  key: [id]
  contract:
    {contract}
split: {{test: {{share: 0.2}}, valid: {{share: 0.2}}}}
features: [{{columns: [age]}}]
model: {{family: xgboost}}
"""


@pytest.fixture
def problem_of(tmp_path):
    def load(contract, task="binary", metric="roc_auc"):
        path = tmp_path / "pipeline.yaml"
        path.write_text(FILE.format(contract=contract, task=task, metric=metric))
        with pytest.raises(InvalidConfigError) as caught:
            load_config(path)
        (problem,) = caught.value.problems
        assert (problem.where.file, problem.where.line) == (str(path), 10)
        return problem

    return load


@pytest.mark.parametrize(
    ("contract", "key", "told"),
    [
        ("columns: {age: {rnge: {min: 0}}}", "columns.age.rnge", "did you mean 'range'?"),
        ("columns: {age: {range: {}}}", "columns.age.range", "a range needs 'min', 'max' or both"),
        ("columns: {age: {range: {min: 2, max: 1}}}", "columns.age.range", "min (2) is above max"),
        (
            "columns: {age: {range: {min: 2, max: '2018-01-01'}}}",
            "columns.age.range",
            "of two kinds",
        ),
        ("columns: {age: {range: {min: 2018-01-01}}}", "columns.age.range.min", "put it in quotes"),
        ("columns: {age: {type: int}}", "columns.age.type", "'integer', 'float'"),
        ("columns: {age: {nulls: 2}}", "columns.age.nulls", "less than or equal to 1"),
        ("columns: {age: {values: []}}", "columns.age.values", "at least 1 item"),
        ("columns: {age: {values: [1, a]}}", "columns.age.values", "numbers and texts"),
        ("columns: {age: {values: [1, 1]}}", "columns.age.values", "1 is listed twice"),
        (
            "columns: {age: {nulls: {max_share: 0.1, max_count: 3}}}",
            "columns.age.nulls",
            "'max_share' or 'max_count', not both",
        ),
        (
            "columns: {age: {nulls: {max_share: 0.1, on_violation: quarantine}}}",
            "columns.age.nulls",
            "'max_share' says nothing here",
        ),
        ("unique: [{columns: [id], on_violation: quarantine}]", "unique.0.on_violation", "'warn'"),
        ("unique: [[id, id]]", "unique.0", "listed twice"),
        ("rows: {min: 5, max: 4}", "rows", "above max"),
        ("freshness: {max_age_days: 3, column: day}", "freshness", "declare 'data.as_of'"),
        ("labels: {balance: {min_share: 0.1}}", "labels.balance", "declare 'classes' beside it"),
    ],
)
def test_a_mistake_is_told_with_its_place(problem_of, contract, key, told):
    problem = problem_of(contract)

    assert problem.where.key.startswith(f"data.contract.{key}")
    assert told in str(problem)


def test_a_regression_has_no_classes(problem_of):
    problem = problem_of("labels: {classes: [1]}", "regression", "rmse")

    assert problem.where.key == "data.contract.labels"


def test_freshness_needs_a_day_and_a_column(tmp_path):
    path = tmp_path / "pipeline.yaml"
    path.write_text(FILE.format(contract="freshness: 3", task="binary", metric="roc_auc"))

    with pytest.raises(InvalidConfigError) as caught:
        load_config(path)
    with pytest.raises(InvalidConfigError, match="'yesterday' is no date or time"):
        load_config(path, ["data.as_of=yesterday"])

    assert len(caught.value.problems) == 2
    load_config(path, ["data.as_of='2018-12-31'", "data.time=day"])


def test_short_forms_stand_for_long_ones():
    short = "{columns: {a: {type: float, nulls: 0.1, values: [1], pattern: x}}, unique: [[a, b]],"
    short += " freshness: 3, checks: [a > b], labels: {classes: [0, 1]}}"
    long = "{columns: {a: {type: {expected: float}, nulls: {max_share: 0.1},"
    long += " values: {allowed: [1]}, pattern: {regex: x}}}, unique: [{columns: [a, b]}],"
    long += " freshness: {max_age_days: 3}, checks: [{expression: a > b}],"
    long += " labels: {classes: {allowed: [0, 1]}}}"
    read = YAML(typ="safe", pure=True).load

    assert ContractConfig.model_validate(read(short)) == ContractConfig.model_validate(read(long))
