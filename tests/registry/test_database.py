from __future__ import annotations

import os
import sqlite3
import subprocess
import sys

import pytest
from filelock import FileLock

from mlops_ray.errors import BusyError, ConfigError, NotFoundError, RegistryError
from mlops_ray.registry import Registry
from mlops_ray.registry.database import Database


def test_path_and_url_name_the_same_file(tmp_path, new_version):
    Registry(tmp_path / "r.db").register("a", **new_version("1"))

    assert Registry(f"sqlite:///{tmp_path}/r.db").resolve("a@1").version == 1


@pytest.mark.parametrize("url", ["postgresql://h/db", "sqlite://", "sqlite:///:memory:", "x://"])
def test_other_databases_are_refused(url):
    with pytest.raises(ConfigError):
        Database(url)


@pytest.mark.parametrize("url", ["sqlite://me:{}@h/x.db", "x://me:{}@h/x", "x://me:{}@h:p/x"])
def test_a_url_with_a_password_is_refused_without_repeating_it(url):
    password = "hunter2" + "-Kq83ZmVx"

    with pytest.raises(ConfigError) as caught:
        Database(url.format(password))

    assert password not in str(caught.value)
    assert caught.value.__cause__ is None


def test_newer_schema_asks_for_an_upgrade(tmp_path, registry, new_version):
    registry.register("a", **new_version("1"))
    connection = sqlite3.connect(tmp_path / "deep" / "registry.db")
    connection.execute("UPDATE schema_version SET version = 99")
    connection.commit()
    connection.close()

    with pytest.raises(RegistryError, match=r"schema 99.*upgrade mlops_ray"):
        Registry(tmp_path / "deep" / "registry.db").models()


def test_file_that_is_no_registry_is_refused(tmp_path):
    (tmp_path / "r.db").write_bytes(b"not a database, but longer than its header" * 10)

    with pytest.raises(RegistryError, match="not a database"):
        Registry(tmp_path / "r.db").models()


def test_folder_where_none_can_be_made_is_refused(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(RegistryError, match="cannot be opened"):
        Registry(tmp_path / "file" / "r.db").models()


def test_reading_where_there_is_none_finds_nothing_and_makes_nothing(tmp_path, new_version):
    registry = Registry(tmp_path / "deep" / "r.db")

    assert registry.models() == registry.history() == []
    with pytest.raises(NotFoundError, match="a"):
        registry.resolve("a@1")
    assert list(tmp_path.iterdir()) == []
    registry.register("a", **new_version("1"))
    assert registry.resolve("a@1").version == 1


def test_writer_waits_for_the_lock_and_then_says_busy(tmp_path, new_version):
    Registry(tmp_path / "r.db").register("a", **new_version("1"))
    holder = sqlite3.connect(tmp_path / "r.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    database = Database(tmp_path / "r.db", busy_timeout_s=0.1)

    with pytest.raises(BusyError, match="locked"), database.write():
        pass
    assert Registry(tmp_path / "r.db").resolve("a@1").version == 1  # Readers go on.
    holder.close()


def test_registry_in_the_making_is_waited_for(tmp_path):
    registry = Database(tmp_path / "r.db", busy_timeout_s=0.1)
    refused = pytest.raises(BusyError, match="being made")

    with FileLock(f"{tmp_path}/r.db.lock"), refused, registry.write():
        pass
    (tmp_path / "r.db").touch()
    with FileLock(f"{tmp_path}/r.db.lock"), refused, registry.read():
        pass


_WORKER = """
import sys
from pathlib import Path
from mlops_ray.registry import Registry

path, worker = Path(sys.argv[1]), sys.argv[2]
registry = Registry(path)

def register(tag):
    registry.register("m", bundle=f"sha256:{tag:0>64}", run_id="r", spec_id="s", result_id="t",
                      metrics={}, gates=[{"verdict": "PASS"}], actor=worker)

print("ready", flush=True)
sys.stdin.readline()
for i in range(5):
    register(f"{i}")  # The same five bundles everywhere.
    register(f"{worker}{i}f")
    registry.promote(f"m@{i + 1}", "champion", actor=worker)
"""


@pytest.mark.slow
def test_eight_processes_at_once_lose_nothing(tmp_path):
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", _WORKER, tmp_path / "r.db", str(n)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        for n in range(8)
    ]

    for worker in workers:
        assert worker.stdout.readline() == b"ready\n"
    for worker in workers:
        worker.stdin.write(b"go\n")
        worker.stdin.flush()
    for worker in workers:
        worker.communicate(timeout=120)

    assert [worker.returncode for worker in workers] == [0] * 8
    registry = Registry(tmp_path / "r.db")
    assert [v.version for v in registry.versions("m")] == list(range(1, 46))
    moves = [e for e in registry.history("m") if e.kind == "promoted"]
    assert [e.body["rev"] for e in moves] == list(range(1, len(moves) + 1))
    assert [e.body["previous"] for e in moves[1:]] == [e.body["version"] for e in moves[:-1]]
    assert registry.check_history() == 45 + len(moves)
