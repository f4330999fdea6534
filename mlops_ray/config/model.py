"""The pydantic models of a pipeline file: what may be declared, and every default.

A loaded `PipelineConfig` is the human's half of a run: `pipeline.freeze` adds what the machine
knows (digests of data, code and packages) and seals both as the *spec*. Names that only make sense
beside the data (does the column exist?) are checked there; what the file alone can tell is here.
"""

from __future__ import annotations

import operator
from functools import partial
from typing import Annotated, Final, Literal, Self

from pydantic import Field, field_validator, model_validator

from mlops_ray.config.code import CodeConfig
from mlops_ray.config.contract import ContractConfig, as_time
from mlops_ray.config.declared import IN_A_MODULE, Column, Declared
from mlops_ray.config.environment import EnvironmentConfig
from mlops_ray.config.estimator import ModelConfig
from mlops_ray.config.feature_steps import FeatureGroup, FeatureSetConfig
from mlops_ray.config.metric_catalogue import METRICS, Better, MetricName, is_own
from mlops_ray.config.monitoring import MonitorConfig
from mlops_ray.config.search_space import Dimension
from mlops_ray.config.serving import ServeConfig
from mlops_ray.config.source import ColumnType, SourceConfig
from mlops_ray.config.task import TASKS, Task
from mlops_ray.config.validation import EvaluationConfig, SelectionConfig, ValidationConfig

__all__ = [
    "METRICS",
    "MIN_SHARE",
    "SEARCHERS",
    "TASKS",
    "TIMEOUT_S",
    "ColumnConfig",
    "DataConfig",
    "GateConfig",
    "HalvingConfig",
    "ModelConfig",
    "MonitorConfig",
    "ObjectiveConfig",
    "PatienceConfig",
    "PipelineConfig",
    "RegisterConfig",
    "RungUnit",
    "SearchConfig",
    "ServeConfig",
    "SourceConfig",
    "SplitConfig",
    "StoreConfig",
    "Task",
]

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
Share = Annotated[float, Field(gt=0, lt=1)]
TrialSource = Annotated[str, Field(pattern=r"^(sha256:[0-9a-f]{64}|\d{8}t\d{6}-[0-9a-f]{6})$")]

RungUnit = Literal["rounds", "data_share"]

TIMEOUT_S: Final = 3600.0
MIN_SHARE: Final = 0.1
SEARCHERS: Final = ("random", "grid", "sobol", "tpe", "cma_es")


class ObjectiveConfig(Declared):
    """What the search improves on rows that a trial was not fitted on."""

    metric: MetricName
    direction: Better | None = None

    @model_validator(mode="after")
    def _direction_fits(self) -> Self:
        if is_own(self.metric):
            if self.direction is None:
                msg = f"{self.metric} is a metric of the project: declare its 'direction'"
                raise ValueError(msg)
            return self
        natural = METRICS[self.metric].better
        if self.direction not in {None, natural}:
            msg = f"{self.metric} gets better towards {natural!r}, not {self.direction!r}"
            raise ValueError(msg)
        return self

    @property
    def mode(self) -> Better:
        """The direction that is better."""
        return self.direction or METRICS[self.metric].better


class ColumnConfig(Declared):
    """What is declared of one column beside its values."""

    pii: bool = False
    description: str = ""
    cast: ColumnType | None = None


class DataConfig(Declared):
    """The input table, its target and the columns with a special role.

    Attributes:
        weight: Column with how much a row counts in a fit; each counts the same without one.
    """

    source: SourceConfig | None = None
    task: Task
    target: Column
    key: list[Column] = Field(default_factory=list)
    order_by: list[Column] = Field(default_factory=list)
    time: Column | None = None
    weight: Column | None = None
    as_of: str | None = None
    on_bad_file: Literal["fail", "quarantine"] = "fail"
    columns: dict[str, ColumnConfig] = Field(default_factory=dict)
    contract: ContractConfig | None = None
    notes: dict[str, str] = Field(default_factory=dict)

    @field_validator("as_of")
    @classmethod
    def _is_time(cls, as_of: str | None) -> str | None:
        if as_of is not None:
            try:
                as_time(as_of)
            except ValueError:
                msg = f"{as_of!r} is no date or time such as '2018-12-31' or '2018-12-31T06:00:00'"
                raise ValueError(msg) from None
        return as_of


class SplitRule(Declared):
    """One part of the split: a share of the keys, or all rows from a time on."""

    share: Share | None = None
    time_from: int | float | str | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.share is None) == (self.time_from is None):
            msg = "a split part needs exactly one of 'share' and 'time_from'"
            raise ValueError(msg)
        return self


class SplitConfig(Declared):
    """Which rows test and validate; all others train.

    Attributes:
        valid: Absent where the training rows are dealt into folds, and only there.
        group: Column whose rows of one value stay together; shares go by its hash.
        stratify: Whether each class has its share in every part, and in every fold of ``k_fold``.
    """

    test: SplitRule
    valid: SplitRule | None = Field(default=None, exclude_if=partial(operator.is_, None))
    group: Column | None = None
    stratify: bool = False

    @model_validator(mode="after")
    def _something_left(self) -> Self:
        if (self.test.share or 0.0) + self.valid_share >= 1.0:
            msg = "the shares of test and valid leave no rows to train on"
            raise ValueError(msg)
        return self

    @property
    def valid_share(self) -> float:
        """Share of the keys that validate; 0 where it is no share, or nothing does."""
        return 0.0 if self.valid is None else self.valid.share or 0.0


class HalvingConfig(Declared):
    """Which trials are cut short: those that are behind at the end of a rung.

    Attributes:
        by: What grows from rung to rung: rounds of a fit, or the share of the training rows that
            it sees.
        eta: One trial of so many goes on from a rung, to so many times the rounds or rows.
        min_rounds: Rounds of the first rung, at least.
        min_share: Share of the training rows of the first rung, at least.
        brackets: 1 halves a generation; more share it out among brackets that start at later rungs.
    """

    by: RungUnit = Field(default="rounds", exclude_if=partial(operator.eq, "rounds"))
    eta: int = Field(default=3, ge=2, le=100)
    min_rounds: int = Field(default=1, ge=1)
    min_share: Share = Field(default=MIN_SHARE, exclude_if=partial(operator.eq, MIN_SHARE))
    brackets: int = Field(default=1, ge=1, le=100)


class PatienceConfig(Declared):
    """When a trial ends that gets no better.

    Attributes:
        rounds: After so many rounds without a better objective on the validation rows.
        every: Rounds from one look at it to the next.
    """

    rounds: int = Field(ge=1, le=100_000)
    every: int = Field(default=10, ge=1, le=100_000)


class SearchConfig(Declared):
    """The hyperparameter search; concurrency is not here because it may not matter.

    Attributes:
        space: Parameter -> the values it may take.
        searcher: One of `SEARCHERS`, or ``module:Class`` of the project.
        trials: Trials to draw.
        generation: Trials that are drawn before the results of any of them count.
        refit_on: Rows of the final fit.
        warm_start: Id of an earlier run, or digest of its trial table, which the searcher learns
            from; a spec has the digest.
        halving: How trials are cut short; each runs to its end where it is absent.
        patience: When a trial ends that gets no better; each makes all its rounds where it is
            absent.
        timeout_s: After how long a trial, or its way to the next rung, is taken to hang.
        budget_s: After how long no further generation is begun; None for no end.
        selection: Which trial is chosen in the end.
    """

    space: dict[str, Dimension] = Field(default_factory=dict)
    searcher: str = "random"
    trials: int = Field(default=1, ge=1, le=100_000)
    generation: int = Field(default=4, ge=1, le=10_000)
    refit_on: Literal["train", "train_and_valid"] = "train_and_valid"
    warm_start: TrialSource | None = Field(default=None, exclude_if=partial(operator.is_, None))
    halving: HalvingConfig | None = Field(default=None, exclude_if=partial(operator.is_, None))
    patience: PatienceConfig | None = Field(default=None, exclude_if=partial(operator.is_, None))
    timeout_s: float = Field(default=TIMEOUT_S, gt=0, exclude_if=partial(operator.eq, TIMEOUT_S))
    budget_s: float | None = Field(default=None, gt=0, exclude_if=partial(operator.is_, None))
    selection: SelectionConfig = Field(
        default=SelectionConfig(), exclude_if=partial(operator.eq, SelectionConfig())
    )

    @field_validator("searcher")
    @classmethod
    def _is_known(cls, searcher: str) -> str:
        if searcher not in SEARCHERS and not IN_A_MODULE.fullmatch(searcher):
            known = ", ".join(SEARCHERS)
            msg = f"unknown searcher {searcher!r}; known: {known}, or module:Class of the project"
            raise ValueError(msg)
        return searcher

    @property
    def learns(self) -> bool:
        """Whether results can change what is drawn next."""
        return self.searcher not in {"random", "grid", "sobol"}

    @property
    def searcher_module(self) -> str | None:
        """The project's module that draws; None for a searcher of ours."""
        return self.searcher.partition(":")[0] if ":" in self.searcher else None


class GateConfig(Declared):
    """A threshold that a metric on the test split has to meet."""

    metric: MetricName
    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.at_least is None) == (self.at_most is None):
            msg = "a gate needs exactly one of 'at_least' and 'at_most'"
            raise ValueError(msg)
        if is_own(self.metric):
            return self  # Its direction is declared elsewhere; see `config.validation_consistency`.
        better = METRICS[self.metric].better
        if (self.at_least is None) == (better == "max"):
            right = "at_least" if better == "max" else "at_most"
            msg = f"{self.metric} gets better towards {better!r}: use {right!r}"
            raise ValueError(msg)
        return self


class RegisterConfig(Declared):
    """Which alias the new version gets once its gates have passed."""

    alias: Name = "challenger"


class StoreConfig(Declared):
    """What is copied into the object store."""

    copy_inputs_below: int = Field(default=2**30, ge=0)


class PipelineConfig(Declared):
    """A whole pipeline file, version 1."""

    version: Literal[1]
    name: Name
    owner: str = ""
    objective: ObjectiveConfig
    seed: int = Field(default=0, ge=0, le=2**53 - 1)
    data: DataConfig
    split: SplitConfig
    features: list[FeatureGroup] = Field(default_factory=list)
    feature_set: FeatureSetConfig = FeatureSetConfig()
    model: ModelConfig
    search: SearchConfig = SearchConfig()
    validation: ValidationConfig = ValidationConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    gates: list[GateConfig] = Field(default_factory=list)
    register_: RegisterConfig | None = Field(default=None, alias="register")
    serve: ServeConfig = ServeConfig()
    monitor: MonitorConfig = MonitorConfig()
    store: StoreConfig = StoreConfig()
    code: CodeConfig = CodeConfig()
    environment: EnvironmentConfig = EnvironmentConfig()
