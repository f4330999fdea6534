"""Examples of a feature set: what holds, what does not, and by which way it was noticed."""

import numpy as np
import pyarrow as pa
import pytest

from mlops_ray.errors import RecordError
from mlops_ray.features import CompiledTransform
from mlops_ray.features.feature_examples import Example, Golden, differences, table_of_records

RECORDS = [
    {"x": 1.0, "n": 2**60 + 1, "s": "a\0b", "at": "2020-02-29T23:30:00-02:00", "day": "1999-12-31"},
    {"x": None, "n": None, "s": None, "at": None, "day": None},
    {"x": 3, "n": -1, "s": "new", "at": "2020-01-01T00:00:00", "day": "2000-01-01"},
]


@pytest.fixture
def transform(bench, with_key):
    """Two standardized numbers, a category, and parts of a time and a date."""
    table = with_key(
        x=[0.0, 2.0, 4.0],
        n=pa.array([1, 2**60 + 1, None]),
        s=["a\0b", "c", None],
        at=pa.array([0, 10**9, None], pa.timestamp("us")),
        day=pa.array([0, 1, None], pa.date32()),
    )
    groups = [
        {"columns": ["x"], "steps": [{"min_max": {}}]},
        {"columns": ["n", "s"], "steps": ["one_hot"]},
        {"columns": ["at", "day"], "steps": [{"date_parts": ["month", "day"]}]},
    ]
    return CompiledTransform(bench.fit(groups, table))


def golden(transform):
    return Golden.of(transform, RECORDS)


def test_what_a_transform_gives_holds_by_every_way(transform):
    kept = Golden.from_json(golden(transform).to_json())
    example = Example(RECORDS[0], {"x": 0.25, f"n={2**60 + 1}": 1, "at.month": 3, "day.day": 31})
    missing = Example(RECORDS[1], {"x": None})

    assert kept.records == tuple(RECORDS)
    assert differences(transform, [example, missing], kept) == []
    assert Example.from_text(example.to_text()) == example


@pytest.mark.parametrize(
    ("outputs", "tolerance", "got"),
    [
        ({"x": 0.2500003}, 1e-6, "0.25"),
        ({"x": 0.25000001}, 0, None),  # The nearest 32-bit float is 0.25.
        ({"x": 0.2500003}, 1e-5, None),
        ({"x": None}, 1e-6, "0.25"),
        ({"y": 1.0}, 1e-6, "no such feature"),
    ],
)
def test_a_declared_value_holds_within_its_tolerance(transform, outputs, tolerance, got):
    found = differences(transform, [Example(RECORDS[0], outputs, tolerance)], Golden((), ()))

    assert [(d.example, d.got) for d in found] == ([] if got is None else [("examples.0", got)])


def test_a_record_that_cannot_be_used_is_a_difference(transform):
    wrong = [Example({**RECORDS[0], "x": "one"}, {"x": 1.0}), Example(RECORDS[2], {"x": 0.75})]

    (found,) = differences(transform, wrong, golden(transform))

    assert (found.example, found.output, found.way) == ("examples.0", "", "json alone")
    assert "x: record 0 cannot be used: got a value of type str" in found.got


def test_another_front_end_is_noticed(transform, monkeypatch):
    kept, plain = golden(transform), transform.from_table
    monkeypatch.setattr(transform, "from_table", lambda table: plain(table) * np.float32(1 + 2e-7))

    found = differences(transform, [], kept)

    assert {d.way.split()[0] for d in found} == {"arrow"}
    assert {(d.example, d.output) for d in found} >= {("golden.0", "x"), ("golden.2", "x")}


def test_company_that_shows_is_noticed(transform, monkeypatch):
    kept, plain = golden(transform), transform.from_records

    def shifted(records):
        return plain(records) + np.float32(len(records) > 20)

    monkeypatch.setattr(transform, "from_records", shifted)

    assert {d.way for d in differences(transform, [], kept)} == {"json among 31", "json among 257"}


def test_a_golden_feature_holds_to_the_last_bit(transform):
    kept = golden(transform)
    above = np.nextafter(np.float32(kept.features[0][0]), np.float32(1))
    row = (float(above), *kept.features[0][1:])

    (found,) = differences(transform, [], Golden(kept.records, (row, *kept.features[1:])))

    assert (found.example, found.output) == ("golden.0", "x")
    assert found.got == (0.25).hex()


def test_what_no_table_can_hold_is_refused(transform):
    inputs = transform.state.inputs

    assert table_of_records(RECORDS, inputs)["at"][0].as_py().isoformat() == "2020-03-01T01:30:00"
    with pytest.raises(RecordError, match="column 'n' cannot stand in a table"):
        table_of_records([{**RECORDS[0], "n": 2**63}], inputs)
