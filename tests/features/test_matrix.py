import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlops_ray.config.model import SplitConfig
from mlops_ray.data.source import FoundFile
from mlops_ray.data.split import SplitRows
from mlops_ray.data.unit import list_units
from mlops_ray.data.unit_schema import read_schema
from mlops_ray.errors import ColumnError, DataError
from mlops_ray.features import FeatureState, number_feature, one_hot_feature
from mlops_ray.features.compiled import CompiledTransform
from mlops_ray.features.matrix import MatrixPlan, gather, join, matrix_of_unit
from mlops_ray.features.matrix_file import matrix_from_bytes, matrix_to_bytes

RNG = np.random.default_rng(6)
N_ROWS = 300
TABLE = pa.table(
    {
        "k": RNG.permutation(N_ROWS),
        "x": RNG.normal(size=N_ROWS),
        "s": RNG.choice(["a", "b"], N_ROWS),
        "y": RNG.choice(["no", "yes"], N_ROWS),
    }
)
STATE = FeatureState(
    (
        number_feature("x", "float", None, None, None),
        one_hot_feature("s", "string", ("a", "b")),
    )
)
SPLIT = SplitRows(
    SplitConfig.model_validate({"test": {"share": 0.3}, "valid": {"share": 0.2}}), ("k",), None, 1
)


@pytest.fixture
def gathered(tmp_path):
    """Builds the matrices of tables that stand for files."""

    def build(*tables, **changes):
        files = []
        for at, table in enumerate(tables):
            path = tmp_path / f"{at}"
            pq.write_table(table, path, write_page_checksum=True)
            files.append(FoundFile(path.name, path, "parquet", 0))
        settings = {
            "schema": read_schema(files), "transform": CompiledTransform(STATE), "split": SPLIT,
            "target": "y", "labels": ("no", "yes"), "order_by": ("k",),
            "parts": ("train", "valid", "test"),
        }  # fmt: skip
        plan = MatrixPlan(**{**settings, **changes})
        return gather(plan, [matrix_of_unit(plan, unit) for unit in list_units(files)])

    return build


def test_every_row_is_in_one_part_in_order_with_its_features_and_target(gathered):
    parts = gathered(TABLE)

    ordered = TABLE.sort_by("k").to_pylist()
    rows = {np.float32(row["x"]): row for row in ordered}
    assert sum(part.n_rows for part in parts.values()) == N_ROWS
    for part in parts.values():
        assert (part.X.dtype, part.y.dtype, part.X.flags.c_contiguous) == ("f4", "i4", True)
        found = [rows[value] for value in part.X[:, 0]]
        assert [row["k"] for row in found] == sorted(row["k"] for row in found)
        assert [row["y"] == "yes" for row in found] == part.y.tolist()
        assert [row["s"] == "b" for row in found] == part.X[:, 2].tolist()


def test_order_and_cuts_of_the_input_do_not_show_where_an_order_is_declared(gathered):
    shuffled = TABLE.take(RNG.permutation(N_ROWS))

    one, other = gathered(TABLE), gathered(shuffled.slice(0, 10), shuffled.slice(10))

    for part in one:
        assert one[part].X.tobytes() == other[part].X.tobytes()
        assert one[part].y.tobytes() == other[part].y.tobytes()
        assert one[part].membership == other[part].membership


def test_without_an_order_a_changed_row_order_is_noticed(gathered):
    one = gathered(TABLE, order_by=())
    other = gathered(TABLE.take(np.arange(N_ROWS)[::-1]), order_by=())

    assert one["train"].X.tobytes() == other["train"].X[::-1].tobytes()
    assert one["train"].membership != other["train"].membership


def test_parts_that_are_not_asked_for_do_not_leave_the_unit(gathered):
    assert gathered(TABLE, parts=("valid",)).keys() == {"valid"}
    whole, alone = gathered(TABLE)["valid"], gathered(TABLE, parts=("valid",))["valid"]
    assert whole.membership == alone.membership


def test_rows_that_the_order_does_not_tell_apart_are_counted(gathered):
    double = pa.concat_tables([TABLE, TABLE.slice(5, 2)])

    with pytest.raises(DataError, match=r"rows of \w+ equal to another in k"):
        gathered(double)


def test_numbers_booleans_and_text_order_and_nulls_in_the_order_are_refused(gathered):
    table = TABLE.append_column("name", pa.array([f"{at:03}" for at in range(N_ROWS)]))

    by_name = gathered(table, order_by=("s", "name"))
    hole = table.set_column(0, "k", pa.array([None, *range(1, N_ROWS)]))

    assert (np.diff(by_name["train"].X[:, 2]) >= 0).all()
    with pytest.raises(ColumnError, match=r"order_by.* 1 nulls"):
        gathered(hole, split=SplitRows(SPLIT.rule, ("x",), None, 1))


def test_regression_keeps_the_values_and_integer_classes_their_order(gathered):
    values = gathered(TABLE, target="x", labels=None)["train"]
    years = TABLE.append_column("c", pa.array(np.arange(N_ROWS) % 3 * 10))
    classes = gathered(years, target="c", labels=(0, 10, 20))["train"]

    assert values.y.dtype == np.float64
    assert values.y.astype(np.float32).tolist() == values.X[:, 0].tolist()
    assert set(classes.y.tolist()) == {0, 1, 2}


def test_a_class_that_is_not_known_is_refused(gathered):
    with pytest.raises(ColumnError, match="y: the target holds nulls or unknown classes"):
        gathered(TABLE, labels=("no",))


def test_joined_parts_stand_below_one_another(gathered):
    parts = gathered(TABLE)

    both = join([parts["train"], parts["valid"]])

    assert both.n_rows == parts["train"].n_rows + parts["valid"].n_rows
    assert (both.X[parts["train"].n_rows :] == parts["valid"].X).all()
    assert both.membership not in (parts["train"].membership, parts["valid"].membership)


@pytest.mark.parametrize("dtype", [pa.float64(), pa.int64(), pa.decimal128(25, 2)])
def test_weights_go_with_their_rows_and_are_kept_in_the_file(gathered, dtype):
    weights = pa.array(range(N_ROWS)).cast(dtype)
    table = TABLE.append_column("w", weights)
    weight_of = dict(zip(TABLE["x"].to_numpy().astype("f4"), range(N_ROWS), strict=True))

    parts = gathered(table.slice(0, 77), table.slice(77), weight="w")

    for part in parts.values():
        assert part.weights.dtype == np.float64
        assert part.weights.tolist() == [weight_of[x] for x in part.X[:, 0]]
        read = matrix_from_bytes(matrix_to_bytes(part))
        assert read.weights.tobytes() == part.weights.tobytes()
        assert (read.X.tobytes(), read.y.tobytes()) == (part.X.tobytes(), part.y.tobytes())
    both = join([parts["train"], parts["valid"]])
    assert both.weights.tolist() == [*parts["train"].weights, *parts["valid"].weights]


def test_without_weights_a_matrix_and_its_file_are_what_they_were(gathered):
    plain = gathered(TABLE)["train"]
    weighed = gathered(TABLE.append_column("w", pa.array([1.0] * N_ROWS)), weight="w")["train"]

    assert plain.weights is None
    assert b"weights" not in matrix_to_bytes(plain)
    assert matrix_from_bytes(matrix_to_bytes(plain)).weights is None
    assert weighed.X.tobytes() == plain.X.tobytes()
    assert weighed.membership != plain.membership
