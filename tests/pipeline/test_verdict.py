"""`mlops_ray.pipeline.verdict`: what two results of one spec say, and what may be said of them."""

import math

import pytest

from mlops_ray.manifest import DataFacts, MetricFacts, StageOutputs
from mlops_ray.pipeline.verdict import first_difference, verdict_of

A, B = (f"sha256:{letter * 64}" for letter in "ab")
ELSEWHERE = ["skops 1 -> 2"]


def _moved(result, factor=1.0, **changes):
    """The result with other trials, every metric times a factor."""
    metrics = [m.model_copy(update={"value": m.value * factor}) for m in result.metrics]
    stages = [*result.stages, StageOutputs(name="search", outputs={"trials": B})]
    return result.model_copy(update={"metrics": metrics, "stages": stages, **changes})


@pytest.fixture
def recorded(result):
    stages = [*result.stages, StageOutputs(name="search", outputs={"trials": A})]
    return result.model_copy(update={"stages": stages})


def test_the_same_bits_are_identical_in_any_environment(recorded) -> None:
    twin = recorded.model_copy()

    assert first_difference(recorded, twin) is None
    assert verdict_of(recorded, twin, [], 0.0) == ("IDENTICAL", "")
    assert verdict_of(recorded, twin, ELSEWHERE, 0.0) == ("IDENTICAL", "")


def test_the_first_difference_is_that_of_the_earliest_stage(recorded) -> None:
    ingest = StageOutputs(name="ingest", outputs={"fingerprint": B})
    search = StageOutputs(name="search", outputs={"trials": B})
    later = recorded.model_copy(update={"stages": [recorded.stages[0], search]})
    both = recorded.model_copy(update={"stages": [ingest, search]})
    lost = recorded.model_copy(update={"stages": recorded.stages[:1]})

    assert vars_of(first_difference(recorded, later)) == ("search", "trials", A, B)
    assert vars_of(first_difference(recorded, both))[:2] == ("ingest", "fingerprint")
    assert vars_of(first_difference(recorded, lost)) == ("search", "trials", A, "nothing")


def vars_of(found):
    return found.stage, found.output, found.expected, found.got


def test_where_all_stages_agree_the_result_itself_is_named(recorded) -> None:
    other = recorded.model_copy(update={"metrics": recorded.metrics[:1]})

    found = first_difference(recorded, other)

    assert vars_of(found) == ("result", "result", recorded.digest, other.digest)


@pytest.mark.parametrize(
    ("factor", "tolerance", "verdict"),
    [
        (1.0, 0.0, "EQUIVALENT"),
        (1 + 9e-7, 1e-6, "EQUIVALENT"),
        (1 - 9e-7, 1e-6, "EQUIVALENT"),
        (1 + 2e-6, 1e-6, "DIFFERENT"),
        (1 + 2e-6, 1e-5, "EQUIVALENT"),
        (-1.0, 1e-6, "DIFFERENT"),
    ],
)
def test_in_another_environment_the_metrics_decide(recorded, factor, tolerance, verdict) -> None:
    found, cause = verdict_of(recorded, _moved(recorded, factor), ELSEWHERE, tolerance)

    assert found == verdict
    assert "skops 1 -> 2" in cause
    assert ("agree" in cause) == (verdict == "EQUIVALENT")


def test_in_an_equal_environment_other_bits_are_different_however_close(recorded) -> None:
    found, cause = verdict_of(recorded, _moved(recorded, 1.0), [], 1.0)

    assert found == "DIFFERENT"
    assert "stage search" in cause
    assert "not deterministic" in cause


def test_what_the_machine_decided_is_no_excuse_once_it_was_taken_over(recorded) -> None:
    replayable = recorded.model_copy(update={"determinism": "replayable"})

    found, cause = verdict_of(replayable, _moved(replayable), [], 1.0)

    assert found == "DIFFERENT"
    assert "was taken over" in cause


def test_other_rows_are_never_equivalent(recorded) -> None:
    data = DataFacts(fingerprint=B, n_rows=10, columns=recorded.data.columns)

    assert verdict_of(recorded, _moved(recorded, data=data), ELSEWHERE, 1.0)[0] == "DIFFERENT"


def test_a_metric_that_came_or_went_or_is_no_number_is_compared_too(recorded) -> None:
    lost = _moved(recorded).model_copy(update={"metrics": recorded.metrics[:1]})
    nan = MetricFacts(name="rmse", value=math.nan, split="test", n=2)
    first = recorded.model_copy(update={"metrics": [nan]})
    both = _moved(first)

    assert verdict_of(recorded, lost, ELSEWHERE, 1.0)[0] == "DIFFERENT"
    assert verdict_of(first, both, ELSEWHERE, 0.0)[0] == "EQUIVALENT"
    assert verdict_of(first, _moved(recorded), ELSEWHERE, 1.0)[0] == "DIFFERENT"
