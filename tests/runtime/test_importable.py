import json
import os.path
import subprocess
import sys
from functools import partial

import pytest

from mlops_ray.errors import ConfigError
from mlops_ray.runtime.importable import check_importable

CELL = """
import json
from mlops_ray.errors import ConfigError
from mlops_ray.runtime.importable import check_importable

def in_a_cell(): pass

from project_code import in_a_file

def outcome(fn):
    try:
        check_importable(fn)
    except ConfigError as error:
        return str(error)
    return "importable"

print(json.dumps([outcome(in_a_cell), outcome(in_a_file)]))
"""


def at_the_top():
    pass


class Model:
    def fit(self):
        pass

    @staticmethod
    def load():
        pass


@pytest.mark.parametrize(
    "fn", [at_the_top, os.path.join, Model.fit, Model.load, Model, partial(at_the_top), len]
)
def test_what_stands_in_a_module_can_be_imported(fn):
    check_importable(fn)

    assert callable(fn)


@pytest.mark.parametrize("fn", [lambda: None, partial(lambda: None)])
def test_a_lambda_is_refused_also_inside_a_partial(fn):
    with pytest.raises(ConfigError, match="it is a lambda"):
        check_importable(fn)


def test_a_local_function_is_refused_with_the_way_out():
    def local():
        pass

    with pytest.raises(ConfigError, match=r"inside a function.*put it in a \.py file"):
        check_importable(local)


def test_a_function_of_a_notebook_cell_is_refused_and_one_of_a_file_is_not(tmp_path):
    (tmp_path / "project_code.py").write_text("def in_a_file(): pass\n")
    (tmp_path / "cell.ipy").write_text(CELL)

    done = subprocess.run(
        [sys.executable, "-m", "IPython", "--no-banner", "--quick", "--colors=NoColor", "cell.ipy"],
        cwd=tmp_path,
        env={**os.environ, "IPYTHONDIR": str(tmp_path / "ipython"), "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )

    refused, accepted = json.loads(done.stdout.splitlines()[-1])
    assert "'in_a_cell' cannot be imported by the workers" in refused
    assert "notebook cell" in refused
    assert "put it in a .py file" in refused
    assert accepted == "importable"
