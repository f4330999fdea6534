"""TPE and CMA-ES by Optuna: asked for a generation at a time, told in the order of indices.

The sampler is made here with every option that has a say, since Optuna changes its defaults from
version to version; the version itself is part of the spec. Trials of a generation that are asked
for and not told yet are shunned by TPE (`constant_liar`), so a generation spreads.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Literal

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import TrialState, create_trial

from mlops_ray.config.space_points import in_order
from mlops_ray.runtime.seeds import derive
from mlops_ray.search.rung import whole_number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlops_ray.config.search_space import Dimension
    from mlops_ray.search.trial import TrialRecord

__all__ = ["OptunaSearcher"]

_SEEDS = 2**32  # Range of the seeds that Optuna's generators take.


class OptunaSearcher:
    """An Optuna study without storage, threads or clock.

    Args:
        space: Dimensions by parameter name.
        seed: Seed of the search.
        mode: The direction that is better.
        sampler: Which of Optuna's samplers draws.
    """

    learns: bool = True

    def __init__(
        self,
        space: Mapping[str, Dimension],
        seed: int,
        mode: Literal["max", "min"],
        sampler: Literal["tpe", "cma_es"],
    ) -> None:
        self._space = space
        self._names = in_order(space)
        self._distributions = {name: _distribution(space[name]) for name in self._names}
        self._open: dict[int, optuna.trial.Trial] = {}
        optuna.logging.set_verbosity(logging.WARNING)
        self._study = optuna.create_study(
            sampler=_sampler(sampler, derive(seed, "optuna") % _SEEDS),
            pruner=optuna.pruners.NopPruner(),
            direction="maximize" if mode == "max" else "minimize",
        )

    def ask(self, first: int, n: int) -> list[dict[str, Any]]:
        """What the sampler suggests, as values of the space."""
        return [self._suggest(index) for index in range(first, first + n)]

    def tell(self, records: Sequence[TrialRecord]) -> None:
        """Tell the study; records of trials that it did not ask for are taken as they are."""
        for record in records:
            trial = self._open.pop(record.index, None)
            if trial is None:
                self._add(record)
            else:
                self._tell(trial, record)

    def _tell(self, trial: optuna.trial.Trial, record: TrialRecord) -> None:
        if record.value is not None:
            self._study.tell(trial, record.value)
        elif record.status == "pruned":
            for rung, value in record.rungs:
                if value is not None:
                    trial.report(value, whole_number(rung, record.by))
            self._study.tell(trial, state=TrialState.PRUNED)
        else:
            self._study.tell(trial, state=TrialState.FAIL)

    def _suggest(self, index: int) -> dict[str, Any]:
        trial = self._open[index] = self._study.ask()
        drawn: dict[str, Any] = {}
        for name in self._names:
            when = self._space[name].when or {}
            if all(other in drawn and drawn[other] in values for other, values in when.items()):
                drawn[name] = _suggested(trial, name, self._space[name])
        return {name: drawn[name] for name in sorted(drawn)}

    def _add(self, record: TrialRecord) -> None:
        known = {name: value for name, value in record.params.items() if name in self._names}
        if record.value is None or set(known) != set(record.params):
            return
        levels = {name: _level(self._space[name], value) for name, value in known.items()}
        if None in levels.values():
            return
        self._study.add_trial(
            create_trial(
                value=record.value,
                params=levels,
                distributions={name: self._distributions[name] for name in levels},
            )
        )


def _sampler(name: Literal["tpe", "cma_es"], seed: int) -> optuna.samplers.BaseSampler:
    if name == "tpe":
        return optuna.samplers.TPESampler(
            seed=seed,
            multivariate=True,
            constant_liar=True,
            n_startup_trials=10,
            n_ei_candidates=24,
        )
    return optuna.samplers.CmaEsSampler(
        seed=seed,
        n_startup_trials=1,
        independent_sampler=optuna.samplers.RandomSampler(seed=seed),
        warn_independent_sampling=False,
    )


def _distribution(dimension: Dimension) -> BaseDistribution:
    """What Optuna draws: a number, or the position among finitely many values."""
    if dimension.kind == "choice":
        return CategoricalDistribution(range(len(dimension.values)))
    if dimension.n_levels is not None:
        return IntDistribution(0, dimension.n_levels - 1)
    low, high = _bounds(dimension)
    return FloatDistribution(low, high, log=dimension.kind == "log_uniform")


def _suggested(trial: optuna.trial.Trial, name: str, dimension: Dimension) -> Any:  # noqa: ANN401 - a choice
    if dimension.kind == "choice":
        return dimension.level(trial.suggest_categorical(name, range(len(dimension.values))))
    if dimension.n_levels is not None:
        return dimension.level(trial.suggest_int(name, 0, dimension.n_levels - 1))
    low, high = _bounds(dimension)
    return trial.suggest_float(name, low, high, log=dimension.kind == "log_uniform")


def _bounds(dimension: Dimension) -> tuple[float, float]:
    low, high = (float(value) for value in dimension.values)  # type: ignore[arg-type]
    return low, high


def _level(dimension: Dimension, value: Any) -> Any:  # noqa: ANN401 - a choice
    """What Optuna would have drawn for a value; None where it is outside the dimension."""
    if dimension.kind == "choice":
        return next((k for k, v in enumerate(dimension.values) if _is_same(v, value)), None)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    low, high = _bounds(dimension)
    if not low <= value <= high:
        return None
    if dimension.n_levels is None:
        return float(value)
    k = round((value - low) / (dimension.step or 1))
    return k if k < dimension.n_levels and dimension.level(k) == value else None


def _is_same(a: object, b: object) -> bool:
    return type(a) is type(b) and a == b
