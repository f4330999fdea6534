"""Imports in a thread while the main thread waits."""

import sys

import pytest

from mlops_ray.runtime.meanwhile import imported_meanwhile


@pytest.fixture
def modules(tmp_path, monkeypatch):
    """A module that can be imported, one that cannot, and one after it."""
    (tmp_path / "m_first.py").write_text("", encoding="utf-8")
    (tmp_path / "m_broken.py").write_text("raise OSError", encoding="utf-8")
    (tmp_path / "m_last.py").write_text("", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield ["m_first", "m_broken", "m_last"]
    for name in ("m_first", "m_broken", "m_last"):
        sys.modules.pop(name, None)


def test_modules_are_there_when_the_block_ends_but_for_a_broken_one(modules):
    with imported_meanwhile(modules):
        pass

    assert [name in sys.modules for name in modules] == [True, False, True]
    with pytest.raises(OSError, match=r"^$"):
        __import__("m_broken")


def test_an_error_of_the_block_is_not_hidden(modules):
    with pytest.raises(KeyError, match="own"), imported_meanwhile(modules):
        raise KeyError("own")
