"""A search that starts from an earlier run, named by its id or by its trial table."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlops_ray.config.loader import load_config
from mlops_ray.errors import ConfigError, InvalidConfigError, NotFoundError
from mlops_ray.pipeline.run import Run
from mlops_ray.pipeline.warm_start import with_warm_start
from mlops_ray.search.trial import TrialRecord, trial_table
from mlops_ray.storage import ObjectStore

CONFIG = Path(__file__).parents[2] / "configs" / "breast_cancer.yaml"
RUN_ID = "20260101t000000-abcdef"
TABLE = trial_table([TrialRecord(0, {"max_depth": 3}, "1", "finished", 0.9)])


@pytest.fixture
def store(tmp_path):
    return ObjectStore(tmp_path / "store")


@pytest.fixture
def loaded():
    """Loads a pipeline file whose search starts from something."""

    def load(source):
        overrides = ["search.searcher=tpe", f"search.warm_start={source}"]
        return load_config(CONFIG, overrides if source else [])

    return load


@pytest.fixture
def run_of(store, spec, result, envelope):
    """Finds a run whose trials improved a metric."""

    def make(objective, *, is_ended=True):
        trials = store.put(TABLE)
        search = result.search.model_copy(update={"trials": trials})
        ended = result.model_copy(update={"search": search}) if is_ended else None
        run = Run(None, envelope, spec.model_copy(update={"objective": objective}), ended)
        return lambda _: run

    return make


def test_the_id_of_a_run_becomes_the_digest_of_its_trials(loaded, store, run_of):
    before = loaded(RUN_ID)
    find = run_of(before.config.objective)

    search = with_warm_start(before, store, find).config.search

    assert search.warm_start == store.put(TABLE)
    assert search == before.config.search.model_copy(update={"warm_start": search.warm_start})


def test_a_digest_stays_and_nothing_stays_nothing(loaded, store, run_of):
    digest = store.put(TABLE)

    assert with_warm_start(loaded(digest), store, run_of).config.search.warm_start == digest
    assert with_warm_start(loaded(None), store, run_of) == loaded(None)


def test_a_table_that_is_not_there_is_refused_with_its_place(loaded, store, run_of):
    with pytest.raises(NotFoundError, match="no such trial table") as caught:
        with_warm_start(loaded(f"sha256:{'a' * 64}"), store, run_of)

    assert caught.value.where.key == "search.warm_start"


@pytest.mark.parametrize("content", [b"\xff\x00", b"{}", TABLE[:-20]])
def test_another_object_is_refused_as_no_table(loaded, store, run_of, content):
    with pytest.raises(ConfigError, match="the object is no trial table") as caught:
        with_warm_start(loaded(store.put(content)), store, run_of)

    assert caught.value.where.key == "search.warm_start"


def test_trials_that_improved_another_metric_are_refused(loaded, store, run_of):
    before = loaded(RUN_ID)
    metric = "log_loss" if before.config.objective.metric != "log_loss" else "roc_auc"
    other = before.config.objective.model_copy(update={"metric": metric, "direction": None})

    with pytest.raises(ConfigError, match="another metric"):
        with_warm_start(before, store, run_of(other))


def test_a_run_without_a_result_is_refused(loaded, store, run_of):
    before = loaded(RUN_ID)

    with pytest.raises(ConfigError, match="no trials"):
        with_warm_start(before, store, run_of(before.config.objective, is_ended=False))


@pytest.mark.parametrize("source", ["latest", "20260101", "sha256:abc"])
def test_what_is_neither_a_run_nor_a_digest_is_a_mistake(loaded, source):
    with pytest.raises(InvalidConfigError, match="warm_start"):
        loaded(source)
