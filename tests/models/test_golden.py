"""Golden examples: replayed exactly, and refused where bits or company change an answer."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest

from mlops_ray.errors import ManifestError, ModelError, UnstableModelError
from mlops_ray.models.golden import golden_examples, golden_records, records_of, replay
from mlops_ray.models.outputs import Outputs
from mlops_ray.models.signature import InputField, Signature

RECORDS = [{"x": float(i), "y": 0.1 * i} for i in range(5)]


class Line:
    """Answers with a function of the matrix of x and y."""

    def __init__(self, function):
        self._function = function

    def predict_records(self, records):
        matrix = np.array([[record["x"], record["y"]] for record in records])
        return Outputs(None, None, self._function(matrix))


def _sum(matrix):
    return matrix[:, 0] / 3 + matrix[:, 1]


@pytest.fixture
def document():
    return golden_examples(Line(_sum), RECORDS)


def test_replay_of_a_sound_model_counts_the_examples(document):
    assert replay(Line(_sum), document) == 5


def test_answers_are_recorded_to_the_last_bit(document):
    answers = json.loads(document)["answers"]

    assert answers[1] == [(1 / 3 + 0.1).hex()]


def test_one_bit_off_the_record_is_noticed(document):
    def nearly(matrix):
        return np.where(matrix[:, 0] == 3, np.nextafter(_sum(matrix), 9), _sum(matrix))

    with pytest.raises(ModelError, match=r"recorded answers \(example 3, output 0\)") as caught:
        replay(Line(nearly), document)
    assert not isinstance(caught.value, UnstableModelError)


def test_minus_zero_is_not_zero():
    document = golden_examples(Line(lambda matrix: 0.0 * matrix[:, 0]), RECORDS)

    with pytest.raises(ModelError, match=r"got -0x0\.0p\+0, wanted 0x0\.0p\+0"):
        replay(Line(lambda matrix: -0.0 * matrix[:, 0]), document)


@pytest.mark.parametrize("threshold", [2, 6, 32, 200])
def test_an_answer_that_depends_on_company_is_refused(document, threshold):
    def unstable(matrix):
        return _sum(matrix) * (1 + 2**-52 * (len(matrix) >= threshold))

    with pytest.raises(UnstableModelError, match="rows are asked at once"):
        replay(Line(unstable), document)


def test_an_answer_that_depends_on_the_position_is_refused(document):
    def unstable(matrix):
        return _sum(matrix) + np.arange(len(matrix))

    with pytest.raises(UnstableModelError):
        replay(Line(unstable), document)


def test_instability_is_told_from_a_wrong_record():
    """Even where the record is off too, the model itself is at fault first."""
    document = golden_examples(Line(_sum), RECORDS)

    with pytest.raises(UnstableModelError):
        replay(Line(lambda matrix: matrix[:, 0] + len(matrix)), document)


def test_records_keep_large_integers_and_minus_zero():
    records = [{"x": 2**60, "y": -0.0}]

    read = golden_records(golden_examples(Line(_sum), records))

    assert read == records
    assert np.signbit(read[0]["y"])


def test_records_of_a_table_have_the_inputs_only_and_null_for_nan():
    table = pa.table({"x": [1.5, float("nan"), None], "z": [1, 2, 3]})
    signature = Signature("regression", (InputField("x", "float64", nullable=True),), (), "f", "p")

    assert records_of(table, signature) == [{"x": 1.5}, {"x": None}, {"x": None}]


def test_examples_need_a_record():
    with pytest.raises(ModelError, match="at least one"):
        golden_examples(Line(_sum), [])


@pytest.mark.parametrize(
    "change",
    [{"schema": "other"}, {"answers": [["zz"]] * 5}, {"records": []}, {"answers": [["0x1p+0"]]}],
)
def test_documents_that_cannot_be_used_are_refused(document, change):
    damaged = json.dumps({**json.loads(document), **change}).encode()

    with pytest.raises(ManifestError):
        replay(Line(_sum), damaged)


NAN, INFINITY = float("nan"), float("inf")


class Answers:
    """Answers the number that stands in the record, whatever it is."""

    def __init__(self, factor=1.0, change=None):
        self._factor = factor
        self._change = change or {}

    def predict_records(self, records):
        values = [self._change.get(record["x"], float(record["text"])) for record in records]
        return Outputs(None, None, np.array(values) * self._factor)


def _document_of(*values):
    return golden_examples(Answers(), [{"x": x, "text": repr(v)} for x, v in enumerate(values)])


@pytest.mark.parametrize("value", [1.0, -3e-300, 1e300])
def test_within_the_tolerance_is_accepted_beyond_it_is_not(value):
    document = _document_of(value)

    assert replay(Answers(1 + 9e-7), document, 1e-6) == 1
    with pytest.raises(ModelError, match=r"within a relative 1e-06 .example 0, output 0"):
        replay(Answers(1 + 1.1e-6), document, 1e-6)
    with pytest.raises(ModelError, match="recorded answers"):
        replay(Answers(1 + 9e-7), document)


@pytest.mark.parametrize(
    ("recorded", "answered", "is_near"),
    [
        (NAN, NAN, True),
        (NAN, 0.0, False),
        (0.0, NAN, False),
        (INFINITY, INFINITY, True),
        (INFINITY, -INFINITY, False),
        (INFINITY, 1.7e308, False),
        (1.7e308, INFINITY, False),
        (INFINITY, NAN, False),
        (0.0, -0.0, True),
        (0.0, 5e-324, False),
        (1.0, 1.0 + 1e-9, True),
        (1e308, -1e308, False),
    ],
)
def test_what_is_not_finite_has_to_be_equal_and_so_has_zero(recorded, answered, is_near):
    document = _document_of(2.0, recorded)
    model = Answers(change={1: answered})

    if is_near:
        assert replay(model, document, 1e-6) == 2
    else:
        with pytest.raises(ModelError, match="example 1, output 0"):
            replay(model, document, 1e-6)


class Classes:
    """Answers two probabilities; the first is a little more than what was recorded."""

    def __init__(self, more=0.0):
        self._more = more

    def predict_records(self, records):
        p = np.array([[0.5 + self._more, 0.5 - self._more] for _ in records])
        return Outputs(["no" if row[0] >= row[1] else "yes" for row in p], p, None)


def test_a_label_may_not_change_however_near_the_probabilities_are():
    document = golden_examples(Classes(-1e-9), RECORDS)

    assert replay(Classes(-1.1e-9), document, 1e-6) == 5
    with pytest.raises(ModelError, match=r"the label of example 0 changes: got class 0, .*class 1"):
        replay(Classes(1e-9), document, 1e-6)


def test_a_tolerance_does_not_excuse_dependence_on_company(document):
    def unstable(matrix):
        return _sum(matrix) * (1 + 2**-52 * (len(matrix) >= 7))

    assert replay(Line(_sum), document, 1e-6) == 5
    with pytest.raises(UnstableModelError):
        replay(Line(unstable), document, 1e-6)


def test_a_tolerance_does_not_excuse_another_shape(document):
    fewer = json.loads(document)
    fewer["answers"] = [[*row, row[0]] for row in fewer["answers"]]

    with pytest.raises(ModelError, match=r"got \(5, 1\), wanted \(5, 2\)"):
        replay(Line(_sum), json.dumps(fewer).encode(), 1e-6)
