"""Work on a Ray worker beside others that hold most of the CPUs."""

from __future__ import annotations

import math

import pytest
import ray

from mlops_ray.errors import ResourceError
from mlops_ray.pipeline.worker import on_worker
from mlops_ray.runtime.cluster import cpus_of_nodes, free_cpus

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_cluster")]


class _Endpoint:
    """Holds CPUs, as an endpoint does."""

    def is_there(self):
        return True


@pytest.mark.timeout(120)
def test_work_goes_on_beside_an_endpoint_with_a_share_of_a_cpu():
    endpoint = [
        ray.remote(_Endpoint).options(num_cpus=share).remote()
        for share in _shares(free_cpus() - 0.4)
    ]
    try:
        assert all(ray.get([actor.is_there.remote() for actor in endpoint]))

        assert on_worker(math.hypot, 3.0, 4.0, threads=1) == 5.0
    finally:
        for actor in endpoint:
            ray.kill(actor)


def _shares(cpus):
    """Ray counts in whole numbers above 1."""
    whole = int(cpus)
    rest = round(cpus - whole, 4)
    return [1] * whole + ([rest] if rest > 0 else [])


def test_more_threads_than_any_node_has_are_refused_before_anything_waits():
    n = int(max(cpus_of_nodes())) + 1

    with pytest.raises(ResourceError, match="than any node") as caught:
        on_worker(math.hypot, 3.0, 4.0, threads=n)

    assert caught.value.got == f"model.threads = {n}"
