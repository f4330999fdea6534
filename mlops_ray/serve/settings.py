"""From a pipeline file's ``serve`` section to Ray Serve's options."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from mlops_ray.serve.http_errors import RETRY_AFTER_S

if TYPE_CHECKING:
    from mlops_ray.config import ServeConfig

__all__ = ["LOGGING", "deployment_options", "replica_cpus"]

LOGGING: Final[dict[str, Any]] = {
    "log_level": "WARNING",
    "encoding": "JSON",
    "enable_access_log": False,
}


def replica_cpus(cluster_cpus: float, max_replicas: int) -> float:
    """CPUs a replica reserves, so that all of them fit twice beside other work.

    A rolling update starts the new replicas before it stops the old ones; where they do not fit
    twice it never ends.

    Example:
        >>> replica_cpus(2, 1), replica_cpus(2, 4), replica_cpus(64, 4)
        (0.5, 0.2, 1.0)
    """
    share = cluster_cpus / (2 * max_replicas + 2)
    return max(0.01, min(1.0, math.floor(share * 100) / 100))


def deployment_options(config: ServeConfig, cluster_cpus: float) -> dict[str, Any]:
    """Options of the deployment, as ``serve.deployment`` takes them."""
    target = config.target_ongoing_requests
    return {
        "ray_actor_options": {"num_cpus": replica_cpus(cluster_cpus, config.replicas.max)},
        "autoscaling_config": {
            "min_replicas": config.replicas.min,
            "max_replicas": config.replicas.max,
            "target_ongoing_requests": target,
        },
        # Above the target, or the load that should add replicas would wait before them unseen.
        "max_ongoing_requests": 2 * target,
        # Ray Serve knows no queue of length 0.
        "max_queued_requests": max(1, config.max_queued_requests),
        "backpressure_config": {"status_code": 503, "retry_after_s": RETRY_AFTER_S},
        # By default the old replicas are stopped first: with one replica that is an outage.
        "max_surge_percent": 100,
        # A bundle that cannot be loaded is not loaded better the twentieth time.
        "max_constructor_retry_count": 2,
        "health_check_period_s": 5.0,
        "health_check_timeout_s": 10.0,
        "graceful_shutdown_timeout_s": config.timeout_s + 5.0,
        "logging_config": LOGGING,
    }
