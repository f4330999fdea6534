import pyarrow as pa
import pytest

from mlops_ray.data.schema import logical_type, schema_of
from mlops_ray.errors import SourceError


@pytest.mark.parametrize(
    ("arrow_type", "meaning"),
    [
        (pa.int8(), "integer"),
        (pa.uint64(), "integer"),
        (pa.float16(), "float"),
        (pa.large_string(), "string"),
        (pa.dictionary(pa.int8(), pa.string()), "string"),
        (pa.dictionary(pa.int8(), pa.int64()), "integer"),
        (pa.bool_(), "boolean"),
        (pa.timestamp("ns", "UTC"), "timestamp"),
        (pa.date64(), "date"),
        (pa.null(), None),
        (pa.string_view(), "string"),
        (pa.decimal32(5, 2), "decimal"),
        (pa.dictionary(pa.int8(), pa.decimal256(60, 2)), "decimal"),
        (pa.time32("s"), "time"),
        (pa.duration("ns"), "duration"),
        (pa.binary(16), "binary"),
        (pa.binary_view(), "binary"),
        (pa.large_list(pa.int8()), "list<integer>"),
        (pa.list_view(pa.null()), "list<null>"),
        (pa.list_(pa.dictionary(pa.int8(), pa.string()), 3), "list<string>"),
        (pa.map_(pa.string(), pa.date64()), "map<string,date>"),
        (pa.struct([("ü", pa.int8()), ('a"', pa.bool_())]), r'struct<"a\"":boolean,"ü":integer>'),
    ],
)
def test_widths_and_encodings_share_a_meaning(arrow_type, meaning):
    assert logical_type(arrow_type) == meaning


@pytest.mark.parametrize(
    "arrow_type",
    [
        pa.dense_union([pa.field("a", pa.int8())]),
        pa.month_day_nano_interval(),
        pa.struct([("a", pa.int8()), ("a", pa.int8())]),
        pa.list_(pa.sparse_union([pa.field("a", pa.int8())])),
    ],
)
def test_unsupported_types_are_refused_by_column(arrow_type):
    with pytest.raises(SourceError, match="not supported") as caught:
        schema_of([("a.parquet", pa.schema({"x": arrow_type}))])

    assert caught.value.where.key == "x"


def test_widths_merge_and_a_null_column_of_one_file_fits_any():
    first = pa.schema({"a": pa.int32(), "b": pa.null(), "c": pa.float32()})
    second = pa.schema({"c": pa.float64(), "b": pa.string(), "a": pa.int64()})

    schema = schema_of([("1", first), ("2", second)])

    assert list(schema.items()) == [("a", "integer"), ("b", "string"), ("c", "float")]


def test_disagreement_on_a_type_names_both_files_and_both_types():
    first, second = pa.schema({"a": pa.int32()}), pa.schema({"a": pa.string()})

    with pytest.raises(SourceError) as caught:
        schema_of([("1.parquet", first), ("2.parquet", second)])

    assert "2.parquet: a" in str(caught.value)
    assert "got string in 2.parquet, wanted integer as in 1.parquet" in str(caught.value)


@pytest.mark.parametrize(("first", "second"), [(["a"], ["a", "b"]), (["a", "b"], ["a"])])
def test_a_column_that_one_file_lacks_is_named(first, second):
    schemas = [
        (str(at), pa.schema(dict.fromkeys(names, pa.int8())))
        for at, names in enumerate((first, second))
    ]

    with pytest.raises(SourceError, match="no such column") as caught:
        schema_of(schemas)

    assert caught.value.where.key == "b"


def test_two_columns_of_one_name_are_refused():
    double = pa.schema([("a", pa.int8()), ("a", pa.int8())])

    with pytest.raises(SourceError, match="one name"):
        schema_of([("f", double)])
