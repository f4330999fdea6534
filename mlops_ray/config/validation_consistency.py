"""Folds, metrics and rules of choice that do not go with the rest of a pipeline file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_ray.config.metric_catalogue import fitting, is_own

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_ray.config.model import PipelineConfig
    from mlops_ray.config.search_space import Dimension
    from mlops_ray.config.validation import MetricFunctionConfig

__all__ = ["metric_contradictions", "validation_contradictions"]

_Path = tuple[str | int, ...]
_Contradiction = tuple[_Path, str, str]


def validation_contradictions(config: PipelineConfig) -> Iterator[_Contradiction]:
    """Folds that cannot be dealt and trials that cannot be chosen."""
    yield from _misfit_parts(config)
    yield from _undealt_folds(config)
    yield from _undecided(config)
    yield from _impossible_choices(config)


def metric_contradictions(config: PipelineConfig) -> Iterator[_Contradiction]:
    """Metrics that do not fit the task, and metrics of the project that are not declared."""
    functions = {declared.function: declared for declared in config.evaluation.functions}
    yield from _misfit_functions(config)
    known = fitting(config.data.task)
    seen: set[str] = set()
    for path, name in _named_metrics(config):
        if is_own(name):
            if name not in functions:
                what = f"{name!r} is a metric of the project that is not declared"
                yield path, what, "add it to 'evaluation.functions'"
        elif name not in known:
            what = f"{name!r} does not fit task {config.data.task!r}"
            yield path, what, f"one of {', '.join(known)}"
        if path[:2] == ("evaluation", "metrics"):
            if name in seen:
                yield path, f"{name!r} is listed twice", "list it once"
            seen.add(name)
    yield from _contrary_directions(config, functions)


def _named_metrics(config: PipelineConfig) -> Iterator[tuple[_Path, str]]:
    yield ("objective", "metric"), config.objective.metric
    for at, gate in enumerate(config.gates):
        yield ("gates", at, "metric"), gate.metric
    for at, name in enumerate(config.evaluation.metrics):
        yield ("evaluation", "metrics", at), name
    for at, item in enumerate(config.search.selection.tie_break):
        if item.metric is not None:
            yield ("search", "selection", "tie_break", at, "metric"), item.metric


def _misfit_functions(config: PipelineConfig) -> Iterator[_Contradiction]:
    has_classes = config.data.task != "regression"
    seen: set[str] = set()
    for at, declared in enumerate(config.evaluation.functions):
        place = ("evaluation", "functions", at)
        if (declared.needs == "values") == has_classes:
            what = f"task {config.data.task!r} predicts no {declared.needs}"
            hint = "labels or probabilities" if has_classes else "values"
            yield (*place, "needs"), what, f"declare {hint}"
        if declared.function in seen:
            yield (*place, "function"), f"{declared.function!r} is listed twice", "list it once"
        seen.add(declared.function)


def _contrary_directions(
    config: PipelineConfig, functions: dict[str, MetricFunctionConfig]
) -> Iterator[_Contradiction]:
    objective = functions.get(config.objective.metric)
    if objective is not None and objective.direction != config.objective.mode:
        what = f"{objective.function} is declared to get better towards {objective.direction!r}"
        yield ("objective", "direction"), what, "declare the same in both places"
    for at, gate in enumerate(config.gates):
        found = functions.get(gate.metric)
        if found is not None and (gate.at_least is None) == (found.direction == "max"):
            right = "at_least" if found.direction == "max" else "at_most"
            what = f"{gate.metric} gets better towards {found.direction!r}"
            yield ("gates", at), what, f"use {right!r}"


def _misfit_parts(config: PipelineConfig) -> Iterator[_Contradiction]:
    has_folds, valid = config.validation.has_folds, config.split.valid
    if has_folds and valid is not None:
        what = "folds are dealt to all rows that do not test, so that none are left to validate"
        yield ("split", "valid"), what, "leave it out, or declare no 'validation'"
    if not has_folds and valid is None:
        hint = "add 'split.valid', such as {share: 0.2}, or 'validation: {scheme: k_fold}'"
        yield ("split",), "no rows are left to validate on", hint


def _undealt_folds(config: PipelineConfig) -> Iterator[_Contradiction]:
    place, scheme = ("validation", "scheme"), config.validation.scheme
    if scheme == "k_fold":
        yield from _undealt_keys(config, place)
    elif scheme == "grouped":
        yield from _undealt_groups(config, place)
    elif scheme == "time_series":
        if config.data.time is None:
            what = "folds go by the time, and no time column is declared"
            yield place, what, "declare 'data.time'"
        if config.split.group is not None:
            what = "a group has rows before and after a time, so it would be parted"
            yield place, what, "take the scheme grouped, or no 'split.group'"


def _undealt_keys(config: PipelineConfig, place: _Path) -> Iterator[_Contradiction]:
    if config.split.group is not None:
        what = "folds by the key would part the groups of 'split.group'"
        yield place, what, "take the scheme grouped"
    elif not config.data.key:
        what = "folds are dealt by the hash of the row's key, and no key is declared"
        yield place, what, "declare 'data.key', such as [id], or take the scheme grouped"


def _undealt_groups(config: PipelineConfig, place: _Path) -> Iterator[_Contradiction]:
    groups = {config.validation.group, config.split.group} - {None}
    if not groups:
        yield place, "no group is declared", "declare 'validation.group', such as customer"
    elif len(groups) > 1:
        what = "the split keeps other groups together than the folds"
        yield ("validation", "group"), what, "leave it out: the group of the split is taken"


def _undecided(config: PipelineConfig) -> Iterator[_Contradiction]:
    """What is decided by an objective that decides nothing of the kind."""
    ensemble = config.model.ensemble
    is_greedy = ensemble is not None and ensemble.method == "greedy"
    if is_greedy and is_own(config.objective.metric):
        what = "members are picked by a metric of the catalogue only"
        yield ("model", "ensemble"), what, "take 'method: average', or another objective"
    if ensemble is not None and config.search.selection.tie_break:
        what = "an ensemble takes the best trials, in the order of the objective"
        yield ("search", "selection"), what, "leave one of the two out"


def _impossible_choices(config: PipelineConfig) -> Iterator[_Contradiction]:
    selection, place = config.search.selection, ("search", "selection")
    if selection.within_standard_errors and not config.validation.has_folds:
        yield (
            (*place, "within_standard_errors"),
            "a single holdout has no standard error",
            "declare 'validation' with folds, or leave it out",
        )
    for at, item in enumerate(selection.tie_break):
        name = item.lowest or item.highest
        if name is None:
            continue
        dimension = config.search.space.get(name)
        if dimension is None:
            what = f"{name!r} is not in the search space, so all trials have the same"
            yield (*place, "tie_break", at), what, "name a parameter of 'search.space'"
        elif not _is_ordered(dimension):
            what = f"the values of {name!r} have no order"
            yield (*place, "tie_break", at), what, "name a parameter of numbers"


def _is_ordered(dimension: Dimension) -> bool:
    values: list[Any] = dimension.values
    return all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
