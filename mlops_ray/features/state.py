"""The fitted feature state: all a transform needs, as plain JSON, and nothing that can execute."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias

from mlops_ray.errors import ManifestError

if TYPE_CHECKING:
    from mlops_ray.data.counts import Value
    from mlops_ray.data.schema import LogicalType

__all__ = ["FEATURES_SCHEMA", "CategoryInput", "FeatureInput", "FeatureState", "NumberInput"]

FEATURES_SCHEMA: Final = "mlops-ray/features/v1"


@dataclass(frozen=True, slots=True)
class NumberInput:
    """A column that becomes one number: ``(value - offset) / scale``.

    Attributes:
        column: Name of the input column.
        dtype: Its logical type: integer, float or boolean.
        fill: What stands for a missing value; None leaves it missing.
        offset: Subtracted; None where the column is not standardized.
        scale: Divisor; None where the column is not standardized.
    """

    column: str
    dtype: LogicalType
    fill: float | None
    offset: float | None
    scale: float | None

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the feature columns made of it."""
        return (self.column,)

    def to_json(self) -> dict[str, Any]:
        """As plain JSON."""
        return {
            "kind": "number",
            "column": self.column,
            "dtype": self.dtype,
            "fill": self.fill,
            "offset": self.offset,
            "scale": self.scale,
        }


@dataclass(frozen=True, slots=True)
class CategoryInput:
    """A column that becomes one 0/1 column a category; any other value, or none, is all zero.

    Attributes:
        column: Name of the input column.
        dtype: Its logical type: string, integer or boolean.
        categories: The categories in the order of their columns.
    """

    column: str
    dtype: LogicalType
    categories: tuple[Value, ...]

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the feature columns made of it."""
        return tuple(f"{self.column}={category}" for category in self.categories)

    def to_json(self) -> dict[str, Any]:
        """As plain JSON."""
        return {
            "kind": "category",
            "column": self.column,
            "dtype": self.dtype,
            "categories": list(self.categories),
        }


FeatureInput: TypeAlias = NumberInput | CategoryInput


@dataclass(frozen=True, slots=True)
class FeatureState:
    """Fitted transform of rows into a feature matrix.

    Attributes:
        inputs: Input columns, in the order of the features.
    """

    inputs: tuple[FeatureInput, ...]

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the matrix' columns, in order."""
        return tuple(name for item in self.inputs for name in item.outputs)

    def to_json(self) -> dict[str, Any]:
        """The state as a JSON document."""
        inputs = [item.to_json() for item in self.inputs]
        return {"schema": FEATURES_SCHEMA, "inputs": inputs, "outputs": list(self.outputs)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """The state that a document holds.

        Raises:
            ManifestError: The document is no feature state of version 1, or contradicts itself.
        """
        if value.get("schema") != FEATURES_SCHEMA:
            found = repr(value.get("schema"))
            hint = "upgrade mlops_ray"
            raise ManifestError("not a feature state", found, FEATURES_SCHEMA, hint)
        state = cls(tuple(_input(item) for item in value["inputs"]))
        if list(state.outputs) != value["outputs"]:
            raise ManifestError("a feature state's outputs do not follow from its inputs")
        return state


def _input(value: dict[str, Any]) -> FeatureInput:
    column, dtype = value["column"], value["dtype"]
    if value["kind"] == "number":
        fitted = (_float(value[name]) for name in ("fill", "offset", "scale"))
        return NumberInput(column, dtype, *fitted)
    # Canonical JSON writes integers beyond 2^53 as strings.
    read = int if dtype == "integer" else (bool if dtype == "boolean" else str)
    return CategoryInput(column, dtype, tuple(read(item) for item in value["categories"]))


def _float(value: float | None) -> float | None:
    """Canonical JSON writes 40.0 as 40."""
    return None if value is None else float(value)
