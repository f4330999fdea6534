"""Trials on rows that lie on disk: the table of the same trials in memory."""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from mlops_ray.config.validation import MetricFunctionConfig
from mlops_ray.features import spool
from mlops_ray.features.matrix import gather, matrix_of_unit
from mlops_ray.features.spool import spool_unit
from mlops_ray.models.scoring import Scoring
from mlops_ray.search import tuner
from mlops_ray.search.agenda import Agenda
from mlops_ray.search.halving import Halving
from mlops_ray.search.objective import TrialRunner
from mlops_ray.search.streamed_task import StreamedTask
from mlops_ray.search.task import SearchTask
from mlops_ray.search.trial import read_trial_table, trial_table
from mlops_ray.search.tuner import run_search

SHARED = {
    "task": "binary",
    "n_classes": 2,
    "params": {"n_estimators": 9, "subsample": 0.7},
    "metric": "roc_auc",
    "threads": 1,
}
OWN = """
from mlops_ray import metric


@metric(version=1)
def told(y, predicted):
    return float(predicted[y == 1, 1].mean())
"""


class _Depths:
    """A searcher that gives one depth after the other."""

    learns = False

    def ask(self, first, n):
        return [{"max_depth": 1 + at % 5} for at in range(first, first + n)]

    def tell(self, records):
        pass


def make_agenda(halving=None):
    return Agenda(_Depths(), 6, 6, seed=9, halving=halving)


def table_here(task, agenda):
    runner = TrialRunner(task)
    while not agenda.is_done:
        for step in agenda.ready():
            agenda.tell(runner.run(step))
    runner.close()
    return trial_table(agenda.records)


@pytest.fixture
def in_memory(unit_rows):
    """The task of the same rows in memory."""
    plan, units = unit_rows
    parts = gather(plan, [matrix_of_unit(plan, unit) for unit in units])
    train, valid = parts["train"], parts["valid"]
    return SearchTask(train.X, train.y, valid.X, valid.y, "xgboost", **SHARED)


@pytest.mark.parametrize(
    ("halving", "n_cells"),
    [
        (None, 2**22),
        (Halving((1, 3, 9), 3, 1, "max"), 2**22),
        (Halving((1 / 4, 1 / 2, 1.0), 2, 1, "max", "data_share"), 2**22),
        # Batches of six rows, some without any of a share.
        (Halving((1 / 4, 1 / 2, 1.0), 2, 1, "max", "data_share"), 2**5),
    ],
)
def test_the_table_is_that_of_the_same_trials_in_memory(
    unit_rows, in_memory, halving, n_cells, tmp_path, monkeypatch
):
    monkeypatch.setattr(spool, "_BATCH_CELLS", n_cells)
    monkeypatch.setattr(spool, "_FEW_ROWS", 4)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    Path(tempfile.gettempdir()).mkdir()
    task = StreamedTask(*unit_rows, spool_unit, **SHARED)

    table = table_here(task, make_agenda(halving))

    assert table == table_here(in_memory, make_agenda(halving))
    assert list(Path(tempfile.gettempdir()).iterdir()) == []


def test_declared_metrics_and_those_of_the_project_are_those_of_memory(
    unit_rows, in_memory, tmp_path, monkeypatch
):
    (tmp_path / "st_own.py").write_text(OWN, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    own = MetricFunctionConfig(
        function="st_own:told", version=1, direction="max", needs="probabilities"
    )
    measured = {"scoring": Scoring(("balanced_accuracy", "brier"), (own,)), "metric": own.function}

    table = table_here(
        StreamedTask(*unit_rows, spool_unit, **{**SHARED, **measured}), make_agenda()
    )

    assert table == table_here(replace(in_memory, **measured), make_agenda())
    first = read_trial_table(table)[0]
    assert set(first.metrics) == {"balanced_accuracy", "brier", "st_own:told"}
    assert first.value == first.metrics["st_own:told"]


@pytest.mark.ray
@pytest.mark.usefixtures("ray_cluster")
def test_a_slot_killed_while_it_writes_its_rows_leaves_nothing_and_changes_nothing(
    unit_rows, in_memory, tmp_path, monkeypatch
):
    died = tmp_path / "died"
    # Of two, one may end the search before the other is started again and sweeps.
    monkeypatch.setattr(tuner, "_shares", lambda _: (1, {"cpu": 1.0}))

    def dying(plan, folder, unit):  # Defined here, so that Ray ships the function itself.
        if unit.index == 3 and not died.exists():
            died.write_text(str(folder), encoding="utf-8")
            os.kill(os.getpid(), 9)
        return spool_unit(plan, folder, unit)

    records = run_search(StreamedTask(*unit_rows, dying, **SHARED), make_agenda())

    assert trial_table(records) == table_here(in_memory, make_agenda())
    assert not Path(died.read_text(encoding="utf-8")).exists()
