import io

import pytest

from mlops_ray.telemetry.plain import PlainProgress
from mlops_ray.telemetry.standing import Standing, TrialLine


class Clock:
    now_s = 0.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def stream():
    return io.StringIO()


@pytest.fixture
def progress(stream, clock):
    return PlainProgress(stream, interval_s=5.0, clock=clock)


def test_a_stage_is_named_and_timed(progress, stream):
    progress.stage_started("ingest", 1, 8)
    progress.note("569 rows")
    progress.stage_finished("ingest", 1.234)

    assert stream.getvalue().splitlines() == [
        "[1/8] ingest",
        "      569 rows",
        "      ingest took 1.2 s",
    ]


def test_trials_are_told_every_few_seconds_and_at_the_end(progress, stream, clock):
    progress.stage_started("search", 5, 8)
    for done in range(1, 21):
        clock.now_s += 1.0
        progress.trial_finished(Standing(done, 20, TrialLine(done - 1, "failed")))

    told = [line.split()[1] for line in stream.getvalue().splitlines()[1:]]
    assert told == ["5/20", "10/20", "15/20", "20/20"]


def test_best_counts_time_left_and_cpus_are_told(progress, stream, clock):
    failed, best = TrialLine(2, "failed"), TrialLine(7, "finished", 0.912345678)
    progress.stage_started("search", 5, 8)
    clock.now_s = 10.0
    progress.trial_finished(Standing(3, 20, failed, counts={"failed": 3}, eta_s=90.0))
    clock.now_s = 20.0
    counts = {"finished": 15, "timed_out": 5}
    end = Standing(20, 20, best, "auc", (best,), counts, eta_s=0.0, cpus_used=1.96, cpus=2.0)
    progress.trial_finished(end)

    assert stream.getvalue().splitlines()[1:] == [
        "      search: 3/20 trials (3 failed), best -, 1 min 30 s left",
        "      search: 20/20 trials (5 timed out), best 0.912346 of trial 7, 2.0 of 2 CPUs",
    ]
