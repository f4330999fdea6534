"""Examples in docstrings run."""

import doctest
import importlib
from pathlib import Path

import pytest

import mlops_ray

PACKAGE = Path(mlops_ray.__file__).parent


def _module(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


MODULES = sorted(_module(path) for path in PACKAGE.rglob("*.py") if ">>>" in path.read_text())


@pytest.mark.parametrize("name", MODULES)
def test_examples_hold(name: str) -> None:
    flags = doctest.IGNORE_EXCEPTION_DETAIL
    outcome = doctest.testmod(importlib.import_module(name), optionflags=flags)

    assert outcome.attempted > 0
    assert outcome.failed == 0
