"""Target encoding: scikit-learn's where it can be compared, leak-free, and blind to order."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from sklearn.preprocessing import TargetEncoder

from mlops_ray.data.schema import schema_of
from mlops_ray.features import CompiledTransform
from mlops_ray.features.folds import fold_hashes

N_ROWS, N_FOLDS = 600, 5
RNG = np.random.default_rng(8)
CITY = RNG.choice(["a", "b", "c", "d"], N_ROWS, p=[0.5, 0.3, 0.15, 0.05])
TARGETS = {
    "binary": (pa.array((RNG.random(N_ROWS) < 0.3).astype(int)), (0, 1)),
    "multiclass": (pa.array(RNG.choice(["x", "y", "z"], N_ROWS)), ("x", "y", "z")),
    "regression": (pa.array(RNG.lognormal(2, 1, N_ROWS)), None),
}
STEP = {"target": {"smoothing": 7.0, "folds": N_FOLDS}}


@pytest.fixture
def hashes_of(folds):
    """The numbers that decide the folds of a table's rows."""
    return lambda table: fold_hashes(table, schema_of([("", table.schema)]), folds)


@pytest.mark.parametrize("task", TARGETS)
def test_encodings_are_scikit_learns_and_out_of_fold_for_training_rows(
    bench, with_key, hashes_of, task
):
    target, labels = TARGETS[task]
    table = with_key(city=CITY, y=target)
    kind = "continuous" if task == "regression" else task

    state = bench.fit([{"columns": ["city"], "steps": [STEP]}], table, labels=labels)
    transform, hashes = CompiledTransform(state), hashes_of(table)

    X, y = CITY[:, np.newaxis], np.array(target.to_pylist())
    whole = TargetEncoder(smooth=7.0, target_type=kind).fit(X, y)
    np.testing.assert_allclose(transform.from_table(table), whole.transform(X), rtol=1e-6)
    out_of_fold = transform.from_table(table, hashes)
    for fold in range(N_FOLDS):
        inside = hashes % N_FOLDS == fold
        others = TargetEncoder(smooth=7.0, target_type=kind).fit(X[~inside], y[~inside])
        np.testing.assert_allclose(out_of_fold[inside], others.transform(X[inside]), rtol=1e-6)
    assert (bench.passes, bench.planned) == (1, 1)
    assert len(state.outputs) == (3 if task == "multiclass" else 1)


def test_a_rows_own_target_is_not_in_its_encoding(bench, with_key, hashes_of):
    target, labels = TARGETS["binary"]
    flipped = np.array(target.to_pylist())
    flipped[17] = 1 - flipped[17]
    tables = [with_key(city=CITY, y=y) for y in (target, pa.array(flipped))]

    encoded, plain = [], []
    for table in tables:
        state = bench.fit([{"columns": ["city"], "steps": [STEP]}], table, labels=labels)
        encoded.append(CompiledTransform(state).from_table(table, hashes_of(table))[17])
        plain.append(CompiledTransform(state).from_table(table)[17])

    assert encoded[0] == encoded[1]
    assert plain[0] != plain[1]  # The control: without folds it would be.


@pytest.mark.parametrize("task", TARGETS)
def test_order_and_cuts_of_the_rows_do_not_show(bench, with_key, task):
    target, labels = TARGETS[task]
    table = with_key(city=CITY, y=target)
    groups = [{"columns": ["city"], "steps": [STEP, "standardize"]}]

    whole = bench.fit(groups, table, labels=labels)
    shuffled = table.take(np.random.default_rng(1).permutation(N_ROWS))
    parts = [shuffled.slice(0, 7), shuffled.slice(7, 300), shuffled.slice(307)]

    assert bench.fit(groups, *parts, labels=labels) == whole
    assert (bench.passes, bench.planned) == (2, 2)


@pytest.mark.parametrize("task", TARGETS)
def test_a_file_without_a_training_row_changes_nothing(bench, with_key, task):
    target, labels = TARGETS[task]
    table = with_key(city=CITY, y=target)
    groups = [{"columns": ["city"], "steps": [STEP, "standardize"]}]
    late = pc.add(table["k"], 10**15)  # From there on rows do not train.
    others = table.set_column(table.column_names.index("k"), "k", late).slice(0, 5)

    alone = bench.fit(groups, table, labels=labels)

    assert bench.fit(groups, others, table, others, labels=labels) == alone


def test_a_category_of_one_fold_gets_the_mean_there(bench, with_key, hashes_of):
    target, labels = TARGETS["binary"]
    city = CITY.copy().astype(object)
    city[0] = "once"
    table = with_key(city=pa.array(city), y=target)

    state = bench.fit([{"columns": ["city"], "steps": [STEP]}], table, labels=labels)
    encoded = CompiledTransform(state).from_table(table, hashes_of(table))

    hashes = hashes_of(table)
    others = np.array(target.to_pylist())[hashes % N_FOLDS != hashes[0] % N_FOLDS]
    assert encoded[0, 0] == np.float32(others.mean())


def test_grouped_and_filled_categories_are_encoded_as_what_they_have_become(bench, with_key):
    target, labels = TARGETS["binary"]
    city = CITY.copy().astype(object)
    city[::9] = None
    steps = [{"impute": {"value": "a"}}, {"rare": 100}, STEP]
    table = with_key(city=pa.array(city), y=target)

    state = bench.fit([{"columns": ["city"], "steps": steps}], table, labels=labels)

    filled = np.array(["a" if value is None else value for value in city])
    grouped = np.where(np.isin(filled, ["c", "d"]), "(rare)", filled)
    X, oracle = grouped[:, np.newaxis], TargetEncoder(smooth=7.0, target_type="binary")
    wanted = oracle.fit(X, target.to_pylist()).transform(X)
    np.testing.assert_allclose(CompiledTransform(state).from_table(table), wanted, rtol=1e-6)
