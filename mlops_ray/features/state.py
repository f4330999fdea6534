"""The fitted feature state: all a transform needs, as plain JSON, and nothing that can execute."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Self

from mlops_ray.errors import ManifestError
from mlops_ray.features.fitted import Feature
from mlops_ray.features.graph import Graph
from mlops_ray.features.state_v1 import FEATURES_V1, features_of_v1
from mlops_ray.features.steps import STEPS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlops_ray.data.schema import LogicalType, Schema

__all__ = ["FEATURES_SCHEMA", "FeatureState", "first_double"]

FEATURES_SCHEMA: Final = "mlops-ray/features/v2"


@dataclass(frozen=True)
class FeatureState:
    """Fitted transform of rows into a feature matrix.

    Attributes:
        features: In the order of the matrix.
    """

    features: tuple[Feature, ...]

    @property
    def inputs(self) -> Schema:
        """Input columns and their logical types, in the order in which features first name them."""
        pairs = ((c, d) for f in self.features for c, d in zip(f.columns, f.dtypes, strict=True))
        found: dict[str, LogicalType] = {}
        for column, dtype in pairs:
            found.setdefault(column, dtype)
        return found

    @cached_property
    def graph(self) -> Graph:
        """How the outputs are computed."""
        return Graph.of(self.features)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the matrix' columns, in order."""
        return self.graph.names

    def __reduce__(self) -> tuple[type[Self], tuple[tuple[Feature, ...]]]:
        """Without the graph, which holds functions."""
        return type(self), (self.features,)

    def to_json(self) -> dict[str, Any]:
        """The state as a JSON document."""
        features = [feature.to_json() for feature in self.features]
        return {"schema": FEATURES_SCHEMA, "features": features, "outputs": list(self.outputs)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """The state that a document of version 1 or 2 holds.

        Raises:
            ManifestError: The document is another one, or contradicts itself.
        """
        found = value.get("schema")
        if found == FEATURES_V1:
            state = cls(features_of_v1(value))
        elif found == FEATURES_SCHEMA:
            state = cls(tuple(_feature(item) for item in value["features"]))
        else:
            hint = "upgrade mlops_ray"
            raise ManifestError("not a feature state", repr(found), FEATURES_SCHEMA, hint)
        if list(state.outputs) != value["outputs"]:
            raise ManifestError("a feature state's outputs do not follow from its steps")
        return state


def _feature(value: dict[str, Any]) -> Feature:
    feature = Feature.from_json(value)
    unknown = sorted({step.name for step in feature.steps} - set(STEPS))
    if unknown:
        hint = "upgrade mlops_ray"
        raise ManifestError("a feature state has an unknown step", unknown[0], "", hint)
    return feature


def first_double(names: Iterable[str]) -> str | None:
    """The first name that stands twice; None where all are different.

    Example:
        >>> first_double(["a", "b", "a", "b"])
        'a'
    """
    counts = Counter(names)  # Keeps the order.
    return next((name for name, n in counts.items() if n > 1), None)
