"""A project's own feature functions, as a user runs them: no PYTHONPATH anywhere."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytestmark = [pytest.mark.ray, pytest.mark.slow]

SOURCE = """\
from mlops_ray import feature_function

from own.factor import FACTOR


@feature_function(version=1)
def scaled(values):
    from own import late

    return late.same(values[:1]) * FACTOR
"""
STEP = {"function": {"name": "own.made:scaled", "version": 1, "outputs": ["s"]}}
CONFIG = {
    "version": 1,
    "name": "own",
    "objective": {"metric": "rmse"},
    "data": {"source": "rows.parquet", "task": "regression", "target": "y", "key": ["id"]},
    "split": {"test": {"share": 0.2}, "valid": {"share": 0.2}},
    "features": [{"columns": ["x"], "steps": [STEP, "standardize"]}],
    "model": {"family": "linear", "params": {"alpha": 1e-6}},
    "gates": [{"metric": "rmse", "at_most": 1.0}],
    "register": {"alias": "challenger"},
}


@pytest.fixture
def user(shell, tmp_path):
    """A shell in a project with a package of its own."""
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "__init__.py").touch()
    (tmp_path / "own" / "factor.py").write_text("FACTOR = 3.0\n")
    (tmp_path / "own" / "late.py").write_text("def same(values):\n    return values\n")
    (tmp_path / "own" / "made.py").write_text(SOURCE)
    (tmp_path / "pipeline.yaml").write_text(json.dumps(CONFIG))
    ids = np.arange(200)
    pq.write_table(pa.table({"id": ids, "x": ids / 7, "y": ids * 2.0}), tmp_path / "rows.parquet")
    places = {
        "MLOPS_RAY_STORE": str(tmp_path / "store"),
        "MLOPS_RAY_REGISTRY": str(tmp_path / "registry.db"),
    }
    return shell.at(tmp_path, **places)


def test_functions_are_those_of_the_run_wherever_its_model_is_used(user, tmp_path):
    built = user.mlops_ray("features", "build", "pipeline.yaml", "--out", "out")
    assert built.code == 0, built.stderr
    done = user.mlops_ray("run", "pipeline.yaml", "--json")
    assert done.code == 0, done.stderr

    # The project goes on: the model keeps the code that it was made with.
    (tmp_path / "own" / "factor.py").write_text("FACTOR = -3.0\n")
    away = user.at(tmp_path / "out")
    predicted = away.mlops_ray("predict", "own@1", "../rows.parquet", "--out", "p.parquet")

    assert predicted.code == 0, predicted.stderr
    answers = pq.read_table(tmp_path / "out" / "p.parquet")["value"].to_numpy()
    np.testing.assert_allclose(answers, np.arange(200) * 2.0, atol=0.5)
