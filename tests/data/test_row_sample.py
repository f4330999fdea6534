import numpy as np
import pytest

from mlops_ray.data.row_sample import MAX_ROWS, RowSample


def wanted(hashes):
    """By the definition: the lowest level whose distinct hashes are no more than the limit."""
    counted = sorted(zip(*np.unique(hashes, return_counts=True), strict=True))
    for level in range(64):
        low = [(int(h), int(n)) for h, n in counted if int(h) < 2 ** (64 - level)]
        if len(low) <= MAX_ROWS:
            return level, low
    raise AssertionError("no level is low enough")


def found(sample):
    return sample.level, list(zip(sample.hashes.tolist(), sample.rows.tolist(), strict=True))


def hashes_of(n_rows, n_distinct, seed=0):
    rng = np.random.default_rng(seed)
    distinct = rng.integers(0, 2**64, n_distinct, dtype=np.uint64)
    return distinct[rng.integers(0, n_distinct, n_rows)] if n_distinct < n_rows else distinct


@pytest.mark.parametrize(
    ("n_rows", "n_distinct"),
    [
        (0, 1),
        (5, 5),
        (MAX_ROWS, MAX_ROWS),
        (MAX_ROWS + 1, MAX_ROWS + 1),
        (70_000, 70_000),
        (140_000, 140_000),
        (300_000, 1_000),
        (300_000, MAX_ROWS),
        (300_000, 40_000),
    ],
)
def test_the_sample_is_the_one_that_is_defined(n_rows, n_distinct):
    hashes = hashes_of(n_rows, n_distinct)

    assert found(RowSample.of(hashes)) == wanted(hashes)


@pytest.mark.parametrize("n_distinct", [200_000, 50_000, 1_000])
def test_parts_merge_into_the_sample_of_the_whole(n_distinct):
    hashes = hashes_of(200_000, n_distinct)
    parts = [RowSample.of(part) for part in np.split(hashes, [10, 60_000, 60_000, 190_000])]

    assert found(RowSample.merged(parts)) == found(RowSample.merged(parts[::-1])) == wanted(hashes)
