"""What a pipeline file says of monitoring: when a difference between two tables is called drift."""

from __future__ import annotations

from pydantic import Field

from mlops_ray.config.declared import Declared

__all__ = ["DriftConfig", "MonitorConfig"]


class DriftConfig(Declared):
    """When a difference between two tables is called drift."""

    alpha: float = Field(default=0.01, gt=0, lt=1)
    min_psi: float = Field(default=0.1, ge=0)
    min_rows: int = Field(default=100, ge=1)


class MonitorConfig(Declared):
    """What monitoring compares, and how strictly."""

    drift: DriftConfig = DriftConfig()
