import threading

import pytest
import ray
from ray.data._internal import stats
from ray.data._internal.execution import streaming_executor

from mlops_ray.data.quick_start import without_helpers
from mlops_ray.data.ray_map import RayDataMap
from mlops_ray.data.unit import Unit
from mlops_ray.runtime.cluster import connect

_HELPERS = {"AutoscalingCoordinator", "datasets_stats_actor"}


def makers():
    return stats.get_or_create_stats_actor, streaming_executor.create_cluster_autoscaler


def test_blocks_that_overlap_in_threads_leave_ray_data_as_it_was():
    before, entered, leave = makers(), threading.Event(), threading.Event()

    def other():
        with without_helpers():
            entered.set()
            leave.wait(60)

    thread = threading.Thread(target=other)
    with without_helpers():
        thread.start()
        assert entered.wait(60)
    assert makers() != before  # The other block is open still.
    leave.set()
    thread.join()

    assert makers() == before


def test_an_error_inside_leaves_ray_data_as_it_was():
    before = makers()

    with pytest.raises(ZeroDivisionError), without_helpers():
        raise ZeroDivisionError

    assert makers() == before


@pytest.mark.ray
@pytest.mark.parametrize("is_private", [True, False])
def test_helpers_run_where_somebody_might_hear_from_them(tmp_path, is_private):
    if ray.is_initialized():
        pytest.skip("another test's cluster is running")
    units = [Unit(at, tmp_path, "parquet", f"u{at}", 0) for at in range(5)]

    with connect("local", 2):
        answers = RayDataMap(is_private=is_private)(lambda unit: unit.name.encode(), units)
        named = {actor["name"] for actor in ray.util.list_named_actors(all_namespaces=True)}

        with without_helpers():
            resources = streaming_executor.create_cluster_autoscaler().get_total_resources()

    assert resources.cpu == 4  # Of two CPUs, each with a task that waits.
    assert answers == [unit.name.encode() for unit in units]
    assert named & _HELPERS == (set() if is_private else _HELPERS)
