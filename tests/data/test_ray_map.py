import os
import signal
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from decimal import Decimal
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import ray
from ray.data import DataContext
from ray.data._internal.execution.resource_manager import ResourceManager
from ray.exceptions import RayTaskError

from mlops_ray.data import ray_map
from mlops_ray.data.ray_map import MapStats, RayDataMap
from mlops_ray.data.scan import ScanPlan, scan, scan_unit
from mlops_ray.data.unit import Unit, list_units
from mlops_ray.data.unit_map import map_in_process
from mlops_ray.data.unit_schema import read_schema
from mlops_ray.errors import ClusterError, ColumnError, ModelError, Where
from mlops_ray.features.functions import load_function

UNITS = [Unit(at, Path("nowhere"), "parquet", f"u{at}", 0) for at in range(20)]


def test_without_a_cluster_nothing_is_started():
    if ray.is_initialized():
        pytest.skip("another test's cluster is running")
    with pytest.raises(ClusterError, match="not running"):
        RayDataMap()(lambda _: b"", UNITS)


def nested_units(write_parquet):
    """Units of files with lists, decimals and texts, and what is to be found of them."""
    tables = [
        pa.table(
            {
                "x": pa.array([at / 7, None, -at], pa.float64()),
                "price": pa.array([Decimal(at).scaleb(-2)] * 3),
                "tags": [["a", str(at)], [], None],
            }
        )
        for at in range(9)
    ]
    files = [write_parquet(f"{at}.parquet", table) for at, table in enumerate(tables)]
    return list_units(files), ScanPlan(read_schema(files), None)


def settings():
    with warnings.catch_warnings():
        # Ray's context sets its own deprecated field when it is made.
        warnings.simplefilter("ignore", DeprecationWarning)
        context = DataContext.get_current()
    return (
        context.execution_options.preserve_order,
        context.enable_progress_bars,
        context.print_on_execution_start,
        context.memory_usage_poll_interval_s,
        ResourceManager.GLOBAL_LIMITS_UPDATE_INTERVAL_S,
    )


def test_calls_that_overlap_change_the_settings_once_and_restore_them_at_the_end():
    before = settings()
    found = ray_map._Settings()

    with ExitStack() as second:
        with found.quiet():
            during = settings()
            second.enter_context(found.quiet())
        assert settings() == during != before
        with found.quiet():
            pass
        assert settings() == during

    assert settings() == before


@pytest.mark.ray
@pytest.mark.usefixtures("ray_cluster")
class TestOnACluster:
    def test_an_error_on_arrival_is_told_as_if_it_had_been_raised_here(self):
        """As of features that need a function of a module that the worker does not have."""

        class Features:
            def __reduce__(self):
                return load_function, ("no_such_module:f", 1)

        with pytest.raises(ModelError, match=r"the features need the function 'no_such_module:f'"):
            RayDataMap()(partial(lambda _, unit: unit.name.encode(), Features()), UNITS)

    def test_answers_come_in_unit_order_and_the_call_is_on_record(self):
        unit_map = RayDataMap()

        answers = unit_map(lambda unit: unit.name.encode(), UNITS)

        assert answers == [unit.name.encode() for unit in UNITS]
        assert unit_map.last_stats == MapStats(n_units=20, n_tasks=6, engine="ray_data")
        assert RayDataMap()(lambda _: b"", []) == []

    def test_neighbours_are_combined_where_they_are_found(self):
        answers = RayDataMap()(lambda unit: unit.name.encode(), UNITS, b" ".join)

        assert len(answers) == 6
        assert b" ".join(answers) == b" ".join(unit.name.encode() for unit in UNITS)

    def test_the_first_failing_units_error_comes_back_whole(self):
        def fail_late(unit):
            if unit.index >= 7:
                raise ColumnError("bad", f"{unit.index}", "w", "h", Where("f", 1, 2, "c"))
            return b""

        with pytest.raises(ColumnError) as caught:
            RayDataMap()(fail_late, UNITS)

        assert caught.value.args == ("bad", "7", "w", "h", Where("f", 1, 2, "c"))

    def test_an_unforeseen_error_keeps_its_own_traceback(self):
        def fail(_):
            raise ZeroDivisionError("by unit")

        with pytest.raises(RayTaskError, match="ZeroDivisionError: by unit"):
            RayDataMap()(fail, UNITS[:2])

    def test_a_scan_gives_the_same_bytes_as_in_process(self, write_parquet):
        values = np.random.default_rng(0).normal(size=(3, 100))
        files = [write_parquet(f"{at}.parquet", pa.table({"x": x})) for at, x in enumerate(values)]
        units, plan = list_units(files), ScanPlan(read_schema(files), None)

        one, other = (
            run(partial(scan_unit, plan), units) for run in (map_in_process, RayDataMap())
        )

        assert one == other
        assert scan(units, plan, RayDataMap()) == scan(units, plan, map_in_process)

    def test_tasks_and_small_blocks_do_not_show_whatever_the_types(
        self, write_parquet, monkeypatch
    ):
        units, plan = nested_units(write_parquet)
        expected = scan(units, plan, map_in_process)
        for n_tasks in (1, 2, 4):
            monkeypatch.setattr(ray_map, "_n_cpus", lambda n=n_tasks: n)
            monkeypatch.setattr(ray_map, "_TASKS_PER_CPU", 1)
            monkeypatch.setattr(DataContext.get_current(), "target_max_block_size", 2**10)
            unit_map = RayDataMap()

            found = scan(units, plan, unit_map)

            assert unit_map.last_stats.n_tasks == n_tasks
            assert found.to_bytes() == expected.to_bytes()
            assert found.ordered_fingerprint == expected.ordered_fingerprint

    def test_a_worker_killed_in_the_middle_of_the_pass_changes_nothing(
        self, write_parquet, tmp_path, monkeypatch
    ):
        units, plan = nested_units(write_parquet)
        expected = scan(units, plan, map_in_process)
        started, killed = tmp_path / "started", tmp_path / "killed"

        def held(plan, unit):
            answer = scan_unit(plan, unit)
            if unit.index == 5 and not killed.exists():
                written = tmp_path / "written"
                written.write_text(str(os.getpid()))
                written.rename(started)
                signal.pause()  # Until the test kills this worker.
            return answer

        with ThreadPoolExecutor(1) as pool:
            victim = pool.submit(_kill_when_started, started, killed)
            monkeypatch.setattr(sys.modules[scan.__module__], "scan_unit", held)
            found = scan(units, plan, RayDataMap())

        assert "ray::" in victim.result()
        assert found.to_bytes() == expected.to_bytes()
        assert found.ordered_fingerprint == expected.ordered_fingerprint


def _kill_when_started(started: Path, killed: Path) -> str:
    """Kill the process that a file names with SIGKILL; returns what it was called."""
    deadline = time.monotonic() + 60
    while not started.exists():
        if time.monotonic() > deadline:
            raise TimeoutError("no worker reached the unit")
        threading.Event().wait(0.01)
    pid = int(started.read_text())
    called = Path(f"/proc/{pid}/cmdline").read_text()
    killed.touch()
    os.kill(pid, signal.SIGKILL)
    return called
