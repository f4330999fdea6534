"""How trials are validated, how one is chosen, and what is measured on the test rows."""

from __future__ import annotations

import operator
from functools import partial
from typing import Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from mlops_ray.config.metric_catalogue import IN_A_MODULE, Better, MetricName, Needs

__all__ = [
    "BootstrapConfig",
    "EvaluationConfig",
    "MetricFunctionConfig",
    "SelectionConfig",
    "TieBreak",
    "ValidationConfig",
]

_FOLDS: Final = 5


class _Declared(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


class ValidationConfig(_Declared):
    """On which rows the trials of a search are scored.

    Attributes:
        scheme: ``holdout`` scores on the rows of ``split.valid``. The others have no such part:
            they deal the training rows into folds, ``k_fold`` by the hash of the key, ``grouped``
            by that of a group; ``time_series`` scores each fold after all that came before it.
        folds: Parts that are scored, each by a fit on rows of others.
        repeats: How often the rows are dealt anew, each time by another salt.
        group: Column whose rows of one value are in one fold; by default ``split.group``.
    """

    scheme: Literal["holdout", "k_fold", "grouped", "time_series"] = "holdout"
    folds: int = Field(default=_FOLDS, ge=2, le=100)
    repeats: int = Field(default=1, ge=1, le=100)
    group: str | None = Field(default=None, min_length=1, exclude_if=partial(operator.is_, None))

    @property
    def has_folds(self) -> bool:
        """Whether the training rows are dealt into folds."""
        return self.scheme != "holdout"

    @model_validator(mode="after")
    def _fits_scheme(self) -> Self:
        is_plain = (self.folds, self.repeats, self.group) == (_FOLDS, 1, None)
        if self.scheme == "holdout" and not is_plain:
            msg = "a holdout has no 'folds', 'repeats' or 'group': leave them out, or name a scheme"
            raise ValueError(msg)
        if self.scheme == "time_series" and self.repeats > 1:
            msg = "time runs once: a time series has no repeats"
            raise ValueError(msg)
        if self.group is not None and self.scheme != "grouped":
            msg = f"'group' is for the scheme 'grouped', not for {self.scheme!r}"
            raise ValueError(msg)
        return self


class TieBreak(_Declared):
    """What decides between trials that count as equal; exactly one of its members.

    Attributes:
        lowest: A parameter of the search space, the lowest of whose values wins.
        highest: The same, the highest.
        metric: A reported metric, the better value of which wins.
    """

    lowest: str | None = Field(default=None, exclude_if=partial(operator.is_, None))
    highest: str | None = Field(default=None, exclude_if=partial(operator.is_, None))
    metric: MetricName | None = Field(default=None, exclude_if=partial(operator.is_, None))

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if sum(name is not None for name in (self.lowest, self.highest, self.metric)) != 1:
            msg = "a tie-break needs exactly one of 'lowest', 'highest' and 'metric'"
            raise ValueError(msg)
        return self


class SelectionConfig(_Declared):
    """Which trial is chosen: of those as good as the best, the first by the tie-breaks.

    Attributes:
        within_standard_errors: As good as the best is what is no further from it than so many
            standard errors of its mean over the folds; with 0 what has the same objective.
        tie_break: One after the other; the last is always the index of the trial.
    """

    within_standard_errors: float = Field(default=0.0, ge=0)
    tie_break: list[TieBreak] = Field(default_factory=list)

    @model_validator(mode="after")
    def _has_an_effect(self) -> Self:
        if self.within_standard_errors and not self.tie_break:
            msg = (
                "among trials within a standard error something has to decide: "
                "declare 'tie_break', such as [{lowest: max_depth}]"
            )
            raise ValueError(msg)
        return self


class MetricFunctionConfig(_Declared):
    """A metric of the project's own.

    Attributes:
        function: ``module:function``, which is the metric's name too.
        version: The one that it is decorated with.
        direction: The direction that is better.
        needs: What it is given beside the target: predicted classes, probabilities, or values.
    """

    function: str
    version: int = Field(ge=1)
    direction: Better
    needs: Needs

    @field_validator("function")
    @classmethod
    def _in_a_module(cls, name: str) -> str:
        if not IN_A_MODULE.fullmatch(name):
            msg = f"{name!r} is no function of the project, such as 'costs:saving'"
            raise ValueError(msg)
        return name


class BootstrapConfig(_Declared):
    """Intervals of the metrics on the test rows, from rows drawn with replacement.

    Attributes:
        resamples: How often they are drawn.
        level: Share of the resamples inside an interval.
    """

    resamples: int = Field(default=1000, ge=100, le=100_000)
    level: float = Field(default=0.95, gt=0, lt=1)


class EvaluationConfig(_Declared):
    """What is measured beside the objective and the metrics of the gates.

    Attributes:
        metrics: Reported metrics; the standard ones of the task where there are none.
        functions: Metrics of the project's own, which are reported too.
        bootstrap: Intervals on the test rows; none where it is absent.
    """

    metrics: list[MetricName] = Field(default_factory=list)
    functions: list[MetricFunctionConfig] = Field(default_factory=list, exclude_if=operator.not_)
    bootstrap: BootstrapConfig | None = Field(default=None, exclude_if=partial(operator.is_, None))
