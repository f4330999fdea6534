"""`mlops_ray.config.loader`: every mistake at once, each with its place and its way out."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from mlops_ray.config.loader import load_config
from mlops_ray.config.search_space import Dimension
from mlops_ray.errors import ConfigError, ConfigProblem, InvalidConfigError

GOOD = """\
version: 1
name: churn
objective: {metric: roc_auc}
data:
  source: data/*.parquet
  task: binary
  target: left
  key: [id]
split: {test: {share: 0.2}, valid: {share: 0.2}}
features:
  - {columns: [age], steps: [{impute: mean}, standardize]}
  - {columns: [plan], steps: [{one_hot: {min_count: 3}}]}
model: {family: xgboost}
search:
  space: {max_depth: {int: [2, 5]}}
  trials: 4
gates: [{metric: roc_auc, at_least: 0.7}]
register: {alias: challenger}
"""


def _load(tmp_path: Path, text: str, *overrides: str):
    path = tmp_path / "p.yaml"
    path.write_text(text)
    return load_config(path, overrides)


def _problems(tmp_path: Path, text: str, *overrides: str) -> list[str]:
    with pytest.raises(InvalidConfigError) as caught:
        _load(tmp_path, text, *overrides)
    return [str(problem).split("p.yaml:")[-1] for problem in caught.value.problems]


def test_short_forms_become_models(tmp_path: Path) -> None:
    config = _load(tmp_path, GOOD).config

    assert config.search.space["max_depth"] == Dimension(kind="int", values=[2, 5])
    assert [step.step for step in config.features[0].steps] == ["impute", "standardize"]
    assert [step.options for step in config.features[0].steps] == ["mean", None]
    assert config.features[1].steps[0].options == {"min_count": 3}
    assert config.data.source.path == "data/*.parquet"


def test_a_misspelt_key_is_named_with_line_column_and_nearest_key(tmp_path: Path) -> None:
    problems = _problems(tmp_path, GOOD.replace("trials: 4", "trails: 4"))

    assert problems == ["16:3: search.trails: unknown key 'trails'; did you mean 'trials'?"]


def test_all_mistakes_are_reported_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = GOOD.replace("task: binary", "task: binray").replace("trials: 4", "trials: 0")
    (tmp_path / "p.yaml").write_text(text)

    def steps(document):
        yield ConfigProblem("a step", where=document.where(("features", 0, "steps", 1)))

    for broken, lines in ((text, [6, 11, 16]), (GOOD, [11])):
        (tmp_path / "p.yaml").write_text(broken)
        with pytest.raises(InvalidConfigError) as caught:
            load_config(tmp_path / "p.yaml", steps=steps)
        assert [problem.where.line for problem in caught.value.problems] == lines


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("  key: [id]\n", "", "split.test.share: a share goes by the hash of the row's key"),
        ("metric: roc_auc, at_least: 0.7", "metric: rmse, at_most: 1", "does not fit task"),
        ("gates: [{metric: roc_auc, at_least: 0.7}]\n", "", "registered only through a gate"),
        ("at_least: 0.7", "at_most: 0.7", "use 'at_least'"),
        ("{int: [2, 5]}", "{int: [5, 2]}", "low (5) is above high (2)"),
        ("{int: [2, 5]}", "{log_uniform: [0, 2]}", "needs low > 0"),
        ("{int: [2, 5]}", "{int: [2, 5], uniform: [0, 1]}", "got 'int' and 'uniform'"),
        ("{int: [2, 5]}", "{step: 1}", "exactly one kind of values"),
        ("{int: [2, 5]}", "{int: [2, 9007199254740992]}", "whole numbers below 2^53"),
        ("{int: [2, 5]}", f"{{uniform: [2, {10**399}]}}", "larger than any that can be drawn"),
        ("{int: [2, 5]}", "{uniform: [-1.0e+308, 1.0e+308]}", "too far apart"),
        ("{int: [2, 5]}", "{uniform: [0, 1.0e+308], step: 1.0e-300}", "give it a larger step"),
        ("valid: {share: 0.2}", "valid: {share: 0.8}", "no rows to train"),
        ("source: data/*.parquet", "source: {pth: x}", "did you mean 'path'?"),
        ("trials: 4", "trials: 1e400", "trials"),
        ("key: [id]", "key: [id, id]", "8:13: data.key.1: 'id' is listed twice"),
        ("key: [id]", "order_by: [a, id, a]", "8:21: data.order_by.2: 'a' is listed twice"),
        ("valid: {share: 0.2}", "valid: {share: 0.2}, stratify: true, group: g", "rows of several"),
        (
            "test: {share: 0.2}, valid: {share: 0.2}",
            "test: {time_from: 3}, valid: {share: 0.2}, group: g",
            "split.test.time_from: a group has rows before and after",
        ),
        (
            "test: {share: 0.2}, valid: {share: 0.2}",
            "test: {time_from: 3}, valid: {time_from: 2}, stratify: true",
            "split.stratify: no part is a share",
        ),
        (
            "task: binary\n  target: left\n  key: [id]\nsplit: {",
            "task: regression\n  target: left\n  key: [id]\nsplit: {stratify: true, ",
            "split.stratify: a regression has no classes",
        ),
        ("data/*.parquet", "http://h/y.csv", "5:3: data.source: a source cannot be read by 'http'"),
    ],
)
def test_contradictions_name_the_way_out(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in GOOD
    assert message in "\n".join(_problems(tmp_path, GOOD.replace(old, new)))


def test_a_group_stands_in_for_a_key(tmp_path: Path) -> None:
    text = GOOD.replace("  key: [id]\n", "").replace("split: {", "split: {group: household, ")

    assert _load(tmp_path, text).config.split.group == "household"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: &x 1\nb: *x\n", "no anchors, aliases or tags"),
        ("a: !!python/name:os.system 1\n", "no anchors, aliases or tags"),
        ("a: 1\na: 2\n", "duplicate key"),
        ("- 1\n- 2\n", "one mapping"),
        ("a: 1\n---\nb: 2\n", "another document"),
        ("\ta: 1\n", "not valid YAML"),
        ("", "one mapping"),
        ("#" + "x" * 2**20, "too large"),
        ("? [a, b]\n: 1\n", "p.yaml:1:3: a key is text: got a list"),
        ("2018: 1\n", "p.yaml:1:1: a key is text: got '2018'; put it in quotes"),
        ("a:\n  " + "[" * 5000, "p.yaml:2:52: nested too deeply"),
        ("a:\n  " + "[" * 5000 + "]" * 5000, "p.yaml:2:52: nested too deeply"),
        ("- " * 5000 + "1", "p.yaml:1:101: nested too deeply"),
        ("a: " + "9" * 5000, "p.yaml:1:4: a number is too long: got 5000 characters"),
        ("a: 2018-13-01", "p.yaml:1:4: no such date or number: got '2018-13-01'; put it in quotes"),
        ('a: "x\\ud800"', "p.yaml:1:4: half of a character"),
        ('"\\udfff": 1', "p.yaml:1:1: half of a character"),
    ],
)
def test_yaml_traps_are_refused_with_their_place(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        _load(tmp_path, text)

    assert caught.value.where.file.endswith("p.yaml")


def test_a_file_that_is_not_utf8_or_absent_is_a_config_error(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"name: caf\xe9\n")

    with pytest.raises(ConfigError, match="not UTF-8"):
        load_config(tmp_path / "latin.yaml")
    with pytest.raises(ConfigError, match=r"config not found.*mlops-ray init"):
        load_config(tmp_path / "absent.yaml")


def test_overrides_win_and_are_told_as_origin(tmp_path: Path) -> None:
    loaded = _load(tmp_path, GOOD, "search.trials=7", "model.params.max_bin=64")

    origins = loaded.origins()

    assert loaded.config.search.trials == 7
    assert loaded.config.model.params == {"max_bin": 64}
    assert origins["search.trials"] == origins["model.params.max_bin"] == "cli"
    assert origins["name"] == "file"
    assert origins["search.generation"] == "default"


def test_origins_inside_lists_and_short_forms_are_those_of_each_value(tmp_path: Path) -> None:
    rare = "  - {columns: [city], steps: [{impute: {value: 0}}]}\nmodel:"
    text = GOOD.replace("min_count: 3", "min_count: 1").replace("model:", rare)
    loaded = _load(tmp_path, text)

    origins = loaded.origins()

    dumped = loaded.config.model_dump(mode="json", by_alias=True)
    assert origins.keys() == set(_paths(dumped, ""))
    given = {name for name, origin in origins.items() if origin == "file"}
    wanted = {
        "features.0.columns.0": True,
        "features.0.steps.0.step": True,
        "features.0.steps.0.options": True,
        "features.0.steps.1.step": True,
        "features.0.steps.1.options": False,
        "features.1.steps.0.options.min_count": True,  # Though it is what the default would be.
        "features.2.steps.0.options.value": True,
        "gates.0.at_least": True,
        "gates.0.at_most": False,
        "data.source.path": True,
        "data.source.format": False,
        "serve.replicas.min": False,
    }
    assert {name: name in given for name in wanted} == wanted
    overridden = load_config(tmp_path / "p.yaml", ["data.source=other.csv"]).origins()
    assert overridden["data.source.path"] == "cli"
    assert overridden["data.source.format"] == "default"


def _paths(value: object, path: str) -> Iterator[str]:
    items: Iterable[tuple[object, object]] = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    if not value or not isinstance(value, dict | list):
        yield path
    for key, item in items:
        yield from _paths(item, f"{path}.{key}" if path else str(key))


@pytest.mark.parametrize(
    "value", ["{? [a, b] : 1}", "[" * 5000, "9" * 5000, '"\\ud800"', "\udcff", "2018-13-01", "*x"]
)
def test_a_trap_in_an_override_is_blamed_on_it(tmp_path: Path, value: str) -> None:
    with pytest.raises(ConfigError, match=r"^--set: model\.params\.k: ") as caught:
        _load(tmp_path, GOOD, f"model.params.k={value}")

    assert len(str(caught.value)) < 300


def test_an_item_of_an_overridden_list_is_blamed_on_the_command_line(tmp_path: Path) -> None:
    assert _problems(tmp_path, GOOD, "data.key=[id, id]") == [
        "--set: data.key.1: 'id' is listed twice; list it once"
    ]


def test_a_date_without_quotes_is_one_mistake(tmp_path: Path) -> None:
    problems = _problems(
        tmp_path, GOOD.replace("test: {share: 0.2", "test: {time_from: 2018-01-01")
    )

    assert len(problems) == 1
    assert problems[0].startswith(
        "9:16: split.test.time_from: wrong value: got the date 2018-01-01"
    )
    assert problems[0].endswith('; put it in quotes: "2018-01-01"')


def test_a_bad_override_is_blamed_on_the_command_line(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfigError, match=r"--set: search\.trials") as caught:
        _load(tmp_path, GOOD, "search.trials=many")
    assert caught.value.where.file == "--set"

    with pytest.raises(ConfigError, match="KEY=VALUE"):
        _load(tmp_path, GOOD, "search.trials")
    with pytest.raises(
        ConfigError, match=r"--set: search\.trials: not valid YAML: got expected the node"
    ):
        _load(tmp_path, GOOD, "search.trials=[")
