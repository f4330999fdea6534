import math
import pickle

import numpy as np
import pyarrow as pa
import pytest

from mlops_ray.errors import ColumnError, RecordError
from mlops_ray.features import CompiledTransform, FeatureState, number_feature

TYPES = {"f": pa.float64(), "s": pa.string(), "i": pa.int64(), "n": pa.int64(), "b": pa.bool_(),
         "t": pa.bool_()}  # fmt: skip


def table_of(records):
    return pa.Table.from_pylist(records, pa.schema(TYPES))


def bits(matrix):
    return matrix.view(np.uint32).tolist()


def test_all_ways_in_give_the_same_bits(state, records):
    transform = CompiledTransform(state)
    table = table_of(records)

    matrix = transform.from_records(records)

    assert matrix.dtype == np.float32
    assert matrix.flags.c_contiguous
    assert matrix.shape == (5, 11)
    assert bits(transform.from_table(table)) == bits(matrix)
    assert bits(transform.from_columns(table.to_pydict())) == bits(matrix)


def test_values_are_those_of_plain_arithmetic(state, records):
    matrix = CompiledTransform(state).from_records(records)

    expected = [np.float32((0.7 - 0.1) / 0.3), 0, 1, 0, 3, 0, 0, 1, 1, 0, 1]
    assert matrix[0].tolist() == [float(value) for value in expected]
    assert math.isnan(matrix[1, 0])
    assert matrix[1, 1:].tolist() == [0, 0, 0, 2.5, 0, 0, 0, -1, 0, 0]
    assert matrix[2, 1:8].tolist() == [0, 0, 0, 2.0**53, 0, 0, 0]


@pytest.mark.parametrize("n_others", [0, 1, 6, 30, 999])
def test_a_row_has_the_same_bits_in_any_company(state, records, n_others):
    transform = CompiledTransform(state)
    others = (records * 200)[:n_others]

    for record in records:
        alone = transform.from_records([record])
        assert bits(transform.from_records([*others, record])[-1:]) == bits(alone)
        assert bits(transform.from_table(table_of([*others, record]))[-1:]) == bits(alone)


def test_in_another_process_it_is_compiled_from_its_state_and_gives_the_same_bits(state, records):
    transform = CompiledTransform(state, accepts_missing=False)

    there = pickle.loads(pickle.dumps(transform))

    assert (there.state, there.accepts_missing) == (state, False)
    table = table_of(records).slice(0, 1)
    assert bits(there.from_table(table)) == bits(transform.from_table(table))


def test_encodings_of_a_table_do_not_show(state, records):
    transform = CompiledTransform(state)
    table = table_of(records)
    chunked = pa.concat_tables([table.slice(0, 2), table.slice(2)])
    encoded = chunked.set_column(1, "s", chunked["s"].cast(pa.large_string()).dictionary_encode())
    narrow = encoded.append_column("other", pa.array([[1]] * 5))

    assert bits(transform.from_table(narrow)) == bits(transform.from_table(table))
    whole = table.set_column(3, "n", table["n"].cast(pa.float64(), safe=False))
    assert bits(transform.from_table(whole)[3:]) == bits(transform.from_table(table)[3:])


def test_no_rows_give_an_empty_matrix(state):
    transform = CompiledTransform(state)

    assert transform.from_records([]).shape == (0, 11)
    assert transform.from_table(table_of([])).shape == (0, 11)


def test_missing_values_are_refused_where_the_model_takes_none(state, records):
    transform = CompiledTransform(state, accepts_missing=False)

    with pytest.raises(RecordError, match="f: record 1: a value is missing"):
        transform.from_records(records)
    with pytest.raises(ColumnError, match="f: record 1: a value is missing"):
        transform.from_table(table_of(records))
    assert transform.from_records(records[2:]).shape == (3, 11)


@pytest.mark.parametrize("value", [1e39, -1e300])
def test_what_float32_cannot_hold_is_refused(value):
    transform = CompiledTransform(FeatureState((number_feature("x", "float", None, None, None),)))

    with pytest.raises(RecordError, match="x: record 1: a value is infinite or too large"):
        transform.from_records([{"x": 1.0}, {"x": value}])
    with pytest.raises(ColumnError, match="x: record 0"):
        transform.from_table(pa.table({"x": [math.inf]}))
