import importlib.metadata
import socket
from collections import namedtuple

import pytest

from mlops_ray.runtime import machine_checks
from mlops_ray.runtime.machine_checks import (
    check_bytecode,
    check_disk,
    check_memory,
    check_packages,
    check_ports,
    check_python,
    check_shared_memory,
)

Usage = namedtuple("Usage", "free")
GIB = 2**30


def test_this_environment_can_run():
    assert check_python().status == "ok"
    assert check_packages().status == "ok"


def test_a_missing_package_is_named(monkeypatch):
    def broken():
        raise importlib.metadata.PackageNotFoundError("skops")

    monkeypatch.setattr(machine_checks, "behaviour_packages", broken)

    check = check_packages()
    assert (check.status, check.detail) == ("fail", "skops is missing")


@pytest.mark.parametrize(
    ("free_bytes", "status"), [(GIB // 4, "fail"), (GIB, "warn"), (50 * GIB, "ok")]
)
def test_disk_is_judged_where_the_store_will_lie(tmp_path, monkeypatch, free_bytes, status):
    monkeypatch.setattr("shutil.disk_usage", lambda _path: Usage(free_bytes))

    check = check_disk(tmp_path / "not/yet")

    assert check.status == status
    assert str(tmp_path) in check.detail


@pytest.mark.parametrize(("free_bytes", "status"), [(GIB // 16, "warn"), (8 * GIB, "ok")])
def test_little_shared_memory_is_warned_of(tmp_path, monkeypatch, free_bytes, status):
    monkeypatch.setattr("shutil.disk_usage", lambda _path: Usage(free_bytes))

    assert check_shared_memory(tmp_path).status == status


def test_a_system_without_shared_memory_is_fine(tmp_path):
    assert check_shared_memory(tmp_path / "absent").status == "ok"


@pytest.mark.parametrize(("limit_bytes", "status"), [(GIB, "warn"), (16 * GIB, "ok")])
def test_little_memory_is_warned_of(monkeypatch, limit_bytes, status):
    monkeypatch.setattr(machine_checks, "memory_limit_bytes", lambda: limit_bytes)

    assert check_memory().status == status


def test_the_holder_of_a_port_is_named(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setattr(machine_checks, "_PORTS", {port: "HTTP endpoint"})
        (taken,) = check_ports()
    (free,) = check_ports()

    assert taken.status == "warn"
    assert "held by pid" in taken.detail
    assert free.status == "ok"


def test_bytecode_that_is_not_kept_is_warned_of(monkeypatch):
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    assert check_bytecode().status == "warn"
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE")
    assert check_bytecode().status == "ok"
