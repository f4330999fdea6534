"""Features that a pipeline file names, found in the matrix: from names to places.

A name is that of an output, such as ``city=Bern``, or of an input column, which stands for every
output that is made of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlops_ray.config.mistakes import nearest
from mlops_ray.errors import ModelError
from mlops_ray.models.guidance import Guidance

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mlops_ray.config.estimator import Direction, ModelConfig
    from mlops_ray.features.state import FeatureState

__all__ = ["guidance_of", "places_of"]

_SIGNS: Final[dict[Direction, int]] = {"increasing": 1, "decreasing": -1}


def guidance_of(
    model: ModelConfig, state: FeatureState, weights: NDArray[np.float64] | None
) -> Guidance:
    """What fits are told: the declarations, in the order of the matrix.

    Args:
        model: What was declared.
        state: The fitted features.
        weights: How much each training row counts.

    Raises:
        ModelError: No feature has such a name, or one with categories is no number from 0 on.
    """
    monotone, categories = ([0] * len(state.outputs) for _ in range(2))
    for name, direction in model.monotone.items():
        for at in places_of(state, name):
            monotone[at] = _SIGNS[direction]
    counts = _category_counts(state)
    for name in model.categories:
        if name not in counts:
            what = f"feature {name!r} has categories only where 'ordinal' is its last step"
            raise ModelError(what, wanted=", ".join(counts) or "a feature of that kind")
        categories[state.outputs.index(name)] = counts[name]
    return Guidance(
        weights=weights,
        monotone=tuple(monotone) if any(monotone) else (),
        interactions=tuple(
            tuple(sorted({at for name in group for at in places_of(state, name)}))
            for group in model.interactions
        ),
        categories=tuple(categories) if any(categories) else (),
        device=model.device,
    )


def places_of(state: FeatureState, name: str) -> list[int]:
    """Where the outputs of a name stand in the matrix.

    Raises:
        ModelError: There are none.
    """
    outputs = state.graph.outputs
    found = [at for at, output in enumerate(outputs) if output.name == name]
    found = found or [at for at, output in enumerate(outputs) if name in output.columns]
    if not found:
        names = dict.fromkeys([*state.outputs, *state.inputs])
        raise ModelError(f"no feature has the name {name!r}", hint=nearest(name, names))
    return found


def _category_counts(state: FeatureState) -> dict[str, int]:
    """Categories of each feature whose last step numbers them."""
    return {
        feature.columns[0]: len(feature.steps[-1].fitted[0]["categories"])
        for feature in state.features
        if feature.steps and feature.steps[-1].name == "ordinal"
    }
