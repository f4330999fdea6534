"""Contradictions in what a fit is told: features and columns that cannot play two roles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_ray.config.estimator import PICKS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_ray.config.estimator import EnsembleConfig
    from mlops_ray.config.model import PipelineConfig

__all__ = ["model_contradictions"]

_Contradiction = tuple[tuple[str | int, ...], str, str]


def model_contradictions(config: PipelineConfig) -> Iterator[_Contradiction]:
    """Each contradiction as the path of the key to change, what is wrong, and the way out."""
    model, data = config.model, config.data
    for name in sorted(set(model.monotone) & set(model.categories)):
        yield ("model", "monotone", name), "categories have no order", "keep one of the two"
    for at, group in enumerate(model.interactions):
        if not group:
            yield ("model", "interactions", at), "a group names no feature", "name one, or drop it"
    yield from _answers_that_cannot_be(config)
    others = {"data.target": [data.target], "data.key": data.key, "data.time": [data.time or ""]}
    for role, columns in others.items():
        if data.weight is not None and data.weight in columns:
            what = f"{data.weight!r} is {role!r} as well"
            yield ("data", "weight"), what, "weigh rows by a column of its own"


def _answers_that_cannot_be(config: PipelineConfig) -> Iterator[_Contradiction]:
    model, task = config.model, config.data.task
    if model.calibration is not None and task == "regression":
        yield ("model", "calibration"), "a regression has no probabilities", "leave it out"
    if model.threshold is not None and task != "binary":
        what = f"a threshold parts two classes, and the task is {task!r}"
        yield ("model", "threshold"), what, "leave it out"
    if model.ensemble is not None and config.search.trials < model.ensemble.top:
        what = f"an ensemble of {model.ensemble.top} trials, of {config.search.trials}"
        yield ("model", "ensemble", "top"), what, "raise 'search.trials', or lower it"
    yield from _idle_picks(model.ensemble)


def _idle_picks(ensemble: EnsembleConfig | None) -> Iterator[_Contradiction]:
    if ensemble is not None and ensemble.method == "average" and ensemble.picks != PICKS:
        what = "an average takes the best trials and picks none"
        yield ("model", "ensemble", "picks"), what, "leave it out, or take 'method: greedy'"
