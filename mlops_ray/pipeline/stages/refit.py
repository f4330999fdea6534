"""Refit: the chosen parameters, fitted to all rows that may be learned from; the bundle."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Final

import ray

from mlops_ray.data.profile import Profile
from mlops_ray.features.compiled import CompiledTransform
from mlops_ray.manifest import canonical_bytes, from_canonical
from mlops_ray.models.ensemble import members_of
from mlops_ray.models.families import family_named
from mlops_ray.models.feature_roles import guidance_of
from mlops_ray.models.packing import pack_bundle, signature_of
from mlops_ray.models.refitting import Candidate, Refit, RefitTask
from mlops_ray.pipeline.context import Finished
from mlops_ray.pipeline.golden_records import golden_records
from mlops_ray.pipeline.prepared import labels_of, matrix_of, state_of
from mlops_ray.pipeline.worker import on_worker
from mlops_ray.search.declared_patience import rounds_of_winner
from mlops_ray.search.trial import best_trials, read_trial_table

if TYPE_CHECKING:
    from mlops_ray.features.state import FeatureState
    from mlops_ray.models.bundle import Bundle
    from mlops_ray.models.refitting import Refitted
    from mlops_ray.models.signature import Signature
    from mlops_ray.pipeline.context import Context

__all__ = ["DECISIONS_SCHEMA", "execute"]

DECISIONS_SCHEMA: Final = "mlops-ray/decisions/v1"


def execute(context: Context) -> Finished:
    """Fit on a worker and pack transform, estimator, signature and golden examples."""
    spec = context.spec
    context.means.connect()
    task, state = _task(context), state_of(context)
    family = family_named(spec.model.family_name)
    signature = signature_of(state, family, spec.data.task, labels_of(context))
    bundle, decided = on_worker(
        context.guarded(_fit_and_pack, fits=True),
        ray.put(task),
        state,
        signature,
        _examples(context, signature, state),
        threads=spec.model.threads,
        gpus=int(spec.model.device == "cuda"),
    )
    for path, data in bundle.files.items():
        context.put(f"bundle {path}", data)
    outputs = {"bundle": context.put("bundle", canonical_bytes(bundle.tree()), value=bundle)}
    if decided:
        content = {"schema": DECISIONS_SCHEMA, **decided}
        outputs["decisions"] = context.put("decisions", canonical_bytes(content))
    return Finished(outputs, "ray_task", {"rows": task.n_rows})


def _task(context: Context) -> RefitTask:
    spec = context.spec
    train, valid = matrix_of(context, "train"), matrix_of(context, "valid")
    n = 1 if spec.model.ensemble is None else spec.model.ensemble.top
    trials = context.value(context.output("search.trials"), read_trial_table)
    return RefitTask(
        train=train,
        valid=valid,
        on_valid=spec.search.refit_on != "train",
        candidates=tuple(
            Candidate(
                trial.index,
                {
                    **spec.model.params,
                    **trial.params,
                    **rounds_of_winner(spec.model, trial.rounds),
                },
                int(trial.seed),
            )
            for trial in best_trials(trials, spec.objective.mode, n)
        ),
        model=spec.model,
        guidance=guidance_of(spec.model, state_of(context), train.weights),
        task=spec.data.task,
        n_classes=len(labels_of(context)),
        objective=spec.objective,
    )


def _read_profile(data: bytes) -> Profile:
    return Profile.from_json(from_canonical(data))


def _examples(context: Context, signature: Signature, state: FeatureState) -> list[dict[str, Any]]:
    family = family_named(signature.family)
    transform = CompiledTransform(state, accepts_missing=family.accepts_missing)
    profile = context.value(context.output("profile.train"), _read_profile)
    return golden_records(signature, profile, transform)


def _fit_and_pack(
    task: RefitTask,
    state: FeatureState,
    signature: Signature,
    examples: list[dict[str, Any]],
) -> tuple[Bundle, dict[str, Any]]:
    refitted = Refit(task).run()
    decision = refitted.decision
    answered = replace(
        signature,
        threshold=None if decision is None else decision.threshold,
        calibration=task.model.calibration,
    )
    bundle = pack_bundle(state, answered, refitted.fitted, examples)
    return bundle, _decided(task, refitted, bundle)


def _decided(task: RefitTask, refitted: Refitted, bundle: Bundle) -> dict[str, Any]:
    """What was decided on the validation rows; empty where nothing was."""
    decided: dict[str, Any] = {}
    if refitted.members:
        digests = [digest for digest, _ in members_of(bundle.files)]
        decided["members"] = [
            {"trial": index, "weight": weight, "digest": name}
            for (index, weight), name in zip(refitted.members, digests, strict=True)
        ]
    if task.model.calibration is not None:
        decided["calibration"] = task.model.calibration
    if refitted.decision is not None:
        decided["threshold"] = asdict(refitted.decision)
    return decided
