"""Features: fitted to the training profile alone; matrices of train and valid, no test row.

Where training is streamed there are no matrices: who fits reads the rows itself. Where the training
rows are dealt into folds, there is no valid; the features are fitted once, to all training rows
(docs/decisions/0024), and what the folds are dealt by stands beside the matrix.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from mlops_ray.data.contract import class_labels
from mlops_ray.data.scan_result import Scan
from mlops_ray.errors import DataError, Where
from mlops_ray.features.feature_set import FeatureSet
from mlops_ray.features.fit import fit_features
from mlops_ray.features.matrix_file import matrix_to_bytes
from mlops_ray.features.plan import specs_of
from mlops_ray.features.refine import RefinePlan, refine, refine_unit
from mlops_ray.features.row_units import units_to_bytes
from mlops_ray.features.steps import STEPS
from mlops_ray.manifest import canonical_bytes
from mlops_ray.pipeline.context import Finished
from mlops_ray.pipeline.prepared import build_matrices, folds_of, labels_to_bytes
from mlops_ray.pipeline.units import fold_units

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_ray.data.counts import Value
    from mlops_ray.data.split import SplitName
    from mlops_ray.features.state import FeatureState
    from mlops_ray.features.wanted import Answer, Wanted
    from mlops_ray.pipeline.context import Context

__all__ = ["execute", "fit"]


def execute(context: Context) -> Finished:
    """Fit the features and transform the rows that may be learned from."""
    labels, state, n_passes = fit(context)
    _warn_of_leaks(context)
    outputs = {
        "state": context.put("feature state", canonical_bytes(state.to_json()), value=state),
        "labels": context.put("labels", labels_to_bytes(labels), value=labels),
    }
    more = {"columns": len(state.outputs), "passes": n_passes}
    if context.spec.model.is_streamed:
        return Finished(outputs, "driver", more)
    units = fold_units(context.spec)
    parts: tuple[SplitName, ...] = ("train", "valid") if units is None else ("train",)
    matrices, engine, facts = build_matrices(context, state, labels, parts, units)
    for name, matrix in matrices.items():
        data = matrix_to_bytes(matrix)
        outputs[name] = context.put(f"matrix {name}", data, value=matrix, again=True)
        if matrix.units is not None:
            numbers = units_to_bytes(matrix.units)
            outputs["units"] = context.put("units", numbers, value=matrix.units, again=True)
    return Finished(outputs, engine, {**facts, **more})


def _warn_of_leaks(context: Context) -> None:
    """Say which features have seen the targets of rows that a fold is scored on."""
    if context.spec.validation is None:
        return
    leaking = [
        declared.column
        for declared in context.spec.features
        if any(getattr(STEPS[str(step["step"])], "needs_target", False) for step in declared.steps)
    ]
    if leaking:
        context.progress.note(
            f"{', '.join(leaking)}: encoded by targets of all training rows, those of other folds "
            "too, so that scores of trials may be a little too good; those on test rows are not"
        )


class _FurtherPasses:
    """Looks up in the training rows what the profile does not say.

    Attributes:
        n: Passes made.
    """

    def __init__(self, context: Context, labels: tuple[Value, ...]) -> None:
        self.n = 0
        self._context = context
        self._labels = labels

    def __call__(self, wanted: Sequence[Wanted]) -> list[Answer]:
        """One pass over the columns concerned."""
        self.n += 1
        context = self._context
        plan = RefinePlan(
            schema=context.schema,
            split=context.split_rows,
            target=context.spec.data.target,
            labels=self._labels or None,
            folds=folds_of(context),
            wanted=tuple(wanted),
            check=context.check,
        )
        work = context.guarded(partial(refine_unit, plan))
        return refine(plan, context.unit_map()(work, context.units))


def fit(context: Context) -> tuple[tuple[Value, ...], FeatureState, int]:
    """The classes, the fitted features, and how many passes over the rows they took."""
    found = context.value(context.output("ingest.scan"), Scan.from_bytes)
    labels = _labels(context, found)
    chosen = context.spec.feature_set
    if chosen is not None and chosen.used is not None:
        return labels, _as_fitted(context, chosen.used), 1
    further = _FurtherPasses(context, labels)
    specs = specs_of(context.spec.features, context.schema)
    state = fit_features(specs, found.profiles["train"], further)
    return labels, state, 1 + further.n


def _as_fitted(context: Context, name: str) -> FeatureState:
    """What a feature set has fitted, unless it has seen rows that this run must not learn from."""
    feature_set = context.value(name, FeatureSet.from_bytes)
    seen, here = feature_set.fitted_on, context.done["split"]["train"]
    is_same_table = seen.fingerprint == context.output("ingest.fingerprint")
    if is_same_table and seen.membership != here:
        raise DataError(
            "the feature set was fitted on other rows of this table than those that train here",
            f"a set that has seen {seen.n_rows} rows, some of which test or validate this run",
            "the split that the set was fitted with",
            "use the seed, key and shares of the set's run, or declare its features anew",
            Where(key="feature_set.use"),
        )
    return feature_set.state


def _labels(context: Context, found: Scan) -> tuple[Value, ...]:
    if context.spec.data.task == "regression":
        return ()
    return tuple(class_labels(found, context.spec.data.target))
