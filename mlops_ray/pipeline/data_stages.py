"""The stages that read data: ingest, split, profile, features.

Ingest makes the one pass. Split and profile record what the pass found and hold it against the
contract; features are fitted to the training profile alone, and their matrices hold no test row.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from mlops_ray.data.contract import check_contract, class_labels
from mlops_ray.data.scan import Scan, ScanPlan, scan
from mlops_ray.data.split import SPLITS
from mlops_ray.features.fit import fit_features
from mlops_ray.features.matrix import Matrix, MatrixPlan, gather, matrix_of_unit
from mlops_ray.manifest import SplitFacts, canonical_bytes, digest_json
from mlops_ray.pipeline.inputs import check_unchanged
from mlops_ray.storage import digest

if TYPE_CHECKING:
    from mlops_ray.data.counts import Value
    from mlops_ray.data.split import SplitName
    from mlops_ray.features.state import FeatureState
    from mlops_ray.pipeline.context import Context

__all__ = ["Prepared", "build_matrices", "features", "ingest", "profile", "split"]


@dataclass(frozen=True, slots=True)
class Prepared:
    """What the stages on data hand to the stages on models.

    Attributes:
        scan: What the pass found.
        labels: Ordered classes; empty for a regression.
        state: Fitted feature state.
        state_digest: Its name in the store.
        matrices: Train and valid; no test row.
    """

    scan: Scan
    labels: tuple[Value, ...]
    state: FeatureState
    state_digest: str
    matrices: dict[SplitName, Matrix]


def ingest(context: Context) -> Scan:
    """Make the one pass: fingerprint, split and statistics of every row.

    Raises:
        DataError: The data cannot be read, or a file changed meanwhile.
    """
    data = context.spec.data
    inputs = {file.name: file.sha256 for file in data.inputs}
    params = {"split": context.spec.split.model_dump(mode="json"), "columns": data.columns}
    with context.stages.stage(
        "ingest", engine=context.data_engine, inputs=inputs, params=params
    ) as notes:
        found = scan(context.units, ScanPlan(context.schema, context.split_rows), context.unit_map)
        check_unchanged(context.files, context.objects.store)
        notes.outputs["fingerprint"] = found.fingerprint
        notes.facts |= {**context.data_facts(), "rows": found.n_rows}
    return found


def split(context: Context, found: Scan) -> dict[str, SplitFacts]:
    """Record which rows train, validate and test."""
    with context.stages.stage(
        "split",
        engine="driver",
        inputs={"fingerprint": found.fingerprint},
        params={
            "rule": context.spec.split.model_dump(mode="json"),
            "seed": context.spec.seeds["split"],
        },
    ) as notes:
        membership = found.membership
        notes.outputs |= membership
    return {
        name: SplitFacts(n_rows=found.profiles[name].n_rows, membership=membership[name])
        for name in SPLITS
    }


def profile(context: Context, found: Scan) -> str:
    """Hold the statistics against the contract and keep them; returns the training profile.

    Raises:
        DataError: The contract does not hold.
    """
    with context.stages.stage(
        "profile", engine="driver", inputs=dict(found.membership), params={}
    ) as notes:
        data = context.spec.data
        check_contract(found, data, [declared.column for declared in context.spec.features])
        for name in SPLITS:
            content = canonical_bytes(found.profiles[name].to_json())
            notes.outputs[name] = context.objects.put(f"profile {name}", content)
    return notes.outputs["train"]


def features(context: Context, found: Scan, baseline: str) -> Prepared:
    """Fit the features to the training profile and transform the train and valid rows."""
    declared = [declaration.model_dump(mode="json") for declaration in context.spec.features]
    with context.stages.stage(
        "features",
        engine=context.data_engine,
        inputs={"profile": baseline, "fingerprint": found.fingerprint},
        params={"features": declared, "order_by": context.spec.data.order_by},
    ) as notes:
        labels: tuple[Value, ...] = ()
        if context.spec.data.task != "regression":
            labels = tuple(class_labels(found, context.spec.data.target))
        state = fit_features(context.feature_specs, found.profiles["train"])
        content = canonical_bytes(state.to_json())
        state_digest = context.objects.put("feature state", content)
        matrices = build_matrices(context, state, labels, ("train", "valid"))
        notes.outputs["state"] = state_digest
        notes.outputs |= {name: _matrix_digest(matrix) for name, matrix in matrices.items()}
        notes.facts |= {**context.data_facts(), "columns": len(state.outputs)}
    return Prepared(found, labels, state, state_digest, matrices)


def build_matrices(
    context: Context, state: FeatureState, labels: tuple[Value, ...], parts: tuple[SplitName, ...]
) -> dict[SplitName, Matrix]:
    """Matrices of some parts; rows of other parts never leave the unit that reads them.

    Raises:
        DataError: The data cannot be read, or a file changed meanwhile.
    """
    data = context.spec.data
    plan = MatrixPlan(
        schema=context.schema,
        state=state,
        split=context.split_rows,
        target=data.target,
        labels=labels or None,
        order_by=tuple(data.order_by),
        parts=parts,
    )
    payloads = context.unit_map(partial(matrix_of_unit, plan), context.units)
    check_unchanged(context.files, context.objects.store)
    return gather(plan, payloads)


def _matrix_digest(matrix: Matrix) -> str:
    return digest_json(
        {
            "rows": matrix.membership,
            "X": digest(matrix.X.data.cast("B")),
            "y": digest(matrix.y.data.cast("B")),
        }
    )
