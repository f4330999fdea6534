"""Refit: the chosen parameters, fitted to all rows that may be learned from; the bundle."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Final

import ray

from mlops_ray.data.profile import Profile
from mlops_ray.features.compiled import CompiledTransform
from mlops_ray.features.spool import spool_unit
from mlops_ray.manifest import canonical_bytes, from_canonical
from mlops_ray.models.ensemble import members_of
from mlops_ray.models.families import family_named
from mlops_ray.models.feature_roles import guidance_of
from mlops_ray.models.packing import pack_bundle, signature_of
from mlops_ray.models.refitting import Candidate, Refit, RefitTask
from mlops_ray.pipeline.choice import chosen
from mlops_ray.pipeline.context import Finished
from mlops_ray.pipeline.dealt_folds import dealt_folds
from mlops_ray.pipeline.golden_records import golden_records
from mlops_ray.pipeline.prepared import labels_of, matrix_of, matrix_plan, state_of
from mlops_ray.pipeline.streamed_fit import StreamedFit, fit_distributed, fit_external
from mlops_ray.pipeline.worker import on_worker
from mlops_ray.search.declared_patience import rounds_of_winner
from mlops_ray.search.trial import best_trials, read_trial_table

if TYPE_CHECKING:
    from mlops_ray.data.split import SplitName
    from mlops_ray.features.state import FeatureState
    from mlops_ray.models.bundle import Bundle
    from mlops_ray.models.refitting import Refitted
    from mlops_ray.models.signature import Signature
    from mlops_ray.pipeline.context import Context
    from mlops_ray.search.folds import Fold
    from mlops_ray.search.trial import TrialRecord

__all__ = ["DECISIONS_SCHEMA", "execute"]

DECISIONS_SCHEMA: Final = "mlops-ray/decisions/v1"


def execute(context: Context) -> Finished:
    """Fit on a worker and pack transform, estimator, signature and golden examples."""
    context.means.connect()
    fit = _fit_to_stream if context.spec.model.is_streamed else _fit_to_matrix
    bundle, decided, facts = fit(context)
    for path, data in bundle.files.items():
        context.put(f"bundle {path}", data)
    outputs = {"bundle": context.put("bundle", canonical_bytes(bundle.tree()), value=bundle)}
    if decided:
        content = {"schema": DECISIONS_SCHEMA, **decided}
        outputs["decisions"] = context.put("decisions", canonical_bytes(content))
    return Finished(outputs, "ray_task", facts)


def _fit_to_matrix(context: Context) -> tuple[Bundle, dict[str, Any], dict[str, Any]]:
    model, task, signature = context.spec.model, _task(context), _signature(context)
    state = state_of(context)
    bundle, decided = on_worker(
        context.guarded(_fit_and_pack, fits=True),
        ray.put(task),
        state,
        signature,
        _examples(context, signature, state),
        threads=model.threads,
        gpus=int(model.device == "cuda"),
    )
    return bundle, decided, {"rows": task.n_rows}


def _fit_to_stream(context: Context) -> tuple[Bundle, dict[str, Any], dict[str, Any]]:
    """The best trial's parameters alone, on rows that whoever fits reads itself."""
    spec, signature, state = context.spec, _signature(context), state_of(context)
    parts: tuple[SplitName, ...]
    parts = ("train",) if spec.search.refit_on == "train" else ("train", "valid")
    (best,) = _candidates(context)
    fit = StreamedFit(
        plan=matrix_plan(context, state, labels_of(context), parts),
        units=context.units,
        work=context.guarded(spool_unit),
        task=signature.task,
        n_classes=signature.n_classes,
        params=best.params,
        seed=best.seed,
        threads=spec.model.threads,
        guidance=guidance_of(spec.model, state, None),
    )
    facts = {"units": len(context.units), "workers": spec.model.workers}
    if spec.model.training == "distributed":
        files = fit_distributed(fit, spec.model.workers)
    else:
        files = on_worker(fit_external, fit, threads=fit.threads)
    context.check_unchanged()
    pack, examples = context.guarded(_pack), _examples(context, signature, state)
    return on_worker(pack, files, state, signature, examples, threads=1), {}, facts


def _signature(context: Context) -> Signature:
    spec, state = context.spec, state_of(context)
    family = family_named(spec.model.family_name)
    return signature_of(state, family, spec.data.task, labels_of(context))


def _task(context: Context) -> RefitTask:
    spec = context.spec
    train, has_folds = matrix_of(context, "train"), spec.validation is not None
    valid = train.without_rows() if has_folds else matrix_of(context, "valid")
    return RefitTask(
        train=train,
        valid=valid,
        on_valid=not has_folds and spec.search.refit_on != "train",
        candidates=_candidates(context),
        model=spec.model,
        guidance=guidance_of(spec.model, state_of(context), train.weights),
        task=spec.data.task,
        n_classes=len(labels_of(context)),
        objective=spec.objective,
        folds=tuple((fold.train, fold.valid) for fold in _folds(context)),
    )


def _folds(context: Context) -> list[Fold]:
    """Those of the search, where something is decided on them."""
    return dealt_folds(context) if context.spec.model.is_decided else []


def _candidates(context: Context) -> tuple[Candidate, ...]:
    """The trials that may answer, with all their parameters."""
    model = context.spec.model
    return tuple(
        Candidate(
            trial.index,
            {**model.params, **trial.params, **rounds_of_winner(model, trial.rounds)},
            int(trial.seed),
        )
        for trial in _chosen(context)
    )


def _chosen(context: Context) -> list[TrialRecord]:
    """The trials that answer, the best first."""
    spec = context.spec
    if spec.model.ensemble is None:
        return [chosen(context)]
    trials = context.value(context.output("search.trials"), read_trial_table)
    return best_trials(trials, spec.objective.mode, spec.model.ensemble.top)


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


def _pack(
    files: dict[str, bytes],
    state: FeatureState,
    signature: Signature,
    examples: list[dict[str, Any]],
) -> Bundle:
    family = family_named(signature.family)
    fitted = family.from_files(files, task=signature.task, n_classes=signature.n_classes)
    return pack_bundle(state, signature, fitted, examples)
