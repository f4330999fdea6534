from __future__ import annotations

import pytest
from ray.serve.schema import DeploymentSchema

from mlops_ray.config import ServeConfig
from mlops_ray.serve.settings import deployment_options, replica_cpus


@pytest.mark.parametrize("cpus", [1, 2, 4, 64])
@pytest.mark.parametrize("replicas", [1, 2, 4, 16])
def test_replicas_fit_twice_beside_other_work(cpus, replicas):
    assert 2 * replicas * replica_cpus(cpus, replicas) < cpus


def test_options_are_what_ray_serve_accepts():
    config = ServeConfig.model_validate(
        {"replicas": {"min": 1, "max": 4}, "target_ongoing_requests": 16, "max_queued_requests": 7}
    )

    options = DeploymentSchema(name="predict", **deployment_options(config, 2))

    assert options.autoscaling_config["max_replicas"] == 4
    assert options.autoscaling_config["target_ongoing_requests"] == 16
    assert options.max_ongoing_requests > 16
    assert options.max_queued_requests == 7
    assert options.max_surge_percent == 100
