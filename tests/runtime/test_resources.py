import psutil
import pytest

from mlops_ray.errors import ResourceError
from mlops_ray.runtime.resources import (
    check_gpus,
    check_threads,
    check_workers,
    memory_limit_bytes,
    object_store_bytes,
    shares_of_cpus,
    workers_with_gpus,
)

GIB = 2**30


def test_threads_may_fill_the_cluster():
    check_threads(2, 2)


def test_more_threads_than_cpus_are_refused_with_both_numbers():
    with pytest.raises(ResourceError, match=r"model.threads = 8, wanted at most 2"):
        check_threads(8, 2)


def test_workers_of_one_fit_may_fill_the_cluster_together_and_no_more():
    check_workers(3, 2, cpus=6)
    check_workers(1, 8, cpus=6)  # Which is a matter of `check_threads`.

    with pytest.raises(ResourceError, match=r"model.workers = 4, model.threads = 2.*at most 6"):
        check_workers(4, 2, cpus=6)


def test_container_limit_is_respected(tmp_path, monkeypatch):
    limit, unlimited = tmp_path / "limit", tmp_path / "unlimited"
    limit.write_text("1000000\n")
    unlimited.write_text("max\n")
    absent = tmp_path / "absent"

    monkeypatch.setattr("mlops_ray.runtime.resources._CGROUP_LIMITS", (absent, unlimited, limit))

    assert memory_limit_bytes() == 1_000_000


def test_without_a_limit_the_machine_counts(tmp_path, monkeypatch):
    monkeypatch.setattr("mlops_ray.runtime.resources._CGROUP_LIMITS", (tmp_path / "absent",))

    assert memory_limit_bytes() == psutil.virtual_memory().total


def test_object_store_takes_three_tenths_of_the_memory():
    assert object_store_bytes(10 * GIB, 100 * GIB) == 3 * GIB


def test_object_store_fits_into_shared_memory():
    assert object_store_bytes(10 * GIB, GIB) == GIB * 95 // 100


def test_object_store_is_never_below_what_ray_accepts():
    assert object_store_bytes(GIB // 10, 64 * 2**20) > 75 * 2**20


@pytest.mark.parametrize(
    ("threads", "node_cpus", "free", "wanted"),
    [
        (1, [2.0], 2.0, (2, 1.0)),
        (2, [8.0, 3.0, 1.0], 12.0, (5, 2.0)),
        (1, [2.0], 0.0, (2, 1.0)),  # All are busy now: wait for them.
        (1, [2.0], 0.25, (1, 0.25)),
        (4, [4.0], 2.5, (1, 2.0)),
        (1, [2.0], 1 / 3, (1, 0.333)),
    ],
)
def test_workers_ask_for_what_there_is(threads, node_cpus, free, wanted):
    assert shares_of_cpus(threads, node_cpus, free) == wanted


def test_a_gpu_is_wanted_where_there_is_none():
    check_gpus(1)

    with pytest.raises(ResourceError, match=r"no GPU is visible to Ray.*wanted a node with a GPU"):
        check_gpus(0)


@pytest.mark.parametrize(
    ("nodes", "wanted"),
    [
        ([(8.0, 2.0)], 2),
        ([(2.0, 4.0)], 1),
        ([(8.0, 0.0), (4.0, 1.0), (4.0, 1.0)], 2),
        ([(1.0, 1.0)], 1),
    ],
)
def test_each_worker_on_a_gpu_has_one_of_its_own(nodes, wanted):
    assert workers_with_gpus(2, nodes) == wanted
