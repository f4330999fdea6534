"""Refit: the chosen parameters, fitted to all rows that may be learned from; the bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ray

from mlops_ray.data.profile import Profile
from mlops_ray.features.compiled import CompiledTransform
from mlops_ray.features.matrix import join
from mlops_ray.manifest import canonical_bytes, from_canonical
from mlops_ray.models.families import family_named
from mlops_ray.models.packing import pack_bundle, signature_of
from mlops_ray.pipeline.context import Finished
from mlops_ray.pipeline.golden_records import golden_records
from mlops_ray.pipeline.prepared import labels_of, matrix_of, state_of
from mlops_ray.pipeline.worker import on_worker
from mlops_ray.search.declared_patience import rounds_of_winner
from mlops_ray.search.trial import best_trial, read_trial_table

if TYPE_CHECKING:
    from mlops_ray.features.matrix import Matrix
    from mlops_ray.features.state import FeatureState
    from mlops_ray.models.bundle import Bundle
    from mlops_ray.models.estimator import Fitted
    from mlops_ray.models.signature import Signature
    from mlops_ray.pipeline.context import Context

__all__ = ["execute"]


def execute(context: Context) -> Finished:
    """Fit on a worker and pack transform, estimator, signature and golden examples."""
    spec = context.spec
    context.means.connect()
    parts = [matrix_of(context, "train"), matrix_of(context, "valid")]
    rows = parts[0] if spec.search.refit_on == "train" else join(parts)
    best = best_trial(
        context.value(context.output("search.trials"), read_trial_table), spec.objective.mode
    )
    state = state_of(context)
    family = family_named(spec.model.family_name)
    signature = signature_of(state, family, spec.data.task, labels_of(context))
    bundle = on_worker(
        context.guarded(_fit_and_pack),
        ray.put(rows),
        state,
        signature,
        _examples(context, signature, state),
        {**spec.model.params, **best.params, **rounds_of_winner(spec.model, best.rounds)},
        int(best.seed),
        spec.model.threads,
        threads=spec.model.threads,
    )
    for path, data in bundle.files.items():
        context.put(f"bundle {path}", data)
    outputs = {"bundle": context.put("bundle", canonical_bytes(bundle.tree()), value=bundle)}
    return Finished(outputs, "ray_task", {"rows": rows.n_rows})


def _read_profile(data: bytes) -> Profile:
    return Profile.from_json(from_canonical(data))


def _examples(context: Context, signature: Signature, state: FeatureState) -> list[dict[str, Any]]:
    family = family_named(signature.family)
    transform = CompiledTransform(state, accepts_missing=family.accepts_missing)
    profile = context.value(context.output("profile.train"), _read_profile)
    return golden_records(signature, profile, transform)


def _fit_and_pack(
    rows: Matrix,
    state: FeatureState,
    signature: Signature,
    examples: list[dict[str, Any]],
    params: dict[str, Any],
    seed: int,
    threads: int,
) -> Bundle:
    family = family_named(signature.family)
    fitted: Fitted = family.fit(
        rows.X,
        rows.y,
        params,
        task=signature.task,
        n_classes=signature.n_classes,
        seed=seed,
        threads=threads,
    )
    return pack_bundle(state, signature, fitted, examples)
