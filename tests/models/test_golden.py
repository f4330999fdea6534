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
