"""What a pipeline file may say of the environments in which its model may be used."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["EnvironmentConfig", "OnDifference"]

OnDifference = Literal["refuse", "warn", "allow"]


class EnvironmentConfig(BaseModel):
    """What happens where packages or processor are not those of the run that made a model.

    Attributes:
        on_difference: ``refuse``; ``warn``: go on if the golden answers match bit for bit;
            ``allow``: go on if they match within the tolerance.
        tolerance: Largest relative difference of a golden answer under ``allow``.
    """

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)

    on_difference: OnDifference = "refuse"
    tolerance: float = Field(default=1e-6, ge=0, lt=1)
