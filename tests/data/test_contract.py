import pyarrow as pa
import pytest

from mlops_ray.config.model import DataConfig
from mlops_ray.data.contract import check_contract, check_target_type, class_labels
from mlops_ray.data.profile import Profile
from mlops_ray.data.scan_result import Scan
from mlops_ray.errors import ColumnError, DataError

EMPTY = pa.table({"y": pa.array([], pa.int64()), "x": pa.array([], pa.float64())})


def part(y, x=None):
    return pa.table({"y": y, "x": pa.array(x or [1.0] * len(y), pa.float64())})


def scan_of(train, test=None, dtype="integer"):
    types = {"y": dtype, "x": "float"}
    tables = {"train": train, "valid": train[:2], "test": train[:2] if test is None else test}
    profiles = {name: Profile.of(table, types) for name, table in tables.items()}
    return Scan(types, profiles, {})


def declared(task="binary", **more):
    return DataConfig.model_validate({"source": "d", "task": task, "target": "y", **more})


def test_good_data_pass_and_give_ordered_classes():
    scan = scan_of(part([1, 0, 1]))

    check_contract(scan, declared(), ["x"])

    assert class_labels(scan, "y") == [0, 1]
    strings = scan_of(part(pa.array(["b", "a"])), dtype="string")
    assert class_labels(strings, "y") == ["a", "b"]


@pytest.mark.parametrize(
    ("task", "dtype"), [("binary", "float"), ("regression", "string"), ("multiclass", "date")]
)
def test_a_target_type_that_does_not_fit_the_task_is_refused(task, dtype):
    with pytest.raises(ColumnError, match=f"does not fit the task '{task}': got {dtype}"):
        check_target_type({"y": dtype}, declared(task))


@pytest.mark.parametrize(
    ("scan", "data", "message"),
    [
        (scan_of(part([1, 1, 1])), declared(), r"constant: got training rows 1: 3"),
        (scan_of(part([2, 2])), declared("regression"), "constant: got 2.0 in all 2"),
        (scan_of(part([1, 0, 2])), declared(), "not binary: got 3 classes"),
        (scan_of(part([1, 0, None])), declared(), "holds nulls: got 1 in the 3 rows of train"),
        (scan_of(part([1, 0]), test=part([7, 7])), declared(), "7 in 2 rows of test"),
        (scan_of(part([1, 0], [None, None])), declared(), "all null: got 2 nulls in 2"),
        (scan_of(part([1, 0], [1.0, float("inf")])), declared(), "got 1 in the 2 rows of train"),
    ],
)
def test_a_broken_contract_names_the_column_and_the_counts(scan, data, message):
    with pytest.raises(ColumnError, match=message):
        check_contract(scan, data, ["x"])


@pytest.mark.parametrize("value", [1e40, -1e40])
def test_a_feature_beyond_float32_is_refused_and_one_within_it_is_not(value):
    rows = [1.0, value, value, 2.0]
    check_contract(scan_of(part([1, 0, 1, 0], [x / 1e10 for x in rows])), declared(), ["x"])

    with pytest.raises(
        ColumnError, match=r"x: .*float32: got -?1e\+40, .* 2 such in the 4 rows of"
    ):
        check_contract(scan_of(part([1, 0, 1, 0], rows)), declared(), ["x"])


def test_a_target_beyond_float32_is_refused_and_one_within_it_is_not():
    def scanned(*values):
        return scan_of(part(pa.array(values, pa.float64())), dtype="float")

    check_contract(scanned(1.0, 1e38), declared("regression"), ["x"])
    with pytest.raises(
        ColumnError, match=r"y: the target .*float32: got 1e\+45, .* 1 such in the 2"
    ):
        check_contract(scanned(1.0, 1e45), declared("regression"), ["x"])


def test_the_contract_looks_at_the_target_type_first():
    with pytest.raises(ColumnError, match="does not fit the task 'regression': got string"):
        check_contract(scan_of(part(["a", "b"]), dtype="string"), declared("regression"), ["x"])


def test_an_empty_part_is_named_with_all_counts():
    scan = scan_of(part([1, 0]), test=EMPTY)

    with pytest.raises(DataError, match=r"no rows to test: got train 2, valid 2, test 0 rows"):
        check_contract(scan, declared(), ["x"])


def test_classes_beyond_counting_ask_for_regression():
    scan = scan_of(part(list(range(10_001))))

    with pytest.raises(ColumnError, match="declare task: regression"):
        class_labels(scan, "y")


@pytest.mark.parametrize(
    ("scan", "task", "private"),
    [
        (scan_of(part([4711, 4711])), "binary", "one value: 2"),
        (scan_of(part([4711, 4711])), "regression", "one value in all 2"),
        (scan_of(part([4711, 1, 2])), "binary", "3 classes"),
        (scan_of(part([1, 0]), test=part([4711])), "binary", "one value in 1 rows of test"),
    ],
)
def test_of_a_personal_target_no_value_is_told(scan, task, private):
    with pytest.raises(ColumnError, match="4711"):
        check_contract(scan, declared(task), ["x"])
    with pytest.raises(ColumnError, match=private) as caught:
        check_contract(scan, declared(task), ["x"], pii=["y"])

    assert "4711" not in str(caught.value)
