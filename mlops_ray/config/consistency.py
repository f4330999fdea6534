"""Mistakes that only show when two parts of a pipeline file are read together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_ray.config.contract_consistency import contract_contradictions
from mlops_ray.config.model_consistency import model_contradictions
from mlops_ray.config.search_consistency import search_contradictions
from mlops_ray.config.training_consistency import training_contradictions
from mlops_ray.config.validation_consistency import (
    metric_contradictions,
    validation_contradictions,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_ray.config.model import PipelineConfig

__all__ = ["contradictions"]

_Contradiction = tuple[tuple[str | int, ...], str, str]


def contradictions(config: PipelineConfig) -> Iterator[_Contradiction]:
    """Each contradiction as the path of the key to change, what is wrong, and the way out."""
    yield from _unreadable_source(config)
    yield from _repeated_columns(config)
    yield from metric_contradictions(config)
    yield from _impossible_splits(config)
    yield from validation_contradictions(config)
    yield from _features_twice_or_never(config)
    yield from contract_contradictions(config.data)
    for name in sorted(set(config.search.space) & set(config.model.params)):
        yield ("search", "space", name), "also fixed in 'model.params'", "keep one of the two"
    yield from search_contradictions(config.search)
    yield from model_contradictions(config)
    yield from training_contradictions(config)
    if config.register_ is not None and not config.gates:
        yield (
            ("register",),
            "a model is registered only through a gate",
            "add 'gates', such as - {metric: roc_auc, at_least: 0.9}",
        )


def _unreadable_source(config: PipelineConfig) -> Iterator[_Contradiction]:
    source = config.data.source
    scheme, mark, _ = (source.path or "").partition("://") if source else ("", "", "")
    if mark and scheme != "s3":  # The rest may hold a password.
        yield (
            ("data", "source"),
            f"a source cannot be read by {scheme!r}",
            "give a local file, folder or glob, s3://bucket/path, sklearn:NAME, or a query",
        )


def _features_twice_or_never(config: PipelineConfig) -> Iterator[_Contradiction]:
    chosen = config.feature_set
    if chosen.use is None and not config.features:
        hint = "add 'features', or 'feature_set: {use: NAME@VERSION}'"
        yield ("features",), "no features are declared", hint
    if chosen.use is not None and config.features:
        yield ("features",), "a feature set is used, which has its features", "keep one of the two"
    if chosen.use is not None and chosen.examples:
        what = "a set that is used has its own examples"
        yield ("feature_set", "examples"), what, "declare examples beside 'features'"


def _repeated_columns(config: PipelineConfig) -> Iterator[_Contradiction]:
    for role, columns in (("key", config.data.key), ("order_by", config.data.order_by)):
        for index, name in enumerate(columns):
            if name in columns[:index]:
                yield ("data", role, index), f"{name!r} is listed twice", "list it once"


def _impossible_splits(config: PipelineConfig) -> Iterator[_Contradiction]:
    for part, rule in (("test", config.split.test), ("valid", config.split.valid)):
        if rule is None:
            continue
        if rule.share is not None and not config.data.key and config.split.group is None:
            yield (
                ("split", part, "share"),
                "a share goes by the hash of the row's key, and no key is declared",
                "declare 'data.key', such as [id], or 'split.group'",
            )
        if rule.time_from is not None and config.split.group is not None:
            what = "a group has rows before and after a time, so it would be parted"
            yield ("split", part, "time_from"), what, "declare a share, or no 'split.group'"
        if rule.time_from is not None and config.data.time is None:
            yield ("split", part, "time_from"), "no time column is declared", "declare 'data.time'"
    if config.split.stratify:
        yield from _impossible_strata(config)
    data = config.data
    is_fresh = data.contract is not None and data.contract.freshness is not None
    if data.as_of is not None and data.time is None and not is_fresh:
        yield (
            ("data", "as_of"),
            "nothing is compared with it",
            "declare 'data.time', or 'data.contract.freshness'",
        )


def _impossible_strata(config: PipelineConfig) -> Iterator[_Contradiction]:
    place, split = ("split", "stratify"), config.split
    if config.data.task == "regression":
        yield place, "a regression has no classes", "leave it out"
    if split.group is not None:
        what = "a group may hold rows of several classes, so its rows cannot stay together"
        yield place, what, "declare one of 'group' and 'stratify'"
    is_dealt = config.validation.scheme == "k_fold"
    if split.test.share is None and not split.valid_share and not is_dealt:
        yield place, "no part is a share of the classes", "declare a share, or leave it out"
