"""Whether an estimator has the rounds that halving and patience count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from mlops_ray.errors import SearchError
from mlops_ray.search.declared_halving import declared_halving
from mlops_ray.search.declared_patience import declared_patience

if TYPE_CHECKING:
    from mlops_ray.config.model import ModelConfig, Task
    from mlops_ray.config.search import SearchConfig

__all__ = ["unfit_rounds"]


def unfit_rounds(
    search: SearchConfig, model: ModelConfig, task: Task, mode: Literal["max", "min"]
) -> tuple[str, SearchError] | None:
    """Which of the two does not fit, by its key below ``search``, and why; None where both do."""
    for key, declare in (("halving", declared_halving), ("patience", declared_patience)):
        try:
            declare(search, model, task, mode)
        except SearchError as error:
            return key, error
    return None
