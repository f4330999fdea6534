"""Evaluate: the bundle scored on the test rows, which no earlier stage has seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import ray

from mlops_ray.manifest import MetricFacts, canonical_bytes
from mlops_ray.models.bundle import Bundle, load_bundle
from mlops_ray.models.metrics import score_all
from mlops_ray.models.prediction_profile import prediction_profile
from mlops_ray.models.predictor import Predictor
from mlops_ray.pipeline.context import Finished
from mlops_ray.pipeline.prepared import build_matrices, labels_of, matrix_of, state_of
from mlops_ray.pipeline.worker import on_worker
from mlops_ray.search.trial import best_trial, read_trial_table

if TYPE_CHECKING:
    from mlops_ray.config.model import Task
    from mlops_ray.features.matrix import Matrix
    from mlops_ray.pipeline.context import Context

__all__ = ["METRICS_SCHEMA", "execute"]

METRICS_SCHEMA: Final = "mlops-ray/metrics/v1"


def execute(context: Context) -> Finished:
    """Score the test rows on a worker; the metrics of the chosen trial stand beside."""
    spec = context.spec
    context.means.connect()
    bundle = _bundle(context)
    state, labels = state_of(context), labels_of(context)
    matrices, _, facts = build_matrices(context, state, labels, ("test",))
    test, threads = matrices["test"], spec.model.threads
    score = context.guarded(_score, fits=True)
    scores, answered = on_worker(score, ray.put(test), bundle, spec.data.task, threads=threads)
    metrics = [
        MetricFacts(name=name, value=value, split="test", n=test.n_rows)
        for name, value in sorted(scores.items())
    ]
    metrics += _of_chosen_trial(context)
    content = {
        "schema": METRICS_SCHEMA,
        "metrics": [metric.model_dump(mode="json") for metric in metrics],
    }
    outputs = {
        "metrics": context.put("metrics", canonical_bytes(content)),
        "predictions": context.put("profile predictions", canonical_bytes(answered)),
    }
    return Finished(outputs, "ray_task", {**facts, "rows": test.n_rows})


def _bundle(context: Context) -> Bundle:
    name = context.output("refit.bundle")
    return context.value(name, lambda _: load_bundle(context.store, name))


def _of_chosen_trial(context: Context) -> list[MetricFacts]:
    table = context.value(context.output("search.trials"), read_trial_table)
    best = best_trial(table, context.spec.objective.mode)
    n_valid = matrix_of(context, "valid").n_rows
    return [
        MetricFacts(name=name, value=value, split="valid", n=n_valid)
        for name, value in sorted(best.metrics.items())
    ]


def _score(test: Matrix, bundle: Bundle, task: Task) -> tuple[dict[str, float], dict[str, Any]]:
    """The metrics, and the profile of the answers as plain JSON."""
    predictor = Predictor(bundle)
    outputs = predictor.predict_matrix(test.X)
    numbers = outputs.numbers[:, 0] if task == "regression" else outputs.numbers
    answered = prediction_profile(outputs, predictor.signature.classes)
    threshold = predictor.signature.threshold
    return score_all(task, test.y, numbers, threshold), answered.to_json()
