"""Turns a resolved pipeline file into a spec: everything that was asked, by content."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mlops_ray.config.model import ObjectiveConfig
from mlops_ray.config.validation import EvaluationConfig
from mlops_ray.features.feature_examples import Example
from mlops_ray.manifest import (
    EnvironmentFacts,
    FeatureDeclaration,
    FeatureSetFacts,
    InputFacts,
    Spec,
    SpecData,
)
from mlops_ray.pipeline.column_checks import declared_casts
from mlops_ray.pipeline.searcher_checks import uses_optuna
from mlops_ray.runtime.environment import SEARCHER_PACKAGES, behaviour_packages
from mlops_ray.runtime.ray_settings import WORKER_VARIABLES
from mlops_ray.runtime.seeds import SEED_RULE, derive

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlops_ray.data.source import InputFile
    from mlops_ray.manifest import CodeFacts
    from mlops_ray.pipeline.resolve import Resolved

__all__ = ["SEED_PATHS", "Frozen", "spec_of"]

SEED_PATHS: Final = ("split", "search")  # What draws from the root seed, each by its own path.
FOLDS_PATH: Final = "folds"  # Only where a step has folds: others keep their ids.
VALIDATION_PATH: Final = "validation"  # Only where the training rows are dealt into folds.
BOOTSTRAP_PATH: Final = "bootstrap"  # Only where intervals are declared.


@dataclass(frozen=True, slots=True)
class Frozen:
    """A spec and where the bytes that it names can be read now.

    Attributes:
        spec: What was asked.
        files: Input files with their digests; copies in the store where they are small.
        code: Content of the captured code by POSIX path.
    """

    spec: Spec
    files: list[InputFile]
    code: Mapping[str, bytes]


def spec_of(resolved: Resolved, files: Sequence[InputFile], code: CodeFacts) -> Spec:
    """The spec: the declarations with all defaults resolved, and digests of all that they read.

    Args:
        resolved: The pipeline file with its schema and features.
        files: Its inputs, digested.
        code: The captured code.
    """
    config = resolved.loaded.config
    return Spec(
        name=config.name,
        owner=config.owner,
        objective=ObjectiveConfig(metric=config.objective.metric, direction=config.objective.mode),
        seed=config.seed,
        seeds=_seeds(resolved),
        seed_rule=SEED_RULE,
        data=_data(resolved, files),
        split=config.split,
        features=[
            FeatureDeclaration(
                column=feature.name,
                kind=feature.kind,
                steps=[step.model_dump(mode="json", by_alias=True) for step in feature.steps],
                inputs=list(feature.columns) if feature.is_joint else None,
            )
            for feature in resolved.features
        ],
        feature_set=_feature_set(resolved),
        model=config.model,
        search=config.search,
        validation=config.validation if config.validation.has_folds else None,
        evaluation=None if config.evaluation == EvaluationConfig() else config.evaluation,
        gates=config.gates,
        register_=config.register_,
        serve=config.serve,
        monitor=config.monitor,
        code=code,
        packages=behaviour_packages(SEARCHER_PACKAGES if uses_optuna(config.search) else ()),
        environment=EnvironmentFacts(
            implementation=sys.implementation.name, threads=dict(WORKER_VARIABLES)
        ),
        environment_policy=config.environment,
    )


def _seeds(resolved: Resolved) -> dict[str, str]:
    root, chosen = resolved.loaded.config.seed, resolved.feature_set
    config = resolved.loaded.config
    more = [VALIDATION_PATH] if config.validation.has_folds else []
    more += [BOOTSTRAP_PATH] if config.evaluation.bootstrap is not None else []
    seeds = {path: str(derive(root, path)) for path in (*SEED_PATHS, *more)}
    if chosen is not None and chosen.folds is not None:
        # Dealt anew, a row would be encoded by what its own target has helped to make.
        return {**seeds, FOLDS_PATH: str(chosen.folds.salt)}
    has_folds = any(step.n_folds for feature in resolved.features for step in feature.steps)
    return {**seeds, FOLDS_PATH: str(derive(root, FOLDS_PATH))} if has_folds else seeds


def _feature_set(resolved: Resolved) -> FeatureSetFacts | None:
    chosen, declared = resolved.feature_set, resolved.loaded.config.feature_set.examples
    if chosen is None and not declared:
        return None
    examples = [Example(e.record, dict(e.outputs), e.tolerance).to_text() for e in declared]
    return FeatureSetFacts(used=chosen.digest if chosen else None, examples=examples)


def _data(resolved: Resolved, files: Sequence[InputFile]) -> SpecData:
    data = resolved.loaded.config.data
    return SpecData(
        inputs=[
            InputFacts(name=f.name, format=f.format, sha256=f.sha256, size_bytes=f.size_bytes)
            for f in files
        ],
        columns=dict(resolved.schema),
        task=data.task,
        target=data.target,
        key=data.key,
        order_by=data.order_by,
        time=data.time,
        weight=data.weight,
        casts=dict(declared_casts(resolved.loaded)),
        as_of=data.as_of,
        on_bad_file=data.on_bad_file,
        contract=data.contract,
        pii=sorted(name for name, column in data.columns.items() if column.pii),
        notes=data.notes,
    )
