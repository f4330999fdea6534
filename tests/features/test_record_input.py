import pytest

from mlops_ray.errors import RecordError
from mlops_ray.features import CompiledTransform, FeatureState, number_feature

GOOD = {"f": 0.5, "s": "a", "i": 1, "n": 3, "b": True, "t": None}


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("f", True, "type bool, wanted a number or null"),
        ("f", "0.5", "type str, wanted a number or null"),
        ("f", float("nan"), "use null for a missing value"),
        ("f", float("inf"), "use null for a missing value"),
        ("f", 10**400, "beyond the range of float64"),
        ("i", 1.5, "not whole, wanted an integer"),
        ("i", True, "type bool"),
        ("n", "3", "type str, wanted an integer or null"),
        ("s", 1, "type int, wanted a text or null"),
        ("s", ["a"], "type list"),
        ("b", 1, "type int, wanted true, false or null"),
    ],
)
def test_a_value_of_another_type_names_record_and_field(state, field, value, message):
    with pytest.raises(RecordError, match=message) as caught:
        CompiledTransform(state).from_records([GOOD, {**GOOD, field: value}])

    assert caught.value.where.key == field
    assert "record 1" in caught.value.what


@pytest.mark.parametrize("n_others", [0, 1])
def test_integers_beyond_float64_that_cancel_are_refused_after_plain_ones(n_others):
    state = FeatureState(
        tuple(number_feature(name, "float", fill=None, offset=0.0, scale=1.0) for name in "ab")
    )
    transform, plain = CompiledTransform(state), {"a": 1, "b": 2}
    transform.from_records([plain])  # The types are known from now on.

    with pytest.raises(RecordError, match="beyond the range of float64") as caught:
        transform.from_records([plain] * n_others + [{"a": 10**400, "b": -(10**400)}])

    assert caught.value.where.key == "a"


def test_whole_floats_pass_as_integers(state):
    transform = CompiledTransform(state)

    one, other = (transform.from_records([{**GOOD, "i": v, "n": v}]) for v in (3, 3.0))

    assert one.tobytes() == other.tobytes()


def test_missing_and_unknown_fields_are_counted_and_the_unknown_not_echoed(state):
    transform = CompiledTransform(state)

    with pytest.raises(RecordError, match="record 0 lacks a field: got 1 missing") as missing:
        transform.from_records([{k: v for k, v in GOOD.items() if k != "i"}])
    with pytest.raises(RecordError, match="record 1 has unknown fields: got 1 unknown") as unknown:
        transform.from_records([GOOD, {**GOOD, "<script>": 1}])

    assert missing.value.where.key == "i"
    assert "script" not in str(unknown.value)


def test_records_are_objects(state):
    with pytest.raises(RecordError, match="record 0 is not an object: got list"):
        CompiledTransform(state).from_records([[1, 2]])


def test_columns_of_different_length_are_refused(state):
    columns = {name: [value] for name, value in GOOD.items()}

    with pytest.raises(RecordError, match="n: columns differ in length: got 2 values, wanted 1"):
        CompiledTransform(state).from_columns({**columns, "n": [1, 2]})
