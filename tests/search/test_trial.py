"""Trial records: a table without chance, and the choice of the best."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from mlops_ray.errors import ManifestError, SearchError
from mlops_ray.search.trial import (
    TrialRecord,
    best_trial,
    failure_message,
    read_trial_table,
    trial_table,
)

GOLDEN = Path(__file__).parent.parent / "golden"


def _finished(index, value):
    return TrialRecord(index, {"n": index}, "7", "finished", value, {"roc_auc": value})


def _failed(index, message):
    return TrialRecord(index, {}, "7", "failed", error="ModelError", message=message)


def test_best_is_the_largest_or_the_smallest():
    records = [_finished(0, 0.5), _finished(1, 0.9), _finished(2, 0.1)]

    assert best_trial(records, "max").index == 1
    assert best_trial(records, "min").index == 2


def test_of_equals_the_lowest_index_is_best_whatever_their_order():
    records = [_finished(3, 0.9), _finished(1, 0.9), _finished(2, 0.9)]

    assert best_trial(records, "max").index == 1
    assert best_trial(records[::-1], "min").index == 1


def test_failed_and_invalid_trials_are_never_best():
    records = [TrialRecord(0, {}, "7", "invalid"), _failed(1, "bad"), _finished(2, -5.0)]

    assert best_trial(records, "max").index == 2


def test_without_a_valid_trial_the_three_commonest_reasons_are_named():
    records = [
        *[_failed(i, "no memory") for i in range(3)],
        *[_failed(i, "bad depth") for i in range(3, 5)],
        TrialRecord(5, {}, "7", "invalid"),
        TrialRecord(6, {}, "7", "invalid"),
        _failed(7, "rare"),
    ]

    with pytest.raises(SearchError, match="none of 8 trials") as caught:
        best_trial(records, "max")
    assert caught.value.got == (
        "3 x ModelError: no memory; 2 x ModelError: bad depth; "
        "2 x the objective is not a finite number"
    )


def test_table_is_sorted_by_index_whatever_the_order_of_completion():
    records = [_finished(index, 0.1 * index) for index in range(12)]

    assert trial_table(reversed(records)) == trial_table(records)
    assert [json.loads(line)["index"] for line in trial_table(records).splitlines()] == list(
        range(12)
    )


def test_reading_a_table_gives_back_its_records():
    records = [_finished(0, 1 / 3), _failed(1, 'line with "quotes" and ü')]

    assert read_trial_table(trial_table(records)) == records


def test_tables_of_version_1_are_read_for_ever():
    records = read_trial_table((GOLDEN / "trials_v1.jsonl").read_bytes())

    assert [record.status for record in records] == ["finished", "failed", "invalid"]
    assert records[0].params == {"max_depth": 3, "learning_rate": 0.1}
    assert records[0].seed == str(2**63 - 1)


def test_seeds_beyond_json_numbers_survive():
    record = TrialRecord(0, {}, str(2**63 - 1), "finished", 0.5)

    assert TrialRecord.from_bytes(record.to_bytes()) == record


@pytest.mark.parametrize("line", [b"[]", b"{}", b'{"schema":"mlops-ray/trial/v1"}', b"torn {"])
def test_lines_that_are_no_record_are_refused(line):
    with pytest.raises(ManifestError):
        TrialRecord.from_bytes(line)


def test_messages_lose_times_addresses_and_stack_traces():
    error = ValueError("[09:15:59] /src/hist.cc:7: bad bin at 0x7f00\nStack trace:\n  0x1")

    assert failure_message(error) == "/src/hist.cc:7: bad bin at"
    assert failure_message(ValueError()) == ""
    assert len(failure_message(ValueError("x" * 5000))) == 300


def test_an_infinite_value_would_not_be_best():
    records = [_finished(0, math.inf), _finished(1, 0.1)]

    assert best_trial(records, "max").index == 1
