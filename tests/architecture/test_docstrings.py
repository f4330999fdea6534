"""Examples in docstrings run."""

import doctest
import importlib
from pathlib import Path

import pytest

import mlops_ray

PACKAGE = Path(mlops_ray.__file__).parent
MODULES = sorted(
    ".".join(("mlops_ray", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")
    for path in PACKAGE.rglob("*.py")
    if ">>>" in path.read_text()
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_hold(name: str) -> None:
    outcome = doctest.testmod(importlib.import_module(name))

    assert outcome.attempted > 0
    assert outcome.failed == 0
