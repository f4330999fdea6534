"""The profile of what a model answers: the baseline that later predictions are compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from mlops_ray.data.profile import Profile
from mlops_ray.data.schema import schema_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_ray.models.outputs import Outputs
    from mlops_ray.models.signature import ClassLabel

__all__ = ["prediction_profile"]


def prediction_profile(outputs: Outputs, classes: Sequence[ClassLabel]) -> Profile:
    """Statistics of answers: of ``label`` and ``probability.CLASS``, or of ``value``.

    Args:
        outputs: Answers to rows.
        classes: In the order of the probabilities; empty for a regression.
    """
    columns: dict[str, pa.Array] = {}
    if outputs.value is not None:
        columns["value"] = pa.array(outputs.value)
    if outputs.label is not None:
        columns["label"] = pa.array(outputs.label)
    if outputs.probability is not None:
        for label, shares in zip(classes, outputs.probability.T, strict=True):
            columns[f"probability.{label}"] = pa.array(np.ascontiguousarray(shares))
    table = pa.table(columns)
    return Profile.of(table, schema_of([("", table.schema)]))
