import os

import pytest

from mlops_ray.runtime.ray_settings import scoped_environment, set_ray_defaults, worker_environment


def test_environment_is_restored_after_an_error(monkeypatch):
    monkeypatch.setenv("KEPT", "before")
    monkeypatch.delenv("ADDED", raising=False)

    def fail():
        with scoped_environment({"KEPT": None, "ADDED": "1"}):
            assert "KEPT" not in os.environ
            assert os.environ["ADDED"] == "1"
            raise KeyError

    with pytest.raises(KeyError):
        fail()

    assert os.environ["KEPT"] == "before"
    assert "ADDED" not in os.environ


def test_the_users_settings_win(monkeypatch):
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "1")
    monkeypatch.setenv("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "")
    monkeypatch.delenv("RAY_ENABLE_UV_RUN_RUNTIME_ENV")

    set_ray_defaults()

    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "1"
    assert os.environ["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] == "0"


def test_threads_of_workers_wait_asleep_unless_the_user_wants_otherwise(monkeypatch):
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    asleep = worker_environment()
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")

    assert asleep["OMP_WAIT_POLICY"] == "passive"
    assert worker_environment() == {**asleep, "OMP_WAIT_POLICY": "active"}
