"""The trial table of a search is the same for one slot and for many, whatever ends or dies when."""

from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from mlops_ray.config.model import ModelConfig
from mlops_ray.config.search import SearchConfig
from mlops_ray.config.validation import ValidationConfig
from mlops_ray.search import dispatch, tuner
from mlops_ray.search.agenda import Agenda
from mlops_ray.search.declared_halving import declared_halving
from mlops_ray.search.folds import deal
from mlops_ray.search.patience import Patience
from mlops_ray.search.patient_runner import runner_of
from mlops_ray.search.searchers.declared import declared_searcher
from mlops_ray.search.slot import SearchSlot
from mlops_ray.search.trial import best_trial, trial_table
from mlops_ray.search.tuner import run_search

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.usefixtures("ray_cluster")]

SPACE = {
    "max_depth": {"int": [1, 4]},
    "learning_rate": {"log_uniform": [0.01, 1.0]},
    "subsample": {"uniform": [0.4, 1.0]},
    "colsample_bytree": {"uniform": [0.4, 1.0]},
}
BY_SHARE = {"by": "data_share", "brackets": 1}
SLOTS = {1: {"cpu": 1.0}, 2: {"cpu": 1.0}, 4: {"cpu": 0.5}}  # Slots -> what each asks for.


MODEL = ModelConfig.model_validate({"family": "xgboost", "params": {"n_estimators": 9}})


def make_agenda(searcher, halving, seed):
    declared = {"halving": {"eta": 3, **halving}} if halving else {}
    search = SearchConfig.model_validate(
        {"space": SPACE, "searcher": searcher, "trials": 14, "generation": 6, **declared}
    )
    return Agenda(
        declared_searcher(search, seed, "max"),
        search.trials,
        search.generation,
        seed,
        declared_halving(search, MODEL, "binary", "max"),
    )


@pytest.fixture(scope="module")
def task(make_task):
    """Accuracy of few rows has many ties."""
    return make_task(params=MODEL.params, metric="accuracy")


def table_here(task, agenda):
    runner = runner_of(task)
    while not agenda.is_done:
        for step in reversed(agenda.ready()):
            agenda.tell(runner.run(step))
    return trial_table(agenda.records)


@pytest.mark.parametrize(
    ("searcher", "halving", "patience"),
    [
        ("random", None, None),
        ("sobol", None, None),
        ("tpe", None, None),
        ("random", {"brackets": 1}, None),
        ("tpe", {"brackets": 2}, None),
        ("random", BY_SHARE, None),
        ("tpe", {**BY_SHARE, "brackets": 2}, None),
        ("tpe", None, Patience(2, 1, "max")),
        ("random", {"brackets": 2}, Patience(4, 2, "max", rungs=(1, 3, 9))),
        ("random", {**BY_SHARE, "brackets": 2}, Patience(4, 2, "max")),
    ],
)
# With two: the tests of the tuner.
@pytest.mark.parametrize(
    ("n_slots", "seed"), [pytest.param(1, 1, marks=pytest.mark.campaign), (4, 3)]
)
def test_slots_delays_and_deaths_do_not_show(
    task, searcher, halving, patience, n_slots, seed, monkeypatch, tmp_path
):
    task, died = replace(task, patience=patience), tmp_path / "died"

    class Disturbed(SearchSlot):
        def step(self):
            time.sleep(np.random.default_rng().random() * 0.1)
            if self._step.index == 7 and not died.exists():
                died.touch()
                os._exit(1)
            return super().step()

    monkeypatch.setattr(tuner, "SearchSlot", Disturbed)
    monkeypatch.setattr(tuner, "_shares", lambda _: (n_slots, SLOTS[n_slots]))

    records = run_search(task, make_agenda(searcher, halving, seed))

    assert died.exists()
    assert trial_table(records) == table_here(task, make_agenda(searcher, halving, seed))
    assert trial_table(records) != table_here(task, make_agenda(searcher, halving, seed + 1))
    finished = [record for record in records if record.status == "finished"]
    best = max(record.value for record in finished)
    assert best_trial(records, "max").index == min(r.index for r in finished if r.value == best)
    assert (len(finished) < len(records)) == bool(halving)


@pytest.mark.parametrize("n_slots", [pytest.param(1, marks=pytest.mark.campaign), 2])
@pytest.mark.parametrize(
    ("halving", "patience"),
    [
        (None, None),
        ({"brackets": 1}, None),
        (BY_SHARE, None),
        (None, Patience(2, 1, "max")),
    ],
)
def test_with_folds_slots_and_a_death_do_not_show(
    task, make_task, halving, patience, n_slots, monkeypatch, tmp_path
):
    died = tmp_path / "died"

    class Dying(SearchSlot):
        def step(self):
            if self._step.index == 4 and not died.exists():
                died.touch()
                os._exit(1)
            return super().step()

    monkeypatch.setattr(tuner, "SearchSlot", Dying)
    monkeypatch.setattr(tuner, "_shares", lambda _: (n_slots, SLOTS[n_slots]))
    units = np.random.default_rng(1).integers(0, 2**64, len(task.y_train), dtype=np.uint64)
    folds = deal(ValidationConfig(scheme="k_fold", folds=3, repeats=2), units, seed=4)
    folded = make_task(params=MODEL.params, metric="accuracy", folds=folds, patience=patience)

    records = run_search(folded, make_agenda("random", halving, 6))

    assert died.exists()
    assert {len(record.folds) for record in records} == {6}
    assert trial_table(records) == table_here(folded, make_agenda("random", halving, 6))
    assert trial_table(records) != table_here(task, make_agenda("random", halving, 6))


def test_slots_killed_at_random_moments_do_not_show(task, monkeypatch, tmp_path):
    class Known(SearchSlot):
        def setup(self, config, **kwargs):
            super().setup(config, **kwargs)
            (tmp_path / str(os.getpid())).touch()

        def step(self):
            time.sleep(0.3)  # So that most kills come in the middle of a step.
            return super().step()

    monkeypatch.setattr(tuner, "SearchSlot", Known)
    # On a slow machine three kills can hit one step, which is then lost, and rightly.
    monkeypatch.setattr(dispatch, "RESTARTS", 5)
    killed, is_over = [], threading.Event()

    def kill():
        chance = np.random.default_rng()
        while not is_over.wait(chance.uniform(0.5, 2.0)) and len(killed) < 5:
            living = [int(path.name) for path in tmp_path.iterdir()]
            for pid in chance.permutation([p for p in living if p not in killed])[:1].tolist():
                killed.append(pid)
                os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        records = run_search(task, make_agenda("tpe", {"brackets": 1}, 5))
    finally:
        is_over.set()
        killer.join()

    assert killed
    assert trial_table(records) == table_here(task, make_agenda("tpe", {"brackets": 1}, 5))
