import importlib.util
import os
import sys
import time

import pytest

from mlops_ray.runtime.loaded_code import edited_since_loaded

BEFORE = "LIMIT = 3\n\n\ndef f():\n    return 1\n\n\nclass C:\n    def g(self):\n        return 1\n"


@pytest.fixture
def module(request, tmp_path, monkeypatch):
    """A module written and imported while this process runs, as tests and notebooks do."""
    path = tmp_path / "young_module.py"
    path.write_text(getattr(request, "param", BEFORE))
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    spec = importlib.util.spec_from_file_location("young_module", path)
    loaded = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "young_module", loaded)
    spec.loader.exec_module(loaded)
    return path


def edited(path, text, *, same_time=False):
    times = path.stat()
    path.write_text(text)
    if same_time:
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    return edited_since_loaded({path: path.read_bytes()})


def test_a_young_module_that_nobody_edited_is_what_was_loaded(module):
    assert edited_since_loaded({module: module.read_bytes()}) == []
    os.utime(module)
    assert edited_since_loaded({module: module.read_bytes()}, started_at=time.time() + 60) == []


@pytest.mark.parametrize(
    "text",
    [
        BEFORE.replace("LIMIT = 3", "LIMIT = 30"),
        BEFORE.replace("    return 1\n\n\nclass", "    return 10\n\n\nclass"),
        BEFORE + "\n\ndef more():\n    pass\n",
        "this is no Python",
    ],
)
def test_an_edited_module_is_found(module, text):
    assert edited(module, text) == [module]


def test_a_function_edited_within_the_clocks_grain_is_found(module):
    text = BEFORE.replace("def f():\n    return 1", "def f():\n    return 2")

    assert edited(module, BEFORE, same_time=True) == []
    assert edited(module, text, same_time=True) == [module]


def test_a_comment_above_a_function_without_a_cache_is_no_edit(module):
    for cached in (module.parent / "__pycache__").iterdir():
        cached.unlink()

    assert edited(module, "# A comment.\n" + BEFORE) == []
    assert edited(module, BEFORE.replace("def f():\n    return 1", "def f():\n    return 2")) == [
        module
    ]


DECORATED = """
import functools

def twice(fn):
    @functools.wraps(fn)
    def wrapper():
        return fn() + fn()
    return wrapper

@twice
def f():
    return 1

if twice:
    def g():
        return 1
else:
    def g():
        return 2
"""


@pytest.mark.parametrize("module", [DECORATED], indirect=True)
def test_decorated_and_conditional_functions_raise_no_false_alarm(module):
    assert edited_since_loaded({module: module.read_bytes()}) == []
    assert edited(module, DECORATED.replace("fn() + fn()", "fn() - fn()")) == [module]


def test_files_of_other_modules_do_not_count(module, tmp_path):
    module.write_text("LIMIT = 4\n")

    assert edited_since_loaded({tmp_path / "other.py": b""}) == []
