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


@pytest.mark.parametrize(
    ("recorded", "is_refused"), [(b"VALUE = 2\n", False), (b"VALUE = 3\n", True)]
)
def test_what_was_loaded_counts_not_what_its_file_holds_by_now(
    tmp_path, monkeypatch, recorded, is_refused
):
    """The file is edited after it was loaded, and recorded as it is then."""
    place = tmp_path / "here" / "rc_two.py"
    place.parent.mkdir()
    place.write_bytes(b"VALUE = 2\n")
    monkeypatch.syspath_prepend(place.parent)
    monkeypatch.delitem(sys.modules, "rc_two", raising=False)
    import rc_two  # noqa: PLC0415

    place.write_bytes(recorded)
    files = {"rc_two.py": recorded}
    folder = extracted(CodeBundle(files), tmp_path)
    monkeypatch.setitem(sys.modules, "rc_two", rc_two)

    if is_refused:
        with (
            pytest.raises(ModelError, match=r"'rc_two' .*got VALUE as it was before rc_two\.py"),
            importing(folder, files, ["rc_two"]),
        ):
            pass
    else:
        with importing(folder, files, ["rc_two"]):
            assert rc_two.VALUE == 2


@pytest.mark.parametrize(("lying_there", "is_refused"), [(b"V = 1\n", False), (b"V = 2\n", True)])
def test_a_package_that_was_loaded_before_does_not_lead_to_other_code(
    tmp_path, monkeypatch, lying_there, is_refused
):
    files = {"rc_pack/__init__.py": b"", "rc_pack/made.py": b"V = 1\n"}
    place = tmp_path / "here" / "rc_pack"
    place.mkdir(parents=True)
    (place / "__init__.py").write_bytes(b"")
    (place / "made.py").write_bytes(lying_there)
    monkeypatch.syspath_prepend(place.parent)
    for name in ("rc_pack", "rc_pack.made"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    import rc_pack  # noqa: F401, PLC0415

    folder = extracted(CodeBundle(files), tmp_path)
    try:
        if is_refused:
            with (
                pytest.raises(ModelError, match=r"'rc_pack.made'"),
                importing(folder, files, ["rc_pack.made"]),
            ):
                pass
        else:
            with importing(folder, files, ["rc_pack.made"]):
                assert sys.modules["rc_pack.made"].V == 1
    finally:
        for name in ("rc_pack", "rc_pack.made"):
            sys.modules.pop(name, None)
