"""A fitted feature: input columns, and each step with what was fitted, as plain JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from mlops_ray.data.schema import LogicalType
    from mlops_ray.features.steps.step import FeatureKind, Fitted

__all__ = ["Feature", "FittedStep"]


@dataclass(frozen=True, slots=True)
class FittedStep:
    """One step of a feature.

    Attributes:
        name: As in a pipeline file.
        fitted: What was fitted for each number that comes in, or once for a step on categories,
            times or several columns.
    """

    name: str
    fitted: tuple[Fitted, ...]


@dataclass(frozen=True, slots=True)
class Feature:
    """One or several input columns and the steps they go through.

    Attributes:
        columns: Names of the input columns.
        dtypes: Their logical types.
        kind: Whether values are measured, told apart, or times.
        steps: In order.
    """

    columns: tuple[str, ...]
    dtypes: tuple[LogicalType, ...]
    kind: FeatureKind
    steps: tuple[FittedStep, ...]

    def to_json(self) -> dict[str, Any]:
        """As plain JSON."""
        return {
            "columns": list(self.columns),
            "dtypes": list(self.dtypes),
            "kind": self.kind,
            "steps": [{"step": step.name, "fitted": list(step.fitted)} for step in self.steps],
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """The inverse of `to_json`, also after canonical JSON."""
        dtypes = tuple(value["dtypes"])
        steps = (
            FittedStep(step["step"], tuple(_read(item, dtypes[0]) for item in step["fitted"]))
            for step in value["steps"]
        )
        return cls(tuple(value["columns"]), dtypes, value["kind"], tuple(steps))


def _read(fitted: Fitted, dtype: LogicalType) -> Fitted:
    """Canonical JSON writes integers beyond 2^53 as strings, and 40.0 as 40."""
    if dtype != "integer":
        return fitted
    changed = dict(fitted)
    if "categories" in fitted:
        changed["categories"] = [_integer(item) for item in fitted["categories"]]
        if "fill" in fitted:
            changed["fill"] = _integer(fitted["fill"])
    return changed


def _integer(value: Any) -> Any:  # noqa: ANN401 - a category; a label stays text
    if isinstance(value, str) and value.removeprefix("-").isdecimal() and len(value) > 15:
        return int(value)
    return value
