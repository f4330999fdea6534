"""Parts of a loaded module against a source: every edit is seen, and no harmless one is."""

import importlib.util
import sys

import pytest

from mlops_ray.runtime.loaded_parts import differing_part

SOURCE = '''\
"""A module."""
import functools
from typing import Final

RATE: Final = 2.0
NAMES = ("a", "b")
SIGN = -1
CACHE = {}
count = 0


def twice(fn):
    @functools.wraps(fn)
    def wrapper(*args):
        return fn(*args) + fn(*args)

    return wrapper


def plain(x, power=2, *, shift=0.0):
    """Raised and moved."""
    return x**power + shift * RATE


@twice
def decorated(x):
    return x + 1


class Scaler:
    factor = 3

    def __init__(self, by):
        self.by = by

    @property
    def both(self):
        return self.by * self.factor

    @staticmethod
    def zero():
        return 0.0


def counted():
    global count
    count += 1
    CACHE[count] = [x for x in range(count)]
    return count


if RATE:
    def chosen():
        return 1
else:
    def chosen():
        return 2
'''


@pytest.fixture
def module(tmp_path, monkeypatch):
    """The module, loaded."""
    path = tmp_path / "parts_module.py"
    path.write_text(SOURCE)
    spec = importlib.util.spec_from_file_location("parts_module", path)
    loaded = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "parts_module", loaded)
    spec.loader.exec_module(loaded)
    return loaded


def test_what_was_loaded_agrees_with_its_source_also_after_it_was_used(module):
    assert differing_part(module, SOURCE.encode()) == ""

    module.counted()

    assert (module.count, module.CACHE) == (1, {1: [0]})
    assert differing_part(module, SOURCE.encode()) == ""


@pytest.mark.parametrize(
    ("before", "after", "named"),
    [
        ("RATE: Final = 2.0", "RATE: Final = 3.0", "RATE"),
        ("RATE: Final = 2.0", "RATE: Final = 2", "RATE"),
        ('("a", "b")', '("a", "c")', "NAMES"),
        ("SIGN = -1", "SIGN = 1", "SIGN"),
        ("power=2", "power=3", "plain"),
        ("shift=0.0", "shift=-0.0", "plain"),
        ("power=2, *", "power, *", "plain"),
        ("x**power + shift", "x**power - shift", "plain"),
        ("return x + 1", "return x + 2", "decorated"),
        ("fn(*args) + fn(*args)", "fn(*args)", "twice.<locals>.wrapper"),
        ("self.by * self.factor", "self.by + self.factor", "Scaler.both"),
        ("return 0.0", "return -0.0", "Scaler.zero"),
        ("range(count)", "range(2 * count)", "counted"),
        ("RATE: Final", "RATE Final", "all of it, which was Python once"),
    ],
)
def test_an_edit_is_named_by_the_part_it_is_in(module, before, after, named):
    edited = SOURCE.replace(before, after)

    assert edited != SOURCE
    assert differing_part(module, edited.encode()) == named


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("def plain", "# A comment.\ndef plain"),
        ("RATE: Final = 2.0", "RATE: Final = float('2')"),
        ("count = 0", "count = 7"),  # Rebound while it is used: tells nothing.
        ("CACHE = {}", "CACHE = {}  # Filled while it is used."),
        ("SIGN = -1", "SIGN = -1\nMORE = 1"),  # What uses it would be another.
        ("def counted", "def newly():\n    pass\n\n\ndef counted"),
    ],
)
def test_what_cannot_change_what_the_functions_do_is_no_difference(module, before, after):
    assert differing_part(module, SOURCE.replace(before, after).encode()) == ""


def test_no_module_of_this_process_is_taken_for_edited_without_cause():
    loaded = [
        (module, place)
        for name, module in list(sys.modules.items())
        if name.partition(".")[0] in {"mlops_ray", "json", "email", "pydantic", "yaml"}
        and (place := getattr(module, "__file__", None))
        and place.endswith(".py")
    ]

    found = []
    for module, place in loaded:
        with open(place, "rb") as stream:  # noqa: PTH123 - as Python names it
            found.append((module.__name__, differing_part(module, stream.read())))

    assert len(found) > 50
    assert [item for item in found if item[1]] == []
