"""What a pipeline file says of the model: its family, and what a fit is told beside parameters."""

from __future__ import annotations

import operator
from difflib import get_close_matches
from functools import partial
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, field_validator, model_validator

from mlops_ray.config.declared import IN_A_MODULE, Column, Declared

__all__ = [
    "FAMILY_NAMES",
    "PICKS",
    "Calibration",
    "Device",
    "Direction",
    "EnsembleConfig",
    "ModelConfig",
    "ThresholdConfig",
    "TrainingMode",
]

FAMILY_NAMES: Final = ("xgboost", "hist_gradient_boosting", "linear", "sklearn")
PICKS: Final = 20
Direction = Literal["increasing", "decreasing"]
Device = Literal["cpu", "cuda"]
Calibration = Literal["sigmoid", "isotonic"]
TrainingMode = Literal["memory", "external", "distributed"]
Cost = Annotated[float, Field(ge=-1e12, le=1e12)]
_NONE: Final = partial(operator.is_, None)


class ThresholdConfig(Declared):
    """What answers of a binary classification cost; a gain is a negative cost.

    Attributes:
        false_positive: Of the second class where it is the first.
        false_negative: Of the first class where it is the second.
        true_positive: Of the second class where that is right.
        true_negative: Of the first class where that is right.
    """

    false_positive: Cost
    false_negative: Cost
    true_positive: Cost = 0.0
    true_negative: Cost = 0.0

    @model_validator(mode="after")
    def _mistakes_cost_more(self) -> Self:
        for wrong, right in (
            ("false_positive", "true_negative"),
            ("false_negative", "true_positive"),
        ):
            if not getattr(self, wrong) > getattr(self, right):
                msg = f"{wrong} must cost more than {right}, or no threshold is needed"
                raise ValueError(msg)
        return self


class EnsembleConfig(Declared):
    """Several trials of the search that answer together.

    Attributes:
        method: ``average`` of the best trials, or ``greedy``: they are picked one after the other,
            each the one that helps most on the validation rows.
        top: How many of the best trials take part, or may be picked.
        picks: How often a greedy ensemble picks; a trial may be picked again.
    """

    method: Literal["average", "greedy"] = "average"
    top: int = Field(default=5, ge=2, le=100)
    picks: int = Field(default=PICKS, ge=1, le=1000)


class ModelConfig(Declared):
    """The estimator family, its fixed parameters and the threads of one fit.

    Features are named by output, such as ``city=Bern``, or by input column, which stands for all
    outputs that are made of it.

    Attributes:
        family: One of `FAMILY_NAMES`, or ``module:Class`` of the project.
        estimator: Class of scikit-learn, for the family ``sklearn``.
        monotone: Feature -> how answers may move as it grows.
        interactions: Groups of features; those of different groups do not meet on a tree's path.
        categories: Features that are told apart rather than measured, made by the step ``ordinal``.
        threads: Threads of one fit, or of each worker of a distributed one.
        training: Where the training rows are: in the memory of the worker that fits, ``external``
            on its disk, or ``distributed`` among several workers.
        workers: Workers that fit one model together, where training is distributed.
        device: What fits; answers are computed on a CPU.
        calibration: How probabilities are corrected by the validation rows.
        threshold: What mistakes cost; decides from which probability on the second class is told.
        ensemble: Which trials answer together; the best alone where it is absent.
    """

    family: str
    estimator: str | None = Field(default=None, exclude_if=_NONE)
    params: dict[str, Any] = Field(default_factory=dict)
    threads: int = Field(default=1, ge=1, le=256)
    monotone: dict[Column, Direction] = Field(default_factory=dict, exclude_if=operator.not_)
    interactions: list[list[Column]] = Field(default_factory=list, exclude_if=operator.not_)
    categories: list[Column] = Field(default_factory=list, exclude_if=operator.not_)
    device: Device = Field(default="cpu", exclude_if=partial(operator.eq, "cpu"))
    calibration: Calibration | None = Field(default=None, exclude_if=_NONE)
    threshold: ThresholdConfig | None = Field(default=None, exclude_if=_NONE)
    ensemble: EnsembleConfig | None = Field(default=None, exclude_if=_NONE)
    training: TrainingMode = Field(default="memory", exclude_if=partial(operator.eq, "memory"))
    workers: int = Field(default=1, ge=1, le=1000, exclude_if=partial(operator.eq, 1))

    @field_validator("family")
    @classmethod
    def _is_known(cls, family: str) -> str:
        is_own = IN_A_MODULE.fullmatch(family) and not family.startswith("sklearn:")
        if family not in FAMILY_NAMES and not is_own:
            near = get_close_matches(family, FAMILY_NAMES, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            known = ", ".join(FAMILY_NAMES)
            msg = f"unknown family {family!r}; known: {known}, or module:Class of the project{hint}"
            raise ValueError(msg)
        return family

    @model_validator(mode="after")
    def _estimator_fits(self) -> Self:
        if (self.family == "sklearn") != (self.estimator is not None):
            msg = "'estimator' names a class of scikit-learn, for 'family: sklearn' and no other"
            raise ValueError(msg)
        return self

    @property
    def family_name(self) -> str:
        """The family with its class, such as ``sklearn:GaussianNB``."""
        return self.family if self.estimator is None else f"{self.family}:{self.estimator}"

    @property
    def is_streamed(self) -> bool:
        """Whether no process ever holds the whole matrix."""
        return self.training != "memory"

    @property
    def is_decided(self) -> bool:
        """Whether answers to rows that fits have not seen decide how the model answers."""
        is_greedy = self.ensemble is not None and self.ensemble.method == "greedy"
        return is_greedy or self.calibration is not None or self.threshold is not None

    @property
    def own_class(self) -> str | None:
        """The project's class that fits; None for a family of ours."""
        return self.family if ":" in self.family else None

    @property
    def guided_aspects(self) -> list[str]:
        """What fits are to be told beside parameters, by its name here."""
        asked = {
            "monotone": bool(self.monotone),
            "interactions": bool(self.interactions),
            "categories": bool(self.categories),
            "device": self.device != "cpu",
        }
        return [aspect for aspect, is_asked in asked.items() if is_asked]

    @property
    def named_features(self) -> list[tuple[tuple[str | int, ...], str]]:
        """Each feature that is named, with the path of its place below ``model``."""
        found: list[tuple[tuple[str | int, ...], str]] = []
        found += [(("monotone", name), name) for name in self.monotone]
        for at, group in enumerate(self.interactions):
            found += [(("interactions", at, i), name) for i, name in enumerate(group)]
        return found + [(("categories", at), name) for at, name in enumerate(self.categories)]
