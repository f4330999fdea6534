"""A fitted state with every kind of input, and rows that use all of its cases."""

from __future__ import annotations

from typing import Any

import pytest

from mlops_ray.features import CategoryInput, FeatureState, NumberInput


@pytest.fixture
def state() -> FeatureState:
    """Six inputs, eleven outputs."""
    return FeatureState(
        (
            NumberInput("f", "float", fill=None, offset=0.1, scale=0.3),
            CategoryInput("s", "string", ("", "a", "é")),
            NumberInput("i", "integer", fill=2.5, offset=None, scale=None),
            CategoryInput("n", "integer", (-1, 3, 2**60)),
            NumberInput("b", "boolean", fill=0.0, offset=0.5, scale=0.5),
            CategoryInput("t", "boolean", (False, True)),
        )
    )


@pytest.fixture
def records() -> list[dict[str, Any]]:
    """Rows as JSON gives them."""
    return [
        {"f": 0.7, "s": "a", "i": 3, "n": 2**60, "b": True, "t": True},
        {"f": None, "s": None, "i": None, "n": None, "b": None, "t": None},
        {"f": -0.0, "s": "unknown", "i": 2**53 + 1, "n": 2**60 + 1, "b": False, "t": False},
        {"f": 1e-300, "s": "é", "i": -7, "n": -1, "b": True, "t": False},
        {"f": 12345678.9, "s": "", "i": 0, "n": 3, "b": False, "t": True},
    ]
