"""The hyperparameter search of a pipeline file: what is drawn, how much, and what is cut short."""

from __future__ import annotations

import operator
from functools import partial
from typing import Annotated, Final, Literal

from pydantic import Field, field_validator

from mlops_ray.config.declared import IN_A_MODULE, Declared
from mlops_ray.config.search_space import Dimension
from mlops_ray.config.validation import SelectionConfig

__all__ = [
    "MIN_SHARE",
    "SEARCHERS",
    "TIMEOUT_S",
    "HalvingConfig",
    "PatienceConfig",
    "RungUnit",
    "SearchConfig",
]

Share = Annotated[float, Field(gt=0, lt=1)]
TrialSource = Annotated[str, Field(pattern=r"^(sha256:[0-9a-f]{64}|\d{8}t\d{6}-[0-9a-f]{6})$")]

RungUnit = Literal["rounds", "data_share"]

TIMEOUT_S: Final = 3600.0
MIN_SHARE: Final = 0.1
SEARCHERS: Final = ("random", "grid", "sobol", "tpe", "cma_es")


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
