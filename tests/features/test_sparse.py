"""Matrices without their zeros: bounded by their entries, and never taken for dense ones."""

import tracemalloc

import numpy as np
import pyarrow as pa
import pytest

from mlops_ray.errors import ColumnError
from mlops_ray.features import CompiledTransform

N_BUCKETS = 100_000


@pytest.fixture
def fitted(bench, with_key):
    """The transform of a number and a hashed text."""

    def fit(n_buckets, *steps, **more):
        table = with_key(x=[1.0, 2.0, 3.0], s=["a", "b", None])
        hashing = {"hashing": {"n_buckets": n_buckets}}
        groups = [
            {"columns": ["x"], "steps": list(steps)},
            {"columns": ["s"], "steps": [hashing]},
        ]
        return CompiledTransform(bench.fit(groups, table), **more)

    return fit


def rows(n):
    values = np.random.default_rng(1).integers(0, 2000, n)
    return pa.table({"x": values * 1.0, "s": [f"{value}" for value in values]})


def test_memory_goes_with_the_entries_and_not_with_the_columns(fitted):
    transform, table = fitted(N_BUCKETS), rows(20_000)
    tracemalloc.start()

    csr = transform.csr_from_table(table)

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert csr.shape == (20_000, N_BUCKETS + 1)  # 8 GB, were it dense.
    assert peak < 2**24
    at = int(np.flatnonzero(table["x"].to_numpy() != 0)[0])
    alone = transform.from_table(table.slice(at, 1))[0]
    assert csr[[at]].toarray()[0].tolist() == alone.tolist()


def test_minus_zero_and_missing_values_are_entries_and_zeros_are_none(fitted):
    transform = fitted(4, {"expression": {"name": "e", "formula": "0 - x * 0"}}, {"clip": [-1, 1]})
    table = pa.table({"x": [1.0, None], "s": pa.array([None, "a"], pa.string())})

    csr, dense = transform.csr_from_table(table), transform.from_table(table)

    assert csr.nnz == np.count_nonzero(dense.view(np.uint32))
    assert np.isnan(csr.data).sum() == np.isnan(dense).sum() == 1


@pytest.mark.parametrize(
    ("value", "message"), [(1e300, "infinite or too large"), (None, "a value is missing")]
)
def test_what_the_dense_matrix_refuses_is_refused_with_row_and_column(fitted, value, message):
    transform = fitted(8, accepts_missing=False)
    table = pa.table({"x": [1.0] * 9000 + [value], "s": ["a"] * 9001})

    outcomes = []
    for run in (transform.from_table, transform.csr_from_table):
        with pytest.raises(ColumnError, match=f"x: record 9000: {message}|{message}") as caught:
            run(table)
        outcomes.append((str(caught.value), caught.value.where.key))
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][1] == "x"
