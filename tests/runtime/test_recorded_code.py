"""Modules are imported from recorded code, and nothing else is from then on."""

import sys

import pytest

from mlops_ray.errors import ModelError
from mlops_ray.runtime.code import CodeBundle
from mlops_ray.runtime.code_bundle import extracted
from mlops_ray.runtime.recorded_code import importing, own_files

FILES = {
    "rc_one.py": b"import rc_two\nVALUE = rc_two.VALUE\n",
    "src/rc_two/__init__.py": b"VALUE = 2\n",
    "rc_other.py": b"raise RuntimeError('nobody imports it')\n",
}


@pytest.fixture
def code(tmp_path):
    """Extracted code; what was imported is forgotten afterwards."""
    before = list(sys.path)
    yield extracted(CodeBundle(FILES), tmp_path)
    sys.path[:] = before
    for name in [name for name in sys.modules if name.startswith("rc_")]:
        del sys.modules[name]


def test_modules_come_from_the_code_before_all_else_and_the_path_is_last_afterwards(
    code, tmp_path, monkeypatch
):
    (tmp_path / "rc_one.py").write_text("VALUE = 'another'\n")
    monkeypatch.syspath_prepend(tmp_path)
    first = sys.path[0]

    with importing(code, FILES, ["rc_one"]):
        assert sys.modules["rc_one"].VALUE == 2

    assert sys.path[0] == first
    assert sys.path[-2:] == [str(code), str(code / "src")]


def test_without_modules_nothing_is_done(code):
    before = list(sys.path)

    with importing(code, FILES, []):
        assert sys.path == before

    assert sys.path == before


def test_a_module_of_other_code_is_refused_and_an_equal_one_is_taken(code, tmp_path, monkeypatch):
    (tmp_path / "rc_two.py").write_bytes(FILES["src/rc_two/__init__.py"])
    monkeypatch.syspath_prepend(tmp_path)
    import rc_two  # noqa: PLC0415

    with importing(code, FILES, ["rc_one"]):
        assert sys.modules["rc_one"].VALUE == 2
    (tmp_path / "rc_two.py").write_text("VALUE = 3\n")
    with (
        pytest.raises(ModelError, match="has loaded other code of the module 'rc_two'"),
        importing(code, FILES, ["rc_one"]),
    ):
        pass
    assert rc_two.VALUE == 2


def test_a_module_that_cannot_be_imported_is_told_and_the_path_is_as_before(code):
    before = list(sys.path)

    with (
        pytest.raises(ModelError, match=r"'rc_other' .*cannot be imported: got RuntimeError"),
        importing(code, FILES, ["rc_other"]),
    ):
        pass

    assert sys.path[: len(before)] == before


def test_the_files_of_a_module_are_its_closure_without_data():
    files = {**FILES, "notes.txt": b"", "mlops_ray/__init__.py": b""}

    assert list(own_files(files, "rc_one")) == ["rc_one.py", "src/rc_two/__init__.py"]
