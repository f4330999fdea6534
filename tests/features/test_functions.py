"""A project's own functions: named with a version, importable, and refused where they are not."""

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pytest

from mlops_ray.errors import ColumnError, ModelError
from mlops_ray.features import CompiledTransform, FeatureState
from mlops_ray.features.functions import called, load_function
from mlops_ray.manifest.canonical import canonical_bytes, from_canonical

SOURCE = """\
import time

import numpy as np

from mlops_ray import feature_function

@feature_function(version=2)
def ratio(values):
    found = values[:1] / (values[1:] + 1.0)
    values[:] = 0.0
    return found

@feature_function(version=1)
def short(values):
    return values[:, :1]

@feature_function(version=1)
def both(values):
    return values[[0, 0]] + values[[1, 1]] * [[1.0], [-1.0]]

BUFFER = np.empty((1, 1_000))

@feature_function(version=1)
def buffered(values):
    np.copyto(BUFFER, values)
    time.sleep(0.01)  # Others would get on meanwhile.
    return BUFFER

def plain(values):
    return values
"""
TABLE = {"a": [1.0, 2.0, None], "b": [3.0, 1.0, 4.0]}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A module that can be imported."""
    (tmp_path / "own_features.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("own_features", None)


def step(name="ratio", version=2):
    return {"function": {"name": f"own_features:{name}", "version": version, "outputs": ["r"]}}


@pytest.mark.usefixtures("project")
def test_a_function_makes_features_that_go_through_further_steps(bench, with_key):
    table = with_key(**TABLE)

    state = bench.fit([{"columns": ["a", "b"], "steps": [step(), {"impute": "mean"}]}], table)
    read = FeatureState.from_json(from_canonical(canonical_bytes(state.to_json())))

    assert state.outputs == ("r",)
    assert state.features[0].steps[0].fitted[0]["version"] == 2
    for transform in map(CompiledTransform, (state, read)):
        assert transform.from_table(table).tolist() == [[0.25], [1.0], [0.625]]
        assert transform.from_records([{"a": 1.0, "b": 3.0}]).tolist() == [[0.25]]


@pytest.mark.usefixtures("project")
def test_a_function_of_as_many_outputs_as_inputs_may_answer_nothing_to_a_null(bench, with_key):
    name = {"name": "own_features:both", "version": 1, "outputs": ["sum", "difference"]}
    state = bench.fit([{"columns": ["a", "b"], "steps": [{"function": name}]}], with_key(**TABLE))
    transform = CompiledTransform(state)

    found = transform.from_table(pa.table(TABLE))

    np.testing.assert_array_equal(found, [[4.0, -2.0], [3.0, 1.0], [np.nan, np.nan]])


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("declared", "kind", "message"),
    [
        (step(version=1), ModelError, "not the one .*: got version 2, wanted version 1"),
        (step("plain", 1), ModelError, "got version None"),
        (step("absent", 1), ModelError, "need the function 'own_features:absent'"),
        (step("short", 1), ColumnError, r"another shape: got \(2, 1\), wanted \(1, 3\)"),
    ],
)
def test_another_function_than_declared_is_refused(bench, with_key, declared, kind, message):
    def transform():
        state = bench.fit([{"columns": ["a", "b"], "steps": [declared]}], with_key(**TABLE))
        return CompiledTransform(state).from_table(pa.table(TABLE))

    with pytest.raises(kind, match=message):
        transform()


def test_without_the_project_the_state_says_what_it_lacks(bench, with_key):
    with pytest.raises(ModelError, match=r"'own_features:ratio'.*; start from the project"):
        bench.fit([{"columns": ["a", "b"], "steps": [step(), "standardize"]}], with_key(**TABLE))


@pytest.mark.usefixtures("project")
def test_threads_do_not_meet_in_a_function_that_keeps_a_buffer():
    function = load_function("own_features:buffered", 1)

    with ThreadPoolExecutor(4) as pool:
        blocks = [np.full((1, 1_000), float(at)) for at in range(12)]
        found = list(pool.map(lambda block: called(function, "buffered", ["r"], block), blocks))

    assert all(np.array_equal(*pair) for pair in zip(found, blocks, strict=True))
