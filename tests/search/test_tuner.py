"""The search on Ray Tune: what comes back equals the same trials run one after another here."""

from __future__ import annotations

import gc
import logging
import os
import tempfile
import threading
import time
from pathlib import Path

import pytest
import ray
from ray.tune.execution.class_cache import ENV_VARS_TO_PROPAGATE

from mlops_ray.errors import ClusterError, ResourceError, StoreError
from mlops_ray.models.guidance import Guidance
from mlops_ray.runtime.cluster import cpus_of_nodes, free_cpus
from mlops_ray.search import callback, tuner
from mlops_ray.search.agenda import Agenda
from mlops_ray.search.cpu_use import CpuUse
from mlops_ray.search.objective import TrialRunner
from mlops_ray.search.slot import SearchSlot
from mlops_ray.search.trial import WORKER_LOST, trial_table
from mlops_ray.search.tuner import run_search

DEPTHS = (1, 2, 3, -1, 4, 5)
N = len(DEPTHS)


class _Depths:
    """A searcher that gives one depth after the other."""

    def __init__(self, learns=False):
        self.learns = learns

    def ask(self, first, n):
        return [{"max_depth": depth} for depth in DEPTHS[first : first + n]]

    def tell(self, records):
        pass


def make_agenda(n_trials=N, *, learns=False, generation=2):
    return Agenda(_Depths(learns), n_trials, generation, seed=9)


def records_here(task, agenda):
    """The same trials, one after the other in this process."""
    while not agenda.is_done:
        for step in agenda.ready():
            agenda.tell(TrialRunner(task).run(step))
    return agenda.records


@pytest.mark.ray
@pytest.mark.usefixtures("ray_cluster")
def test_ctrl_c_leaves_the_cpus_to_the_next_search(make_task):
    def press(_):
        raise KeyboardInterrupt

    gc.disable()  # Which would end what nobody refers to any more, sooner or later.
    try:
        with pytest.raises(KeyboardInterrupt) as pressed:
            run_search(make_task(), make_agenda(), on_trial=press)
        deadline = time.monotonic() + 60
        while free_cpus() < sum(cpus_of_nodes()) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert free_cpus() == sum(cpus_of_nodes())
    finally:
        gc.enable()
        del pressed


@pytest.mark.ray
@pytest.mark.usefixtures("ray_cluster")
@pytest.mark.parametrize("learns", [False, True])
def test_records_equal_those_of_trials_run_in_this_process(make_task, learns):
    task = make_task(params={"n_estimators": 5, "subsample": 0.5})
    seen = []

    lock = threading.RLock()  # A listener need not be picklable: a display on a terminal is not.

    def listen(record):
        with lock:
            seen.append(record)

    records = run_search(task, make_agenda(learns=learns), listen)

    assert trial_table(records) == trial_table(records_here(task, make_agenda()))
    assert [record.index for record in records] == list(range(6))
    assert sorted(record.index for record in seen) == list(range(6))
    assert records[3].status == "failed"


@pytest.mark.ray
@pytest.mark.usefixtures("ray_cluster")
def test_cpu_seconds_of_the_slots_are_added_up(make_task):
    use, none = CpuUse(), CpuUse()

    run_search(make_task(params={"n_estimators": 300}), make_agenda(), use=use)
    run_search(make_task(), make_agenda(), known=records_here(make_task(), make_agenda()), use=none)

    assert use.cpus >= 1.0
    assert 0.0 < use.used_s <= 1.1 * use.asked_s  # One thread a slot.
    assert (none.used_s, none.asked_s) == (0.0, 0.0)  # Nothing was left to do.


@pytest.mark.ray
@pytest.mark.usefixtures("ray_cluster")
def test_nothing_of_a_search_stays_behind(make_task, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # Other sessions use the system's.
    environment = dict(os.environ)

    run_search(make_task(), make_agenda(1))

    assert not list(tmp_path.iterdir())
    assert not (Path.home() / "ray_results").exists()
    assert dict(os.environ) == environment


def test_no_credential_is_among_what_tune_hands_to_its_actors(monkeypatch):
    names = [name for name in ENV_VARS_TO_PROPAGATE if name.startswith("AWS")]
    for name in names:
        monkeypatch.setenv(name, "s3cr3t")

    with tuner._quiet_tune():
        inside = [name for name in ENV_VARS_TO_PROPAGATE if os.environ.get(name) == "s3cr3t"]

    assert len(names) == 4
    assert inside == []
    assert [os.environ[name] for name in names] == ["s3cr3t"] * 4


@pytest.mark.ray
@pytest.mark.usefixtures("ray_cluster")
def test_a_slot_can_live_in_a_worker_that_is_there_already(make_task, monkeypatch, tmp_path):
    def surroundings():
        return f"{ray.get_runtime_context().get_runtime_env_string()} {Path.cwd()}"

    class Told(SearchSlot):
        def setup(self, config, **kwargs):
            super().setup(config, **kwargs)
            (tmp_path / f"{os.getpid()}").write_text(surroundings())

    monkeypatch.setattr(tuner, "SearchSlot", Told)

    run_search(make_task(), make_agenda(3))

    of_a_task = ray.get(ray.remote(surroundings).remote())
    assert {path.read_text() for path in tmp_path.iterdir()} == {of_a_task}


@pytest.mark.ray
@pytest.mark.usefixtures("ray_cluster")
def test_a_trial_survives_the_death_of_its_worker_but_not_every_time(
    make_task, monkeypatch, tmp_path
):
    died, notes, complaints = tmp_path / "died", [], []

    class Listener(logging.Handler):
        def emit(self, record):
            complaints.append(record.getMessage())

    tune_logger = logging.getLogger("ray.tune")
    monkeypatch.setattr(tune_logger, "handlers", [*tune_logger.handlers, Listener()])

    class Dying(SearchSlot):  # Defined here, so that Ray ships the class itself.
        def step(self):
            if self._step.index == 0 and not died.exists():
                died.touch()
                os._exit(1)
            if self._step.index == 1:
                os._exit(1)
            return super().step()

    monkeypatch.setattr(tuner, "SearchSlot", Dying)

    records = run_search(make_task(), make_agenda(3), note=notes.append)

    assert died.exists()
    said = "a worker of the search died, at trial {}; another takes its place"
    assert sorted(notes) == [said.format(index) for index in (0, 1, 1, 1)]
    assert complaints == []
    here = records_here(make_task(), make_agenda(3))
    assert (records[0], records[2]) == (here[0], here[2])
    assert (records[1].status, records[1].error) == ("failed", WORKER_LOST)


@pytest.mark.ray
@pytest.mark.usefixtures("ray_cluster")
def test_a_slot_lives_through_the_search(make_task, monkeypatch, tmp_path):
    class Counted(SearchSlot):
        def setup(self, config, **kwargs):
            (tmp_path / f"{os.getpid()}").touch()
            super().setup(config, **kwargs)

    monkeypatch.setattr(tuner, "SearchSlot", Counted)

    records = run_search(make_task(), make_agenda(learns=True, generation=1))

    assert len(records) == N
    assert 1 <= len(list(tmp_path.iterdir())) <= 2


@pytest.mark.ray
@pytest.mark.usefixtures("ray_cluster")
def test_a_trial_that_hangs_is_ended_and_the_others_go_on(make_task, monkeypatch):
    class Hanging(SearchSlot):
        def step(self):
            while self._step.index == 1:
                time.sleep(0.01)
            return super().step()

    monkeypatch.setattr(tuner, "SearchSlot", Hanging)
    started_s, notes = time.monotonic(), []

    records = run_search(make_task(), make_agenda(3), timeout_s=3.0, note=notes.append)

    assert time.monotonic() - started_s < 3 * 3.0 + 60
    here = records_here(make_task(), make_agenda(3))
    assert (records[0], records[2]) == (here[0], here[2])
    assert (records[1].status, records[1].error) == ("timed_out", "TimeoutError")
    assert [record.is_by_the_machine for record in records] == [False, True, False]
    said = "a worker of the search was killed, not done within 'search.timeout_s', at trial 1; "
    assert notes.count(said + "another takes its place") == 3


@pytest.mark.ray
@pytest.mark.usefixtures("ray_cluster")
def test_slots_that_die_as_soon_as_they_start_end_the_search(make_task, monkeypatch):
    class Stillborn(SearchSlot):
        def setup(self, *_arguments, **_options):
            os._exit(1)

    monkeypatch.setattr(tuner, "SearchSlot", Stillborn)
    monkeypatch.setattr(callback, "_MOST_FRUITLESS_STARTS", 2)

    with pytest.raises(ClusterError, match="die as soon as they start"):
        run_search(make_task(), make_agenda(1))


@pytest.mark.ray
@pytest.mark.usefixtures("ray_cluster")
def test_an_error_of_the_listener_comes_out_as_it_is(make_task):
    def refuse(_record):
        raise StoreError("no space left")

    with pytest.raises(StoreError, match="no space left"):
        run_search(make_task(), make_agenda(), refuse)


@pytest.mark.ray
@pytest.mark.usefixtures("ray_cluster")
def test_a_fit_that_no_node_can_hold_is_refused_before_it_starts(make_task):
    with pytest.raises(ResourceError, match=r"model\.threads = 64"):
        run_search(make_task(threads=64), make_agenda())


def test_without_ray_nothing_is_started(make_task, monkeypatch):
    monkeypatch.setattr(ray, "is_initialized", lambda: False)

    with pytest.raises(ClusterError, match="a search needs Ray"):
        run_search(make_task(), make_agenda())


@pytest.mark.parametrize(
    ("resources", "device", "wanted"),
    [
        ([{"CPU": 4.0, "GPU": 2.0}], "cuda", (2, {"cpu": 1.0, "gpu": 1.0})),
        ([{"CPU": 4.0}, {"CPU": 2.0, "GPU": 8.0}], "cuda", (2, {"cpu": 1.0, "gpu": 1.0})),
        ([{"CPU": 4.0, "GPU": 2.0}], "cpu", (4, {"cpu": 1.0})),
        ([{"CPU": 4.0}], "cuda", None),
    ],
)
def test_a_slot_asks_for_a_gpu_where_fits_want_one(
    monkeypatch, make_task, resources, device, wanted
):
    nodes = [{"Alive": True, "Resources": has} for has in resources]
    monkeypatch.setattr(ray, "nodes", lambda: nodes)
    monkeypatch.setattr(ray, "available_resources", lambda: {"CPU": 4.0})
    task = make_task(guidance=Guidance(device=device))

    if wanted is None:
        with pytest.raises(ResourceError, match="no GPU is visible"):
            tuner._shares(task)
    else:
        assert tuner._shares(task) == wanted
