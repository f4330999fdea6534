"""What a pipeline file says of the endpoint: how it scales, and when it refuses."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from mlops_ray.config.declared import Declared

__all__ = ["ReplicasConfig", "ServeConfig"]


class ReplicasConfig(Declared):
    """Bounds of Ray Serve's autoscaling, in replicas."""

    min: int = Field(default=1, ge=1, le=1000)
    max: int = Field(default=1, ge=1, le=1000)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min > self.max:
            msg = f"min ({self.min}) is above max ({self.max})"
            raise ValueError(msg)
        return self


class ServeConfig(Declared):
    """How the endpoint scales and when it refuses."""

    replicas: ReplicasConfig = ReplicasConfig()
    target_ongoing_requests: int = Field(default=16, ge=1, le=10_000)
    max_queued_requests: int = Field(default=200, ge=1, le=1_000_000)
    timeout_s: float = Field(default=5.0, gt=0, le=3600)
    max_body_bytes: int = Field(default=4 * 2**20, ge=1024, le=2**30)
