"""A project's own feature functions, as a user runs them: no PYTHONPATH anywhere."""

import json
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytestmark = [pytest.mark.ray, pytest.mark.slow]

BIN = Path(sys.executable).parent

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


SESSION = """\
import importlib
import json
import sys
from pathlib import Path
import pathlib

import ray

import own.factor
import own.made
from mlops_ray import MlopsRayError, Pipeline


def outcome():
    pipeline = Pipeline("pipeline.yaml")
    try:
        return pipeline.run(in_process_below_bytes=0, no_cache=True).state
    except MlopsRayError as error:
        return f"{type(error).__name__}: {error}"


ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
found = [outcome(), outcome()]
for module, before, after in [(own.factor, "3.0", "5.00"), (own.made, "* FACTOR", "* -FACTOR")]:
    path = pathlib.Path(module.__file__)
    kept = path.read_text()
    path.write_text(kept.replace(before, after))
    importlib.reload(own.factor)
    importlib.reload(own.made)
    found.append(outcome())
    path.write_text(kept)
    importlib.reload(own.factor)
    importlib.reload(own.made)
found.append(outcome())
print(json.dumps(found))
"""


def test_a_worker_of_the_users_own_session_with_older_code_is_refused_by_name(user, tmp_path):
    (tmp_path / "session.py").write_text(SESSION)

    done = user.run(BIN / "python", "session.py")

    assert done.code == 0, done.stderr
    first, again, other_helper, other_function, restored = json.loads(done.stdout.splitlines()[-1])
    assert (first, again, restored) == ("sealed", "sealed", "sealed")
    for outcome, module in [(other_helper, "own.factor"), (other_function, "own.made")]:
        assert outcome.startswith("ModelError: "), outcome
        assert f"other code of the module '{module}' than was recorded" in outcome
        assert "'own.made:scaled'" in outcome
        assert "a source of digest sha256:" in outcome
        assert "ray.shutdown()" in outcome
