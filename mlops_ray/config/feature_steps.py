"""What a pipeline file may say of features: groups of columns and the steps they go through.

What a step is called and which options it has is known to `mlops_ray.features.steps`, which checks
them with their place in the file; here a step is a name with whatever was written beside it.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["FeatureExample", "FeatureGroup", "FeatureSetConfig", "StepDeclaration"]

Cell = str | bool | int | float | None


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


class StepDeclaration(_Strict):
    """One step as declared: ``standardize``, ``{impute: mean}`` or ``{one_hot: {min_count: 3}}``.

    Attributes:
        step: Its name.
        options: What was written beside the name: options by name, a bare value, or nothing.

    Example:
        >>> StepDeclaration.model_validate({"impute": "mean"})
        StepDeclaration(step='impute', options='mean')
    """

    step: str = Field(min_length=1)
    options: Any = None

    @model_validator(mode="before")
    @classmethod
    def _expand_short_forms(cls, value: Any) -> Any:  # noqa: ANN401 - raw YAML
        if isinstance(value, str):
            return {"step": value}
        if isinstance(value, dict) and "step" in value and value.keys() != {"step", "options"}:
            options = {name: item for name, item in value.items() if name != "step"}
            return {"step": value["step"], "options": options}
        if isinstance(value, dict) and len(value) == 1:
            ((name, options),) = value.items()
            return {"step": name, "options": options}
        if not isinstance(value, dict) or "step" not in value:
            msg = "a step is NAME or {NAME: options}; several steps are several items of the list"
            raise ValueError(msg)
        return value


class FeatureGroup(_Strict):
    """Columns that go through the same steps; `columns` takes names and globs such as ``mean*``.

    Example:
        >>> FeatureGroup.model_validate({"columns": ["age"], "steps": ["standardize"]}).steps
        [StepDeclaration(step='standardize', options=None)]
    """

    columns: list[str] = Field(min_length=1)
    steps: list[StepDeclaration] = Field(default_factory=list)


class FeatureExample(_Strict):
    """A record and what the features make of it.

    Attributes:
        record: Every input column; null is a missing value.
        outputs: Name of a feature -> its value; null where it has none.
        tolerance: How far a feature may lie from its value, relative to that.
    """

    record: dict[str, Cell] = Field(min_length=1)
    outputs: dict[str, float | None] = Field(min_length=1)
    tolerance: float = Field(default=1e-6, ge=0, lt=1)


class FeatureSetConfig(_Strict):
    """A feature set that is used as it was fitted, or examples of one that the run may become.

    Attributes:
        use: ``NAME@VERSION``, ``NAME@latest`` or the digest of a set, instead of `features`.
        examples: Of the declared features; `mlops-ray features register` and `test` run them.
    """

    use: str | None = Field(default=None, min_length=1)
    examples: list[FeatureExample] = Field(default_factory=list)
