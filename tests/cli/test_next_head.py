from pathlib import Path

import pytest

from mlops_ray.cli import next_head
from mlops_ray.errors import ClusterError
from mlops_ray.runtime import head_watch, relaunch

LOST = ClusterError("the Ray cluster at 10.0.0.1:6379 is lost", "silent for 55 s")


@pytest.fixture
def handlers(monkeypatch):
    """Who is called where a head is lost."""
    found = []
    monkeypatch.setattr(head_watch, "_handlers", found)
    monkeypatch.setattr(relaunch, "running_bundle", lambda: Path("tree-0"))
    monkeypatch.setattr(next_head, "start_again", lambda _: None)
    monkeypatch.delenv("MLOPS_RAY_HEADS_LOST", raising=False)
    return found


def test_a_run_that_is_to_wait_starts_again_and_ten_times_at_most(handlers, monkeypatch, capsys):
    monkeypatch.setenv("MLOPS_RAY_HEAD_TIMEOUT_S", "60")
    n_starts = 0
    next_head.go_on_with_next_head()
    while handlers:
        handlers.pop()(LOST)
        n_starts += 1
        next_head.go_on_with_next_head()

    assert n_starts == 10
    assert "10.0.0.1:6379 is lost: silent for 55 s\nwaiting for it, 60 s" in capsys.readouterr().err


def test_by_default_it_ends(handlers, monkeypatch):
    monkeypatch.delenv("MLOPS_RAY_HEAD_TIMEOUT_S", raising=False)

    next_head.go_on_with_next_head()

    assert handlers == []
