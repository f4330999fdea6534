"""A searcher of the project is held to its promise, and its errors are told as its own."""

from __future__ import annotations

import re

import numpy as np
import pytest

from mlops_ray.errors import SearchError
from mlops_ray.search.searchers.project import ProjectSearcher

SOURCE = """
class Given:
    learns = True
    answer = None

    def __init__(self, space, *, seed, mode):
        self.space, self.seed, self.mode = space, seed, mode

    def ask(self, first, n):
        return self.answer(first, n)

    def tell(self, records):
        raise KeyError("told")


class Unmade:
    def __init__(self, space, *, seed, mode):
        raise ValueError("no such space")
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Name of a module of the project, imported from its file."""
    name = f"drawing_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    return name


def made(module, answer):
    searcher = ProjectSearcher(f"{module}:Given", {}, 7, "max")
    searcher._searcher.answer = answer
    return searcher


def test_what_it_draws_is_taken_with_names_sorted(module):
    searcher = made(module, lambda first, n: [{"b": None, "a": first + i} for i in range(n)])

    drawn = searcher.ask(3, 2)

    assert [list(params.items()) for params in drawn] == [
        [("a", 3), ("b", None)],
        [("a", 4), ("b", None)],
    ]


@pytest.mark.parametrize(
    ("answer", "got"),
    [
        (None, "NoneType"),
        ([{"a": 1}], "1 answers"),
        ([{"a": 1}, (1,)], "an answer of type tuple"),
        ([{"a": 1}, {"a": np.int64(1)}], "values of types int64"),
        ([{"a": 1}, {"a": [1]}], "values of types list"),
    ],
)
def test_what_no_record_could_hold_is_refused(module, answer, got):
    with pytest.raises(SearchError, match=f"got {got}, wanted a list of 2 dicts"):
        made(module, lambda *_: answer).ask(0, 2)


def test_an_error_of_its_own_is_told_with_its_place(module):
    line = next(n for n, text in enumerate(SOURCE.splitlines(), 1) if "KeyError" in text)
    place = re.escape(f"{module}.py:{line}")

    with pytest.raises(SearchError, match=rf"Given' failed: got KeyError: 'told', at {place}"):
        made(module, None).tell([])
    with pytest.raises(SearchError, match="Unmade' failed: got ValueError: no such space"):
        ProjectSearcher(f"{module}:Unmade", {}, 7, "max")
    with pytest.raises(SearchError, match="there is no searcher"):
        ProjectSearcher(f"{module}:Nobody", {}, 7, "max")
