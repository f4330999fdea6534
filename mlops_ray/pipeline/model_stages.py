"""The stages that make a model: search, refit, evaluate, gate."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ray

from mlops_ray.features.matrix import join
from mlops_ray.manifest import GateFacts, MetricFacts, SearchFacts, canonical_bytes
from mlops_ray.models.families import family_named
from mlops_ray.models.metrics import score_all
from mlops_ray.models.packing import pack_bundle, signature_of
from mlops_ray.models.predictor import Predictor
from mlops_ray.pipeline.data_stages import build_matrices
from mlops_ray.pipeline.gates import judge
from mlops_ray.pipeline.golden_records import golden_records
from mlops_ray.pipeline.worker import on_worker
from mlops_ray.search.objective import SearchTask
from mlops_ray.search.space import draw
from mlops_ray.search.trial import WORKER_LOST, TrialRecord, best_trial, trial_table
from mlops_ray.search.tuner import run_search

if TYPE_CHECKING:
    from mlops_ray.config.model import Task
    from mlops_ray.features.matrix import Matrix
    from mlops_ray.features.state import FeatureState
    from mlops_ray.models.bundle import Bundle
    from mlops_ray.models.estimator import Fitted
    from mlops_ray.pipeline.context import Context
    from mlops_ray.pipeline.data_stages import Prepared
    from mlops_ray.telemetry.progress import Progress

__all__ = ["Chosen", "evaluate", "gate", "refit", "search"]


@dataclass(frozen=True, slots=True)
class Chosen:
    """The outcome of a search.

    Attributes:
        best: The chosen trial.
        facts: What the result records of the search.
        is_deterministic: False where the death of a worker, not the spec, decided a trial.
    """

    best: TrialRecord
    facts: SearchFacts
    is_deterministic: bool


def search(context: Context, prepared: Prepared) -> Chosen:
    """Draw the trials, run them on Ray Tune, choose the best by (metric, index).

    Raises:
        SearchError: No trial gave a valid result.
    """
    spec = context.spec
    declared = {
        "search": spec.search.model_dump(mode="json", exclude={"refit_on"}),
        "model": spec.model.model_dump(mode="json"),
        "objective": spec.objective.model_dump(mode="json"),
        "seed": spec.seeds["search"],
    }
    inputs = _outputs_of(context, "features")
    with context.stages.stage("search", engine="ray_tune", inputs=inputs, params=declared) as notes:
        seed = int(spec.seeds["search"])
        drawn = draw(spec.search.space, spec.search.trials, seed)
        reporter = _TrialReporter(context.progress, len(drawn), spec.objective.mode)
        records = run_search(_task(context, prepared), drawn, on_trial=reporter)
        best = best_trial(records, spec.objective.mode)
        table = context.objects.put("trials", trial_table(records))
        notes.outputs["trials"] = table
        n_finished = sum(record.status == "finished" for record in records)
        notes.facts |= {"trials": len(records), "finished": n_finished}
    facts = SearchFacts(
        trials=table,
        n_finished=n_finished,
        n_failed=len(records) - n_finished,
        best_index=best.index,
        best_params=best.params,
        best_value=best.value if best.value is not None else float("nan"),
    )
    return Chosen(best, facts, all(record.error != WORKER_LOST for record in records))


def refit(context: Context, prepared: Prepared, chosen: Chosen) -> Bundle:
    """Fit the chosen parameters to all rows that may be learned from; pack the bundle."""
    spec = context.spec
    inputs = {**_outputs_of(context, "features"), "trials": chosen.facts.trials}
    params = {"refit_on": spec.search.refit_on, "threads": spec.model.threads}
    with context.stages.stage("refit", engine="ray_task", inputs=inputs, params=params) as notes:
        parts = [prepared.matrices["train"], prepared.matrices["valid"]]
        rows = parts[0] if spec.search.refit_on == "train" else join(parts)
        family = family_named(spec.model.family)
        signature = signature_of(prepared.state, family, spec.data.task, prepared.labels)
        examples = golden_records(signature, prepared.scan.profiles["train"])
        bundle = on_worker(
            _fit_and_pack,
            ray.put(rows),
            prepared.state,
            signature,
            examples,
            {**spec.model.params, **chosen.best.params},
            int(chosen.best.seed),
            spec.model.threads,
            threads=spec.model.threads,
        )
        for path, data in bundle.files.items():
            context.objects.put(f"bundle {path}", data)
        notes.outputs["bundle"] = context.objects.note("bundle", bundle.save(context.objects.store))
        notes.facts |= {"rows": rows.n_rows}
    return bundle


def evaluate(
    context: Context, prepared: Prepared, bundle: Bundle, chosen: Chosen
) -> list[MetricFacts]:
    """Score the bundle on the test rows, which no earlier stage has seen."""
    inputs = {"bundle": bundle.digest, "fingerprint": prepared.scan.fingerprint}
    with context.stages.stage("evaluate", engine="ray_task", inputs=inputs, params={}) as notes:
        test = build_matrices(context, prepared.state, prepared.labels, ("test",))["test"]
        scores = on_worker(
            _score,
            ray.put(test),
            bundle,
            context.spec.data.task,
            threads=context.spec.model.threads,
        )
        metrics = [
            MetricFacts(name=name, value=value, split="test", n=test.n_rows)
            for name, value in sorted(scores.items())
        ]
        n_valid = prepared.matrices["valid"].n_rows
        metrics += [
            MetricFacts(name=name, value=value, split="valid", n=n_valid)
            for name, value in sorted(chosen.best.metrics.items())
        ]
        content = canonical_bytes(
            {
                "schema": "mlops-ray/metrics/v1",
                "metrics": [metric.model_dump(mode="json") for metric in metrics],
            }
        )
        notes.outputs["metrics"] = context.objects.put("metrics", content)
        notes.facts |= {"rows": test.n_rows}
    return metrics


def gate(context: Context, metrics: list[MetricFacts]) -> list[GateFacts]:
    """Judge the test metrics by the declared thresholds."""
    evidence = _outputs_of(context, "evaluate")["metrics"]
    declared = [item.model_dump(mode="json") for item in context.spec.gates]
    with context.stages.stage(
        "gate", engine="driver", inputs={"metrics": evidence}, params=declared
    ) as notes:
        values = {metric.name: metric.value for metric in metrics if metric.split == "test"}
        verdicts = judge(context.spec.gates, values, evidence)
        content = canonical_bytes(
            {
                "schema": "mlops-ray/verdicts/v1",
                "gates": [
                    verdict.model_dump(mode="json", exclude_none=True) for verdict in verdicts
                ],
            }
        )
        notes.outputs["verdicts"] = context.objects.put("verdicts", content)
    return verdicts


def _outputs_of(context: Context, stage: str) -> dict[str, str]:
    return next(done.outputs for done in context.stages.outputs if done.name == stage)


def _task(context: Context, prepared: Prepared) -> SearchTask:
    spec = context.spec
    train, valid = prepared.matrices["train"], prepared.matrices["valid"]
    return SearchTask(
        X_train=train.X,
        y_train=train.y,
        X_valid=valid.X,
        y_valid=valid.y,
        family=spec.model.family,
        task=spec.data.task,
        n_classes=len(prepared.labels),
        params=spec.model.params,
        metric=spec.objective.metric,
        seed=int(spec.seeds["search"]),
        threads=spec.model.threads,
    )


class _TrialReporter:
    """Tells the progress display of each trial: how many are done, the best, the time left."""

    def __init__(self, progress: Progress, total: int, mode: str) -> None:
        self._progress = progress
        self._total = total
        self._better = max if mode == "max" else min
        self._first_end = 0.0
        self._done = 0
        self._best: float | None = None

    def __call__(self, record: TrialRecord) -> None:
        self._done += 1
        if record.value is not None:
            known = [value for value in (self._best, record.value) if value is not None]
            self._best = self._better(known)
        now = time.monotonic()
        # The first trial also pays the start of the workers; it would make the estimate absurd.
        self._first_end = self._first_end or now
        counted = self._done - 1
        eta_s = (now - self._first_end) / counted * (self._total - self._done) if counted else None
        self._progress.trial_finished(self._done, self._total, record.value, self._best, eta_s)


def _fit_and_pack(
    rows: Matrix,
    state: FeatureState,
    signature: Any,  # noqa: ANN401 - Signature
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


def _score(test: Matrix, bundle: Bundle, task: Task) -> dict[str, float]:
    outputs = Predictor(bundle).predict_matrix(test.X)
    is_regression = task == "regression"
    return score_all(task, test.y, outputs.numbers[:, 0] if is_regression else outputs.numbers)
