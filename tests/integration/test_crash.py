"""`kill -9` of a run anywhere: nothing torn, nothing left, and the same command ends the same.

The campaigns in tests/faults kill at every point and in every long stage; here are samples.
"""

import json
import signal
import subprocess
import sys
from contextlib import nullcontext, suppress
from pathlib import Path

import psutil
import pytest

FAULTS = Path(__file__).parents[1] / "faults"
sys.path.append(str(FAULTS))

from crash_campaign import OTHERS, names_in_source  # noqa: E402 - its folder is no package
from kill_processes import at_work, is_in  # noqa: E402
from killed_run import GONE_WITHIN_S, Place, problems_of, write_project  # noqa: E402
from ray_head import running_head  # noqa: E402

from mlops_ray.manifest import new_run  # noqa: E402

pytestmark = [
    pytest.mark.ray,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="cluster/head is for Linux"),
]

ROOT = FAULTS.parents[1]
_STARTS = 3
# Fits that take a second, so that a kill comes in the middle of one.
SLOW_FIT = {
    "model": {"family": "hist_gradient_boosting", "params": {"max_iter": 300}},
    "search": {"trials": 2, "space": {"learning_rate": {"log_uniform": [0.001, 0.01]}}},
}
# As a run's, its workers are started for it alone. The last stops before it has become a worker.
OTHER_DRIVER = """
import os, sys, time, ray
from pathlib import Path
address, folder, how_many = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
env = {"env_vars": {"FOR": "this driver"}}
ray.init(address=address, runtime_env=env, log_to_driver=False, logging_level=40)

@ray.remote(num_cpus=0)
class Worker:
    def pid(self):
        return os.getpid()
    def hang(self):
        time.sleep(3600)

mine = Worker.remote()
shared = Worker.options(name="shared", namespace="all", lifetime="detached").remote()
pids = ray.get([mine.pid.remote(), shared.pid.remote()])
mine.hang.remote()
if how_many > len(pids):
    stops = f"echo $$ >{folder}/part; mv {folder}/part {folder}/pid; kill -STOP $$"
    (folder / "python").write_text(stops)
    last = Worker.options(runtime_env={"py_executable": f"sh {folder}/python"}).remote()
    while not (folder / "pid").exists():
        time.sleep(0.02)
    pids.append((folder / "pid").read_text().strip())
print(ray.get_runtime_context().get_job_id(), *pids, flush=True)
sys.stdin.read()
"""
NEXT_RUN = """
import sys, ray
from pathlib import Path
from mlops_ray.manifest import list_runs
from mlops_ray.pipeline.leftovers import end_leftovers
from mlops_ray.runtime.cluster import connect
from mlops_ray.storage import find_workspace
from mlops_ray.telemetry import PlainProgress
workspace = find_workspace(Path(sys.argv[2]))
with connect(sys.argv[1]) as cluster:
    for record in list_runs(workspace):
        session = record.announced()["ray_session"].replace("this", cluster.session)
        record.note_cluster(session, record.announced()["ray_job_id"])
    end_leftovers(workspace, cluster, PlainProgress(sys.stderr), grace_s=0.0)
"""


@pytest.fixture(scope="module")
def head():
    with running_head() as started:
        yield started


@pytest.fixture(scope="module")
def uninterrupted(head, tmp_path_factory):
    """A project whose fits take a moment, and what it gives when nobody interferes."""
    root = tmp_path_factory.mktemp("uninterrupted")
    place = Place.made(write_project(root / "project", changes=SLOW_FIT), root / "whole", head)
    return place, place.run()


def test_killed_at_every_fail_point_nothing_is_torn_and_the_same_command_ends_the_same():
    command = ["--chain", "--jobs", "2", "--stages", "evaluate", "--also", "no.such.point"]

    done = subprocess.run(
        [sys.executable, FAULTS / "crash_campaign.py", *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout, done.stderr
    outcome = json.loads(done.stdout)
    assert outcome["trouble"] == []
    # The name that is added shows that one which is never reached is told, and fails.
    assert (done.returncode, outcome["never_reached"]) == (4, ["no.such.point"])
    assert outcome["kills"] == outcome["names"] >= 30


def test_the_fail_points_that_no_run_passes_are_stopped_at_by_a_test_of_their_own():
    tests = (
        "tests/storage/test_collect.py",
        "tests/pipeline/test_feature_build.py",
        "tests/search/test_ledger.py",
    )
    stopped_at = "".join((ROOT / name).read_text(encoding="utf-8") for name in tests)

    others = {name for name in names_in_source() if name.startswith(OTHERS)}

    assert others
    assert {name for name in others if f'"{name}' not in stopped_at} == set()


def test_killed_in_the_middle_of_a_fit_the_cpus_are_free_and_the_next_run_goes_on(
    head, uninterrupted, tmp_path
):
    place, wanted = uninterrupted
    place = Place.made(place.project, tmp_path / "killed", head)
    hung, killed = [], []
    for stage, whole_group in (("search", False), ("refit", True)):
        started = place.start()
        assert is_in(started, stage), started.ended()
        workers = []
        assert started.awaits(lambda found=workers: bool(found.extend(at_work(head)) or found))
        for worker in workers:
            worker.send_signal(signal.SIGSTOP)  # As a fit that hangs: it neither ends nor answers.

        started.kill(whole_group=whole_group)

        assert problems_of(place) == []
        hung += workers
        killed.append(started)

    # At once: what Ray has not ended by now is ended by the run, which needs the CPUs.
    line = place.run()

    assert line["code"] == 0, line["stderr"]
    assert line["result_id"] == wanted["result_id"]
    assert [stage["cache"] for stage in line["stages"]] == ["hit"] * 5 + ["miss"] * 3
    runs = place.records.runs()
    assert [run.state for run in runs] == ["interrupted", "interrupted", "sealed"]
    assert place.records.run(line["run_id"]).envelope.parent == runs[1].run_id
    assert [worker.is_running() for worker in hung] == [False] * len(hung)
    assert [run.gone_after_s() < GONE_WITHIN_S for run in killed] == [True, True]


def test_killed_in_the_middle_of_a_search_the_next_run_redoes_what_was_running(head, tmp_path):
    project = write_project(
        tmp_path / "project",
        changes={"search": {"trials": 8, "space": {"C": {"log_uniform": [0.1, 10]}}}},
    )
    wanted = Place.made(project, tmp_path / "whole", head).run()
    place = Place.made(project, tmp_path / "killed", head)
    trace = tmp_path / "trace"

    started = place.stopped_at("ledger.appended", 5)
    started.kill(whole_group=False)
    line = place.run(MLOPS_RAY_FAIL_POINT_TRACE=str(trace))

    assert line["code"] == 0, line["stderr"]
    assert line["result_id"] == wanted["result_id"]
    assert "5 trials are known from a search that was cut off" in line["stderr"]
    assert trace.read_text(encoding="ascii").split().count("ledger.appended") == 3
    assert line["trials"]["finished"] == 8
    assert list((place.store / "journals").iterdir()) == []
    assert problems_of(place) == []


@pytest.fixture
def driver(head, tmp_path, is_ended):
    """A driver that lives: Ray does not end its workers, as if it did not know that it died.

    Its job, and its workers: one that hangs, a detached actor, and one that hangs while it starts.
    Ray starts no more at once than it has CPUs, and counts the last for a minute, even when it has
    ended. So there is only one, for the test that ends it.
    """
    environment = Place(tmp_path, tmp_path, variables=head.variables).environment()
    with subprocess.Popen(
        [sys.executable, "-c", OTHER_DRIVER, head.address, tmp_path, "3" if is_ended else "2"],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        job_id, *pids = process.stdout.readline().split()
        workers = [psutil.Process(int(pid)) for pid in pids]
        yield job_id, workers
        process.kill()
    for worker in workers:
        with suppress(psutil.NoSuchProcess):
            worker.kill()


@pytest.mark.parametrize(
    ("session", "is_running", "is_ended"),
    [("this", False, True), ("this", True, False), ("another", False, False)],
    ids=["interrupted", "still running", "of another cluster"],
)
def test_what_ray_did_not_end_of_an_interrupted_run_is_ended_by_the_next(
    head, driver, tmp_path, session, is_running, is_ended
):
    place = Place(tmp_path, tmp_path, variables=head.variables)
    job_id, (hanging, shared, *starting) = driver
    record = new_run(place.records.workspace)
    record.announce("tiny", "sha256:s", "2026-01-01T00:00:00.000Z")
    record.note_cluster(session, job_id)

    with record.lock() if is_running else nullcontext():
        # For a minute Ray may lack a slot to start what asks its node: workers that hung while they
        # started hold them. Then nothing is forgotten, and the next start asks again.
        for _ in range(_STARTS):
            done = subprocess.run(
                [sys.executable, "-c", NEXT_RUN, head.address, tmp_path],
                env=place.environment(),
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            if ("ray_job_id" in record.announced()) != is_ended:
                break

    for worker in (hanging, *starting):
        assert worker.is_running() != is_ended
    assert shared.is_running()  # A detached actor belongs to all.
    assert ("workers of the interrupted run" in done.stderr) == is_ended
    assert ("ray_job_id" in record.announced()) != is_ended
    assert record.announced()["name"] == "tiny"
