"""What is sent to a worker compares the code there with what was recorded, before it computes."""

import importlib
import pickle
import sys
from functools import partial
from operator import add

import pytest

from mlops_ray.errors import ModelError
from mlops_ray.runtime.code_guard import guarded

FILES = {"cg_made.py": b"import cg_rate\n\n\ndef f():\n    return cg_rate.RATE\n"}
RATE = "cg_rate.py"


@pytest.fixture
def worker(tmp_path, monkeypatch):
    """This process as one that has the project on its path, with a rate of 2."""
    for path, data in {**FILES, RATE: b"RATE = 2\n"}.items():
        (tmp_path / path).write_bytes(data)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    yield tmp_path
    for name in ("cg_made", "cg_rate"):
        sys.modules.pop(name, None)


def recorded(rate):
    return {**FILES, RATE: f"RATE = {rate}\n".encode()}


def test_what_needs_no_function_travels_as_it_is():
    assert guarded(add, [], {}) is add


@pytest.mark.usefixtures("worker")
def test_the_same_code_computes():
    work = guarded(partial(add, 1), ["cg_made:f"], recorded(2))

    assert pickle.loads(pickle.dumps(work))(2) == 3
    assert work(3) == 4


@pytest.mark.parametrize("is_loaded_before", [True, False])
def test_older_code_is_refused_and_named(worker, is_loaded_before):
    if is_loaded_before:  # And then edited to what is recorded.
        importlib.import_module("cg_made")
        (worker / RATE).write_bytes(recorded(3)[RATE])
    work = guarded(add, ["cg_made:f"], recorded(3))

    with pytest.raises(ModelError) as caught:
        pickle.loads(pickle.dumps(work))(1, 2)

    told = str(caught.value)
    assert "other code of the module 'cg_rate' than was recorded" in told
    assert "of which this run needs 'cg_made:f'" in told
    assert ("got RATE as it was before" in told) == is_loaded_before
    assert "wanted a source of digest sha256:" in told


def test_a_check_that_passed_is_made_again_after_travelling(worker):
    work = guarded(add, ["cg_made:f"], recorded(2))
    assert work(1, 2) == 3

    (worker / RATE).write_bytes(recorded(3)[RATE])

    assert work(1, 2) == 3
    with pytest.raises(ModelError, match="which holds other code"):
        pickle.loads(pickle.dumps(work))(1, 2)


def test_a_module_that_a_worker_cannot_import_is_named():
    work = guarded(add, ["cg_absent:f"], {"cg_absent.py": b""})

    with pytest.raises(ModelError, match="a worker needs 'cg_absent:f': got No module named"):
        work(1, 2)
