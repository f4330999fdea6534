"""Evaluate: the bundle scored on the test rows, which no earlier stage has seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import ray

from mlops_ray.features.spool import spool_unit
from mlops_ray.manifest import MetricFacts, canonical_bytes
from mlops_ray.models.bundle import Bundle, load_bundle
from mlops_ray.models.metrics import score_all
from mlops_ray.models.outputs import Outputs
from mlops_ray.models.prediction_profile import prediction_profile
from mlops_ray.models.predictor import Predictor
from mlops_ray.pipeline.context import Finished
from mlops_ray.pipeline.prepared import (
    build_matrices,
    labels_of,
    matrix_of,
    matrix_plan,
    n_rows_of,
    state_of,
)
from mlops_ray.pipeline.worker import on_worker
from mlops_ray.search.streamed_task import spooled
from mlops_ray.search.trial import best_trial, read_trial_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_ray.config.model import Task
    from mlops_ray.data.split import SplitName
    from mlops_ray.data.unit import Unit
    from mlops_ray.features.matrix import Matrix
    from mlops_ray.features.spool import SpoolUnit
    from mlops_ray.features.target import Target
    from mlops_ray.features.unit_rows import MatrixPlan
    from mlops_ray.pipeline.context import Context

__all__ = ["METRICS_SCHEMA", "execute"]

METRICS_SCHEMA: Final = "mlops-ray/metrics/v1"
_TEST: Final[tuple[SplitName, ...]] = ("test",)
_Scores: TypeAlias = tuple[dict[str, float], dict[str, Any]]


def execute(context: Context) -> Finished:
    """Score the test rows on a worker; the metrics of the chosen trial stand beside."""
    spec = context.spec
    context.means.connect()
    bundle = _bundle(context)
    score = _score_stream if spec.model.is_streamed else _score_matrix
    (scores, answered), n_rows, facts = score(context, bundle)
    metrics = [
        MetricFacts(name=name, value=value, split="test", n=n_rows)
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
    return Finished(outputs, "ray_task", {**facts, "rows": n_rows})


def _bundle(context: Context) -> Bundle:
    name = context.output("refit.bundle")
    return context.value(name, lambda _: load_bundle(context.store, name))


def _of_chosen_trial(context: Context) -> list[MetricFacts]:
    table = context.value(context.output("search.trials"), read_trial_table)
    best = best_trial(table, context.spec.objective.mode)
    is_streamed = context.spec.model.is_streamed
    n_valid = n_rows_of(context, "valid") if is_streamed else matrix_of(context, "valid").n_rows
    return [
        MetricFacts(name=name, value=value, split="valid", n=n_valid)
        for name, value in sorted(best.metrics.items())
    ]


def _score_matrix(context: Context, bundle: Bundle) -> tuple[_Scores, int, dict[str, Any]]:
    spec = context.spec
    state, labels = state_of(context), labels_of(context)
    matrices, _, facts = build_matrices(context, state, labels, ("test",))
    test, score = matrices["test"], context.guarded(_score, fits=True)
    arguments = (ray.put(test), bundle, spec.data.task)
    return on_worker(score, *arguments, threads=spec.model.threads), test.n_rows, facts


def _score_stream(context: Context, bundle: Bundle) -> tuple[_Scores, int, dict[str, Any]]:
    spec = context.spec
    plan = matrix_plan(context, state_of(context), labels_of(context), _TEST)
    work, threads = context.guarded(spool_unit), spec.model.threads
    score = context.guarded(_score_spooled, fits=True)
    arguments = (plan, context.units, work, bundle, spec.data.task, threads)
    found = on_worker(score, *arguments, threads=threads)
    context.check_unchanged()
    return found, n_rows_of(context, "test"), {"units": len(context.units)}


def _score(test: Matrix, bundle: Bundle, task: Task) -> _Scores:
    predictor = Predictor(bundle)
    return _judged(predictor, predictor.predict_matrix(test.X), test.y, task)


def _score_spooled(
    plan: MatrixPlan,
    units: Sequence[Unit],
    work: SpoolUnit,
    bundle: Bundle,
    task: Task,
    threads: int,
) -> _Scores:
    """The same of rows that are answered batch by batch; only their answers are kept."""
    predictor = Predictor(bundle)
    with spooled(plan, units, threads, work) as rows:
        answers = [predictor.predict_matrix(X).numbers for X, _ in rows.batches(_TEST)]
        numbers, y = np.concatenate(answers), rows.targets(_TEST)
    answered = numbers[:, 0] if task == "regression" else numbers
    return _judged(predictor, Outputs.of(predictor.signature, answered), y, task)


def _judged(predictor: Predictor, outputs: Outputs, y: Target, task: Task) -> _Scores:
    """The metrics, and the profile of the answers as plain JSON."""
    numbers = outputs.numbers[:, 0] if task == "regression" else outputs.numbers
    answered = prediction_profile(outputs, predictor.signature.classes)
    threshold = predictor.signature.threshold
    return score_all(task, y, numbers, threshold), answered.to_json()
