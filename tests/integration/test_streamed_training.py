"""Training on rows that fit no worker: from disk with the bits of memory, and shared out."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.ray


@pytest.fixture
def run_streamed(bench, tables):
    """Runs a pipeline on Ray workers, its small table read in this process."""

    def run(config, table=None, **model):
        bench.write(tables.homes_for(config) if table is None else table)
        config = {**config, "model": {**config["model"], **model}}
        return bench.pipeline(config, bench.fresh_store()).run()

    return run


def _objects(run, *roles):
    return {item.role: item.sha256 for item in run.envelope.objects if item.role.startswith(roles)}


def _learned(run):
    """What a fit leaves: trials, bundle, and all that was measured."""
    return run.result.search, run.result.model, run.result.metrics, _objects(run, "bundle")


def test_external_memory_gives_the_trials_the_model_and_the_metrics_of_memory(binary, run_streamed):
    run = run_streamed(binary.config, binary.table, training="external")

    assert _learned(run) == _learned(binary.run)
    assert run.result.determinism == "deterministic"
    assert not _objects(run, "matrix")
    assert _objects(binary.run, "matrix")


@pytest.mark.slow
def test_workers_that_share_a_fit_give_one_result(binary, run_streamed):
    first = run_streamed(binary.config, binary.table, training="distributed", workers=2)
    again = run_streamed(binary.config, binary.table, training="distributed", workers=2)

    assert first.result_id == again.result_id
    assert first.result.search == binary.run.result.search
    assert first.result.model != binary.run.result.model
    assert first.metrics["roc_auc"] == pytest.approx(binary.run.metrics["roc_auc"], abs=0.05)


@pytest.mark.slow
def test_declared_metrics_intervals_and_a_rule_of_choice_are_those_of_memory(binary, run_streamed):
    selection = {"tie_break": [{"metric": "brier"}]}
    config = {
        **binary.config,
        "evaluation": {"metrics": ["balanced_accuracy"], "bootstrap": {"resamples": 100}},
        "search": {**binary.config["search"], "selection": selection},
    }

    streamed = run_streamed(config, binary.table, training="external")

    assert _learned(streamed) == _learned(run_streamed(config, binary.table))
    measured = {(fact.split, fact.name): fact.interval for fact in streamed.result.metrics}
    assert {("valid", "brier"), ("test", "balanced_accuracy")} <= set(measured)
    assert all(interval for (split, _), interval in measured.items() if split == "test")
