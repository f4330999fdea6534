"""Feature states of version 1, read for ever: impute, standardize and one-hot only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mlops_ray.features.fitted import Feature, FittedStep

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_ray.data.counts import Value
    from mlops_ray.data.schema import LogicalType

__all__ = ["FEATURES_V1", "features_of_v1", "number_feature", "one_hot_feature"]

FEATURES_V1: Final = "mlops-ray/features/v1"


def number_feature(
    column: str,
    dtype: LogicalType,
    fill: float | None,
    offset: float | None,
    scale: float | None,
) -> Feature:
    """``(value - offset) / scale``, nulls filled before; None leaves a step out."""
    steps = []
    if fill is not None:
        steps.append(FittedStep("impute", ({"fill": fill, "indicator": False},)))
    if offset is not None:
        steps.append(FittedStep("standardize", ({"offset": offset, "scale": scale},)))
    return Feature((column,), (dtype,), "number", tuple(steps))


def one_hot_feature(column: str, dtype: LogicalType, categories: Sequence[Value]) -> Feature:
    """One column a category; any other value, or none, is all zero."""
    fitted = {"categories": list(categories), "unseen": "zero", "null": "zero"}
    return Feature((column,), (dtype,), "category", (FittedStep("one_hot", (fitted,)),))


def features_of_v1(value: dict[str, Any]) -> tuple[Feature, ...]:
    """Features of a document of version 1, in the form of today."""
    return tuple(_feature(item) for item in value["inputs"])


def _feature(value: dict[str, Any]) -> Feature:
    column, dtype = value["column"], value["dtype"]
    if value["kind"] == "number":
        return number_feature(column, dtype, value["fill"], value["offset"], value["scale"])
    # Canonical JSON writes integers beyond 2^53 as strings.
    read = int if dtype == "integer" else (bool if dtype == "boolean" else str)
    return one_hot_feature(column, dtype, [read(item) for item in value["categories"]])
