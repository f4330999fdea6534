"""Equal bits alone and among others, for every function that numpy computes in vectors."""

import numpy as np
import pytest

from mlops_ray.features import elementary

RNG = np.random.default_rng(0)
VALUES = np.concatenate([
    RNG.lognormal(0, 3, 1500), RNG.normal(size=1500), RNG.normal(size=500) * 1e-300,
    [0.0, -0.0, np.nan, np.inf, -np.inf, 5e-324, 1e308, -1e308, 1.0, -1.0],
])  # fmt: skip
FUNCTIONS = {
    **{name: getattr(elementary, name) for name in elementary.__all__ if name != "power"},
    "power 0.37": lambda values: elementary.power(values, 0.37),
    "power 2": lambda values: elementary.power(values, 2.0),
    "power each": lambda values: elementary.power(values, np.abs(values) % 3),
}


def bits(values):
    return values.view(np.uint64)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("n", [1, 2, 7, 31, 1000])
def test_a_value_has_the_same_bits_at_every_place_in_any_company(name, n):
    RNG.shuffle(VALUES)
    with np.errstate(all="ignore"):
        whole = bits(FUNCTIONS[name](VALUES))
        for start in range(0, VALUES.size - n, max(1, n // 3)):
            part = FUNCTIONS[name](VALUES[start : start + n].copy())
            assert (bits(part) == whole[start : start + n]).all()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_layout_in_memory_does_not_show(name):
    with np.errstate(all="ignore"):
        whole = FUNCTIONS[name](VALUES[:3000])
        block = np.ascontiguousarray(VALUES[:3000].reshape(-1, 3).T)
        columns = FUNCTIONS[name](block[:, 100:333])
    assert (bits(columns) == bits(np.ascontiguousarray(whole.reshape(-1, 3).T[:, 100:333]))).all()
    with np.errstate(all="ignore"):
        assert (bits(FUNCTIONS[name](VALUES[3:3000])) == bits(whole[3:].copy())).all()
