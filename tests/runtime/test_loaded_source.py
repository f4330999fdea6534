"""What was loaded is told by the digest noted while it was loaded, else by file and parts."""

import importlib
import sys

import pytest

from mlops_ray.runtime.loaded_source import loaded_otherwise

PLAIN = "TABLE = list(range(3))\n\n\ndef f():\n    return TABLE\n"
NOTED = "from mlops_ray import feature_function\n\n" + PLAIN.replace(
    "def f():", "@feature_function(version=1)\ndef f():"
)


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Writes a module and imports it."""
    monkeypatch.syspath_prepend(tmp_path)

    def made(text):
        (tmp_path / "ls_module.py").write_text(text)
        monkeypatch.delitem(sys.modules, "ls_module", raising=False)
        importlib.invalidate_caches()
        return importlib.import_module("ls_module")

    yield made
    sys.modules.pop("ls_module", None)


@pytest.mark.parametrize("text", [PLAIN, NOTED])
def test_an_untouched_module_is_what_was_recorded(load, text):
    assert loaded_otherwise(load(text), text.encode()) == ""


def test_a_noted_module_is_known_by_its_digest_whatever_its_file_holds_by_now(load, tmp_path):
    module, edited = load(NOTED), NOTED.replace("range(3)", "range(4)")
    (tmp_path / "ls_module.py").write_text(edited)

    assert loaded_otherwise(module, NOTED.encode()) == ""
    assert "a source of digest sha256:" in loaded_otherwise(module, edited.encode())


def test_a_module_that_was_loaded_anew_is_noted_anew(load, tmp_path):
    module, edited = load(NOTED), NOTED.replace("range(3)", "range(4) ")
    (tmp_path / "ls_module.py").write_text(edited)
    importlib.reload(module)

    assert loaded_otherwise(module, edited.encode()) == ""
    assert loaded_otherwise(module, NOTED.encode()) != ""


def test_of_another_module_the_file_and_the_parts_have_to_agree(load, tmp_path):
    module, edited = load(PLAIN), PLAIN.replace("return TABLE", "return TABLE[:1]")
    (tmp_path / "ls_module.py").write_text(edited)

    assert loaded_otherwise(module, PLAIN.encode()) == (
        "the file ls_module.py, which holds other code"
    )
    assert loaded_otherwise(module, edited.encode()) == (
        "f as it was before ls_module.py was edited"
    )
