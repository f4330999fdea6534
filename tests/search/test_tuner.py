"""The search on Ray Tune: what comes back equals the same trials run one after another here."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
import ray

from mlops_ray.errors import ClusterError, ResourceError
from mlops_ray.search.objective import fit_trial
from mlops_ray.search.trial import trial_table
from mlops_ray.search.tuner import run_search

PARAMS = [{"max_depth": depth} for depth in (1, 2, 3, -1, 4, 5)]


@pytest.mark.ray
@pytest.mark.usefixtures("ray_cluster")
def test_records_equal_those_of_trials_run_in_this_process(make_task):
    task = make_task(params={"n_estimators": 5, "subsample": 0.5})
    seen = []

    records = run_search(task, PARAMS, seen.append)

    here = [fit_trial(task, index, params) for index, params in enumerate(PARAMS)]
    assert trial_table(records) == trial_table(here)
    assert [record.index for record in records] == list(range(6))
    assert sorted(record.index for record in seen) == list(range(6))
    assert records[3].status == "failed"


@pytest.mark.ray
@pytest.mark.usefixtures("ray_cluster")
def test_nothing_of_a_search_stays_behind(make_task):
    environment = dict(os.environ)
    folder = Path(tempfile.gettempdir())

    run_search(make_task(), PARAMS[:1])

    assert not list(folder.glob("mlops-ray-search-*"))
    assert not (Path.home() / "ray_results").exists()
    assert dict(os.environ) == environment


@pytest.mark.ray
@pytest.mark.usefixtures("ray_cluster")
def test_a_fit_that_no_node_can_hold_is_refused_before_it_starts(make_task):
    with pytest.raises(ResourceError, match=r"model\.threads = 64"):
        run_search(make_task(threads=64), PARAMS)


def test_without_ray_nothing_is_started(make_task, monkeypatch):
    monkeypatch.setattr(ray, "is_initialized", lambda: False)

    with pytest.raises(ClusterError, match="a search needs Ray"):
        run_search(make_task(), PARAMS)
