"""What a pipeline file may say of features: groups of columns and the steps they go through."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["FeatureGroup", "Impute", "OneHot", "Standardize", "Step"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


class Impute(_Strict):
    """Fill nulls of a number column, with a statistic of the training rows or with a constant."""

    step: Literal["impute"] = "impute"
    strategy: Literal["mean", "constant"] = "mean"
    value: float | None = None

    @model_validator(mode="after")
    def _value_fits(self) -> Impute:
        if (self.strategy == "constant") != (self.value is not None):
            msg = "'value' belongs to strategy 'constant', and to that alone"
            raise ValueError(msg)
        return self


class Standardize(_Strict):
    """Subtract the training mean and divide by the training standard deviation."""

    step: Literal["standardize"] = "standardize"


class OneHot(_Strict):
    """One column a category that at least `min_count` training rows have; others are all zero."""

    step: Literal["one_hot"] = "one_hot"
    min_count: int = Field(default=1, ge=1)
    max_categories: int = Field(default=1000, ge=1, le=100_000)


Step = Annotated[Impute | Standardize | OneHot, Field(discriminator="step")]


class FeatureGroup(BaseModel):
    """Columns that go through the same steps; `columns` takes names and globs such as ``mean*``.

    Example:
        >>> FeatureGroup.model_validate({"columns": ["age"], "steps": [{"impute": "mean"}]}).steps
        [Impute(step='impute', strategy='mean', value=None)]
    """

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)

    columns: list[str] = Field(min_length=1)
    steps: list[Step] = Field(default_factory=list)

    @model_validator(mode="before")
    @classmethod
    def _expand_short_forms(cls, value: Any) -> Any:  # noqa: ANN401 - raw YAML
        if isinstance(value, dict) and isinstance(value.get("steps"), list):
            return {**value, "steps": [_expanded(step) for step in value["steps"]]}
        return value


def _expanded(step: Any) -> Any:  # noqa: ANN401 - raw YAML
    """``standardize`` and ``{impute: mean}`` as the models want them."""
    if isinstance(step, str):
        return {"step": step}
    if isinstance(step, dict) and "step" not in step and len(step) == 1:
        ((name, options),) = step.items()
        if isinstance(options, dict):
            strategy = {"strategy": "constant"} if name == "impute" and "value" in options else {}
            return {"step": name, **strategy, **options}
        if name == "impute" and isinstance(options, str):
            return {"step": name, "strategy": options}
    return step
