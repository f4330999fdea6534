from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import ray
from ray.exceptions import RayTaskError

from mlops_ray.data.ray_map import MapStats, RayDataMap
from mlops_ray.data.scan import ScanPlan, scan, scan_unit
from mlops_ray.data.unit import Unit, list_units, read_schema
from mlops_ray.data.unit_map import map_in_process
from mlops_ray.errors import ClusterError, ColumnError, Where

UNITS = [Unit(at, Path("nowhere"), "parquet", f"u{at}", 0) for at in range(20)]


def test_without_a_cluster_nothing_is_started():
    if ray.is_initialized():
        pytest.skip("another test's cluster is running")
    with pytest.raises(ClusterError, match="not running"):
        RayDataMap()(lambda _: b"", UNITS)


@pytest.mark.ray
@pytest.mark.usefixtures("ray_cluster")
class TestOnACluster:
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
