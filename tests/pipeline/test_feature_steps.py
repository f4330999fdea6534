"""Steps on their way into the spec and into the keys of stages; functions of the project's own."""

import json

import pytest

from mlops_ray.errors import ConfigError, InvalidConfigError
from mlops_ray.manifest import Spec
from mlops_ray.pipeline.capture import captured, facts_of
from mlops_ray.pipeline.declared import STAGES
from mlops_ray.pipeline.engine import declared_members
from mlops_ray.pipeline.freeze import spec_of
from mlops_ray.pipeline.pin import digested_inputs
from mlops_ray.pipeline.pipeline import Pipeline
from mlops_ray.storage import DigestCache

NUMBER, CITY = {"columns": ["x"], "steps": ["robust"]}, {"columns": ["city"], "steps": ["one_hot"]}
CONFIG = {
    "version": 1,
    "name": "tiny",
    "objective": {"metric": "rmse"},
    "data": {"source": "rows.csv", "task": "regression", "target": "y", "key": ["id"]},
    "split": {"test": {"share": 0.2}, "valid": {"share": 0.2}},
    "features": [NUMBER, CITY],
    "model": {"family": "linear"},
}
SOURCE = """\
import mlops_ray
import numpy as np

raise RuntimeError("a look at the source does not run it")

@mlops_ray.feature_function(version=3)
def ratio(values):
    return values[:1] / values[1:]
"""
# Outputs that stages have read, whatever they are.
DONE = {
    "ingest": {"fingerprint": "a", "scan": "b"},
    "profile": {"train": "c"},
    "features": {"state": "d", "labels": "e", "train": "f", "valid": "g"},
    "search": {"trials": "h"},
    "refit": {"bundle": "i"},
    "evaluate": {"metrics": "j"},
}


@pytest.fixture
def project(tmp_path):
    """Makes the pipeline of a folder with given features."""
    (tmp_path / "pyproject.toml").touch()
    rows = "".join(f"{n},{n}.5,{n % 3}.25,{'ab'[n % 2]},{n}\n" for n in range(9))
    (tmp_path / "rows.csv").write_text("id,x,z,city,y\n" + rows)

    def pipeline(*features, **changes):
        path = tmp_path / "pipeline.yaml"
        path.write_text(json.dumps({**CONFIG, "features": list(features), **changes}))
        return Pipeline(path, store=tmp_path / "store", registry=tmp_path / "registry.db")

    return pipeline


def frozen(pipeline):
    """The spec as `run` reads it, and the captured code."""
    workspace, root = pipeline.records.workspace, pipeline.records.root
    resolved, digests = pipeline._resolved(), DigestCache(workspace.store_root / "digests.db")
    bundle = captured(root, resolved.loaded.config.code, workspace.store_root)
    asked = spec_of(resolved, digested_inputs(resolved, digests, root), facts_of(bundle))
    return Spec.from_bytes(asked.to_bytes()), bundle.files


def keys(pipeline):
    """Stage -> key, apart from what earlier stages put out."""
    spec, code = frozen(pipeline)
    return {stage.name: declared_members(spec, stage, DONE, code)["key"] for stage in STAGES}


def differing(one, other):
    return {name for name in one if one[name] != other[name]}


TARGET = {"columns": ["city"], "steps": [{"target": {"folds": 4}}]}


@pytest.mark.parametrize(
    "changed",
    [
        [{"columns": ["x"], "steps": [{"robust": {"low": 0.2}}]}, CITY],
        [{"columns": ["x"], "steps": [{"robust": {"exact": False}}]}, CITY],
        [{"columns": ["x"], "steps": ["robust", {"clip": [-1, 1]}]}, CITY],
        [NUMBER, {"columns": ["city"], "steps": [{"one_hot": {"null": "error"}}]}],
        [CITY, NUMBER],
    ],
)
def test_a_changed_step_changes_the_key_of_features_alone(project, changed):
    before, after = keys(project(NUMBER, CITY)), keys(project(*changed))

    # The profile looks at the names of the feature columns, in their order.
    assert differing(before, after) - {"profile"} == {"features"}


@pytest.mark.parametrize(
    "same",
    [
        [{"columns": ["x"], "steps": [{"robust": {}}]}, CITY],
        [{"columns": ["x"], "steps": [{"robust": {"low": 0.25, "exact": True}}]}, CITY],
        [{"columns": ["x"], "steps": [{"step": "robust", "high": 0.75}]}, CITY],
        [NUMBER, {"columns": ["ci*"], "steps": [{"one_hot": {"min_count": 1}}]}],
    ],
)
def test_another_way_of_saying_the_same_changes_no_key(project, same):
    assert keys(project(NUMBER, CITY)) == keys(project(*same))


def test_the_spec_holds_every_option_and_a_seed_for_folds_where_a_step_has_some(project):
    spec, _ = frozen(project(NUMBER, TARGET))
    without, _ = frozen(project(NUMBER, CITY))

    assert spec.features[0].steps == [{"step": "robust", "low": 0.25, "high": 0.75, "exact": True}]
    assert spec.features[1].steps == [
        {"step": "target", "smoothing": 20, "folds": 4, "unseen": "mean", "null": "category"}
    ]
    assert spec.seeds.keys() - without.seeds.keys() == {"folds"}
    assert differing(keys(project(NUMBER, TARGET)), keys(project(NUMBER, TARGET, seed=1))) >= {
        "features"
    }


def test_a_feature_of_several_columns_names_them(project):
    step = {"expression": {"name": "sum", "formula": "x + z"}}
    pipeline = project(NUMBER, {"columns": ["x", "z"], "steps": [step, "standardize"]})

    spec, _ = frozen(pipeline)

    assert [(f.column, f.columns) for f in spec.features] == [("x", ["x"]), ("sum", ["x", "z"])]
    assert spec.data.columns.keys() == {"id", "x", "z", "y"}
    checked = pipeline.check()
    assert (checked["features"], checked["passes"]) == (["x", "sum"], 2)


def test_mistakes_in_steps_are_told_with_all_others_and_their_place(project):
    wrong = {"columns": ["x"], "steps": [{"robust": {"hihg": 1.0}}]}

    with pytest.raises(InvalidConfigError) as caught:
        project(wrong, model={"family": "linear", "params": {"alphaa": 1}})

    assert [problem.where.key for problem in caught.value.problems] == [
        "features.0.steps.0.robust.hihg",
        "model.params.alphaa",
    ]
    assert "did you mean 'high'?" in str(caught.value)


def own(name="own:ratio", version=3):
    step = {"function": {"name": name, "version": version, "outputs": ["r"]}}
    return {"columns": ["x", "z"], "steps": [step]}


@pytest.mark.parametrize("folder", ["", "src"])
def test_a_function_is_found_in_the_source_and_its_module_is_code_of_the_stages(
    project, tmp_path, folder
):
    (tmp_path / folder).mkdir(exist_ok=True)
    path = tmp_path / folder / "own.py"
    path.write_text(SOURCE)
    before = keys(project(NUMBER, own()))

    path.write_text(SOURCE + "# edited\n")

    assert project(NUMBER, own()).check()["features"] == ["x", "r"]
    assert differing(before, keys(project(NUMBER, own()))) == {"features", "refit", "evaluate"}


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        (own("absent:ratio"), r"features\.1\.steps\.0: the project has no module 'absent'"),
        (own("own:absent"), r"features\.1\.steps\.0: .*got no `@feature_function.* in own\.py"),
        (own(version=2), r"features\.1\.steps\.0: .*got version 3, wanted version 2"),
    ],
)
def test_a_function_that_is_not_there_is_told_before_anything_runs(
    project, tmp_path, declared, message
):
    (tmp_path / "own.py").write_text(SOURCE)

    with pytest.raises(ConfigError, match=message) as caught:
        project(NUMBER, declared).check()

    assert caught.value.where.line == 1
