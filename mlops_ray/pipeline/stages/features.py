"""Features: fitted to the training profile alone; matrices of train and valid, no test row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_ray.config.feature_steps import FeatureGroup
from mlops_ray.data.contract import class_labels
from mlops_ray.data.scan import Scan
from mlops_ray.features.fit import fit_features
from mlops_ray.features.matrix_file import matrix_to_bytes
from mlops_ray.features.plan import FeatureSpec
from mlops_ray.manifest import canonical_bytes
from mlops_ray.pipeline.context import Finished
from mlops_ray.pipeline.prepared import build_matrices, labels_to_bytes

if TYPE_CHECKING:
    from mlops_ray.data.counts import Value
    from mlops_ray.features.state import FeatureState
    from mlops_ray.pipeline.context import Context

__all__ = ["execute", "fit"]


def execute(context: Context) -> Finished:
    """Fit the features and transform the rows that may be learned from."""
    labels, state = fit(context)
    outputs = {
        "state": context.put("feature state", canonical_bytes(state.to_json()), value=state),
        "labels": context.put("labels", labels_to_bytes(labels), value=labels),
    }
    matrices, engine, facts = build_matrices(context, state, labels, ("train", "valid"))
    for name, matrix in matrices.items():
        data = matrix_to_bytes(matrix)
        outputs[name] = context.put(f"matrix {name}", data, value=matrix, again=True)
    return Finished(outputs, engine, {**facts, "columns": len(state.outputs)})


def fit(context: Context) -> tuple[tuple[Value, ...], FeatureState]:
    """The classes and the fitted features, from the pass alone."""
    found = context.value(context.output("ingest.scan"), Scan.from_bytes)
    state = fit_features(_declared(context), found.profiles["train"])
    return _labels(context, found), state


def _labels(context: Context, found: Scan) -> tuple[Value, ...]:
    if context.spec.data.task == "regression":
        return ()
    return tuple(class_labels(found, context.spec.data.target))


def _declared(context: Context) -> list[FeatureSpec]:
    return [
        FeatureSpec(
            declared.column,
            context.schema[declared.column],
            declared.kind,
            tuple(_group(declared.column, declared.steps).steps),
        )
        for declared in context.spec.features
    ]


def _group(column: str, steps: list[dict[str, Any]]) -> FeatureGroup:
    return FeatureGroup.model_validate({"columns": [column], "steps": steps})
