"""The halving that a pipeline file declares, beside the estimator whose rounds it may count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from mlops_ray.errors import SearchError
from mlops_ray.models.families import family_named
from mlops_ray.search.halving import Halving, rungs_up_to, shares_down_to
from mlops_ray.search.rung import in_words

if TYPE_CHECKING:
    from mlops_ray.config.model import ModelConfig, Task
    from mlops_ray.config.search import SearchConfig

__all__ = ["declared_halving"]

_BY_SHARE: Final = "'search.halving.by: data_share', which fits to shares of the training rows"


def declared_halving(
    search: SearchConfig, model: ModelConfig, task: Task, mode: Literal["max", "min"]
) -> Halving | None:
    """How trials are cut down; None where nothing is declared.

    Raises:
        SearchError: There are too few rungs, or an ensemble takes more trials than get to the last
            one; or rounds are counted, and the estimator has none, or the space draws them.
    """
    declared = search.halving
    if declared is None:
        return None
    rungs: tuple[float, ...]
    if declared.by == "data_share":
        rungs = shares_down_to(declared.min_share, declared.eta)
    else:
        n_rounds = _rounds_of_a_trial(search, model, task)
        rungs = rungs_up_to(n_rounds, declared.min_rounds, declared.eta)
    if declared.brackets > len(rungs):
        raise SearchError(
            "halving has fewer rungs than brackets",
            f"brackets: {declared.brackets}, rungs at "
            + ", ".join(in_words(rung, declared.by) for rung in rungs),
            f"at most {len(rungs)}",
        )
    halving = Halving(rungs, declared.eta, declared.brackets, mode, declared.by)
    _check_members(halving, search, model)
    return halving


def _check_members(halving: Halving, search: SearchConfig, model: ModelConfig) -> None:
    if model.ensemble is None:
        return
    n_finishing, wanted = halving.n_finishing(search.trials, search.generation), model.ensemble.top
    if n_finishing < wanted:
        raise SearchError(
            "halving lets fewer trials finish than the ensemble takes",
            f"at most {n_finishing} of {search.trials}",
            f"{wanted} or more",
            "lower 'model.ensemble.top', raise 'search.trials', or leave one of the two out",
        )


def _rounds_of_a_trial(search: SearchConfig, model: ModelConfig, task: Task) -> int:
    family = family_named(model.family_name)
    rounds = family.rounds
    if rounds is None:
        raise SearchError(
            f"{model.family_name} does not fit in rounds, so its trials cannot be halved by them",
            hint=f"declare {_BY_SHARE}, leave 'search.halving' out, or take another 'model.family'",
        )
    if rounds in search.space:
        raise SearchError(
            f"halving counts {rounds}, which the search space draws",
            hint=f"fix it in 'model.params' instead of 'search.space', or declare {_BY_SHARE}",
        )
    return int(str(family.resolve_params(model.params, task)[rounds]))
