import pyarrow as pa
import pytest

from mlops_ray.errors import ColumnError
from mlops_ray.features import CompiledTransform, FeatureState, number_feature, one_hot_feature

NUMBER = CompiledTransform(FeatureState((number_feature("x", "integer", None, None, None),)))
CODES = CompiledTransform(FeatureState((one_hot_feature("x", "integer", (-1, 3, 2**60)),)))
FLAG = CompiledTransform(FeatureState((number_feature("x", "boolean", None, None, None),)))
TEXT = CompiledTransform(FeatureState((one_hot_feature("x", "string", ("a",)),)))


@pytest.mark.parametrize(
    ("transform", "column", "message"),
    [
        (NUMBER, pa.array(["1"]), "got string, wanted integer"),
        (NUMBER, pa.array([True]), "got boolean, wanted integer"),
        (NUMBER, pa.array([1.0, 1.5]), "not whole: got .*1.5.* in row 1"),
        (FLAG, pa.array([1]), "got integer, wanted boolean"),
        (TEXT, pa.array([1]), "got integer, wanted string"),
        (TEXT, pa.array([b"a"]), "got binary, wanted string"),
    ],
)
def test_a_column_of_another_type_is_refused(transform, column, message):
    with pytest.raises(ColumnError, match=f"x: .*{message}"):
        transform.from_table(pa.table({"x": column}))


def test_an_absent_column_names_the_nearest():
    with pytest.raises(ColumnError, match=r"x: no such column in the table: .*; did you mean 'xx'"):
        NUMBER.from_table(pa.table({"xx": [1]}))


@pytest.mark.parametrize(
    "column",
    [
        pa.array([3, -1, None, 2**60, 4]),
        pa.array([3.0, -1.0, None, 2.0**60, 1e300]),
        pa.array([3.0, -1.0, float("nan"), 2.0**60, float("inf")]),
        pa.array([3, -1, None, 2**60, 4]).dictionary_encode(),
    ],
)
def test_integer_categories_are_matched_exactly_in_every_stored_type(column):
    matrix = CODES.from_table(pa.table({"x": column}))

    assert matrix.argmax(axis=1)[[0, 1, 3]].tolist() == [1, 0, 2]
    assert matrix.sum(axis=1).tolist() == [1, 1, 0, 1, 0]


@pytest.mark.parametrize("transform", [CODES, TEXT])
def test_a_column_without_type_is_all_missing(transform):
    assert not transform.from_table(pa.table({"x": pa.nulls(3)})).any()
