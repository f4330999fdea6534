"""The patience that a pipeline file declares, beside the estimator whose rounds it counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from mlops_ray.errors import SearchError
from mlops_ray.models.families import family_named
from mlops_ray.search.declared_halving import declared_halving
from mlops_ray.search.patience import Patience

if TYPE_CHECKING:
    from mlops_ray.config.model import ModelConfig, Task
    from mlops_ray.config.search import SearchConfig

__all__ = ["declared_patience", "rounds_of_winner"]


def declared_patience(
    search: SearchConfig, model: ModelConfig, task: Task, mode: Literal["max", "min"]
) -> Patience | None:
    """When trials end that get no better; None where nothing is declared.

    Raises:
        SearchError: The estimator has no rounds, or its trials cannot be halved as declared.
    """
    declared = search.patience
    if declared is None:
        return None
    if family_named(model.family_name).rounds is None:
        raise SearchError(
            f"{model.family_name} does not fit in rounds, so patience has nothing to count",
            hint="leave 'search.patience' out, or take another 'model.family'",
        )
    halving = declared_halving(search, model, task, mode)
    rungs = halving.rungs if halving is not None and halving.by == "rounds" else ()
    return Patience(declared.rounds, declared.every, mode, tuple(int(rung) for rung in rungs))


def rounds_of_winner(model: ModelConfig, rounds: int | None) -> dict[str, int]:
    """The parameter of the final fit that makes as many rounds as the chosen trial needed.

    Args:
        model: The estimator.
        rounds: Rounds in the trial's record; None where trials have no patience.
    """
    name = family_named(model.family_name).rounds
    return {} if rounds is None or name is None else {name: rounds}
