"""The pydantic models of a pipeline file: what may be declared, and every default.

A loaded `PipelineConfig` is the human's half of a run: `pipeline.freeze` adds what the machine
knows (digests of data, code and packages) and seals both as the *spec*. Names that only make sense
beside the data (does the column exist?) are checked there; what the file alone can tell is here.
"""

from __future__ import annotations

import operator
from functools import partial
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from mlops_ray.config.code import CodeConfig
from mlops_ray.config.contract import ContractConfig, as_time
from mlops_ray.config.declared import Column, Declared
from mlops_ray.config.environment import EnvironmentConfig
from mlops_ray.config.estimator import ModelConfig
from mlops_ray.config.feature_steps import FeatureGroup, FeatureSetConfig
from mlops_ray.config.metric_catalogue import METRICS, Better, MetricName, is_own
from mlops_ray.config.monitoring import MonitorConfig
from mlops_ray.config.search import SearchConfig
from mlops_ray.config.serving import ServeConfig
from mlops_ray.config.source import ColumnType, SourceConfig
from mlops_ray.config.task import TASKS, Task
from mlops_ray.config.validation import EvaluationConfig, ValidationConfig

__all__ = [
    "METRICS",
    "TASKS",
    "ColumnConfig",
    "DataConfig",
    "GateConfig",
    "ModelConfig",
    "MonitorConfig",
    "ObjectiveConfig",
    "PipelineConfig",
    "RegisterConfig",
    "ServeConfig",
    "SourceConfig",
    "SplitConfig",
    "StoreConfig",
    "Task",
]

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
Share = Annotated[float, Field(gt=0, lt=1)]


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
