"""Training that cannot be: contradictions between where the rows are and what is fitted to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_ray.config.model import PipelineConfig

__all__ = ["training_contradictions"]

_Contradiction = tuple[tuple[str | int, ...], str, str]


def training_contradictions(config: PipelineConfig) -> Iterator[_Contradiction]:
    """Each contradiction as the path of the key to change, what is wrong, and the way out."""
    model = config.model
    if model.is_streamed and model.family != "xgboost":
        what = f"{model.family!r} is fitted to a matrix in memory, not to rows on disk"
        yield ("model", "training"), what, "take the family xgboost, or 'training: memory'"
    if model.is_streamed and config.data.order_by:
        what = f"'training: {model.training}' takes the rows in the order of the input, unsorted"
        yield ("data", "order_by"), what, "leave it out and write the table in that order"
    if model.is_streamed:
        yield from _of_matrices_alone(config)
        yield from _of_rows_together(config)
    if model.training == "distributed" and model.workers < 2:
        what = f"a distributed fit has several workers, not {model.workers}"
        yield ("model", "workers"), what, "set it to 2 or more, or declare 'training: external'"
    if model.training != "distributed" and model.workers > 1:
        what = f"'training: {model.training}' fits on one worker"
        yield ("model", "workers"), what, "leave it out, or declare 'training: distributed'"


def _of_matrices_alone(config: PipelineConfig) -> Iterator[_Contradiction]:
    """What looks at all rows at once, or at rows that nobody streams yet."""
    model = config.model
    asked = {
        ("data", "weight"): config.data.weight is not None,
        ("model", "categories"): bool(model.categories),
        ("model", "device"): model.device != "cpu",
        ("model", "calibration"): model.calibration is not None,
        ("model", "threshold"): model.threshold is not None,
        ("model", "ensemble"): model.ensemble is not None,
    }
    for path, is_asked in asked.items():
        if is_asked:
            what = f"'training: {model.training}' does not go with it"
            yield path, what, "leave it out, or declare 'training: memory'"


def _of_rows_together(config: PipelineConfig) -> Iterator[_Contradiction]:
    """What has to know of all rows at once which of them belong together."""
    mode = f"'training: {config.model.training}'"
    if config.validation.has_folds:
        what = f"folds are dealt to a matrix in memory; {mode} has none"
        hint = "declare 'split.valid' and no 'validation', or 'training: memory'"
        yield ("validation", "scheme"), what, hint
    if config.evaluation.bootstrap is not None and config.split.group is not None:
        what = f"groups are drawn from a matrix in memory; {mode} has none"
        yield ("evaluation", "bootstrap"), what, "leave it out, or declare 'training: memory'"
