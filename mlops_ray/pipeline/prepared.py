"""What the features stage hands on, read back: classes, fitted state and matrices."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from mlops_ray.data.profile import Profile
from mlops_ray.errors import ManifestError
from mlops_ray.features.compiled import CompiledTransform
from mlops_ray.features.folds import NO_FOLDS, Folds
from mlops_ray.features.matrix import MatrixPlan, gather, matrix_of_unit
from mlops_ray.features.matrix_file import matrix_from_bytes
from mlops_ray.features.state import FeatureState
from mlops_ray.manifest import canonical_bytes, from_canonical

if TYPE_CHECKING:
    from mlops_ray.data.counts import Value
    from mlops_ray.data.split import SplitName
    from mlops_ray.features.matrix import Matrix
    from mlops_ray.features.row_units import RowUnits
    from mlops_ray.pipeline.context import Context

__all__ = [
    "LABELS_SCHEMA",
    "build_matrices",
    "folds_of",
    "labels_from_bytes",
    "labels_of",
    "labels_to_bytes",
    "matrix_of",
    "matrix_plan",
    "n_rows_of",
    "state_of",
]

LABELS_SCHEMA: Final = "mlops-ray/labels/v1"


def labels_to_bytes(labels: tuple[Value, ...]) -> bytes:
    """The ordered classes; none for a regression."""
    return canonical_bytes({"schema": LABELS_SCHEMA, "labels": list(labels)})


def labels_from_bytes(data: bytes) -> tuple[Value, ...]:
    """What `labels_to_bytes` wrote.

    Raises:
        ManifestError: The bytes are something else.
    """
    content = from_canonical(data)
    if not isinstance(content, dict) or content.get("schema") != LABELS_SCHEMA:
        raise ManifestError("not labels this version can read", wanted=LABELS_SCHEMA)
    return tuple(content["labels"])


def labels_of(context: Context) -> tuple[Value, ...]:
    """The ordered classes of the target."""
    return context.value(context.output("features.labels"), labels_from_bytes)


def state_of(context: Context) -> FeatureState:
    """The fitted features."""
    return context.value(
        context.output("features.state"), lambda data: FeatureState.from_json(from_canonical(data))
    )


def folds_of(context: Context) -> Folds:
    """What decides a training row's fold, where a feature has folds."""
    seed = context.spec.seeds.get("folds")
    if seed is None:
        return NO_FOLDS
    group, key = context.spec.split.group, context.spec.data.key
    return Folds((group,) if group else tuple(key or context.schema), int(seed))


def matrix_of(context: Context, part: SplitName) -> Matrix:
    """The matrix of train or valid."""
    return context.value(context.output(f"features.{part}"), matrix_from_bytes)


def n_rows_of(context: Context, part: SplitName) -> int:
    """Rows of a part, from its profile."""
    profile = context.value(
        context.output(f"profile.{part}"), lambda data: Profile.from_json(from_canonical(data))
    )
    return profile.n_rows


def matrix_plan(
    context: Context,
    state: FeatureState,
    labels: tuple[Value, ...],
    parts: tuple[SplitName, ...],
    units: RowUnits | None = None,
) -> MatrixPlan:
    """What the rows of some parts are made of; see `build_matrices`."""
    data = context.spec.data
    return MatrixPlan(
        schema=context.schema,
        transform=CompiledTransform(state),
        split=context.split_rows,
        target=data.target,
        labels=labels or None,
        order_by=tuple(data.order_by),
        parts=parts,
        folds=folds_of(context),
        check=context.check,
        weight=data.weight,
        units=units,
    )


def build_matrices(
    context: Context,
    state: FeatureState,
    labels: tuple[Value, ...],
    parts: tuple[SplitName, ...],
    units: RowUnits | None = None,
) -> tuple[dict[SplitName, Matrix], str, dict[str, Any]]:
    """Matrices of some parts; rows of other parts never leave the unit that reads them.

    Args:
        context: Of the stage.
        state: The fitted features.
        labels: The ordered classes; none for a regression.
        parts: Parts of the split.
        units: What tells rows that belong together, if that is asked for.

    Returns:
        The matrices, what read the data, and its counters.

    Raises:
        DataError: The data cannot be read, or a file changed meanwhile.
    """
    plan = matrix_plan(context, state, labels, parts, units)
    unit_map = context.unit_map()
    work = context.guarded(partial(matrix_of_unit, plan))
    payloads = unit_map(work, context.units)
    engine, facts = context.facts_of_reading(unit_map)
    return gather(plan, payloads), engine, facts
