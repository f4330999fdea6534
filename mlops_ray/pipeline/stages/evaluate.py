"""Evaluate: the bundle scored on the test rows, which no earlier stage has seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import ray

from mlops_ray.features.spool import spool_unit
from mlops_ray.manifest import MetricFacts, canonical_bytes
from mlops_ray.models.bundle import Bundle, load_bundle
from mlops_ray.models.outputs import Outputs
from mlops_ray.models.predictor import Predictor
from mlops_ray.pipeline.choice import chosen
from mlops_ray.pipeline.context import Finished
from mlops_ray.pipeline.judging import judge_of
from mlops_ray.pipeline.prepared import (
    build_matrices,
    labels_of,
    matrix_of,
    matrix_plan,
    n_rows_of,
    state_of,
)
from mlops_ray.pipeline.units import drawn_units
from mlops_ray.pipeline.worker import on_worker
from mlops_ray.search.fold_table import n_scored_rows
from mlops_ray.search.streamed_task import spooled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_ray.data.split import SplitName
    from mlops_ray.data.unit import Unit
    from mlops_ray.features.matrix import Matrix
    from mlops_ray.features.spool import SpoolUnit
    from mlops_ray.features.unit_rows import MatrixPlan
    from mlops_ray.pipeline.context import Context
    from mlops_ray.pipeline.judging import Judge, Judged

__all__ = ["METRICS_SCHEMA", "execute"]

METRICS_SCHEMA: Final = "mlops-ray/metrics/v1"
_TEST: Final[tuple[SplitName, ...]] = ("test",)


def execute(context: Context) -> Finished:
    """Score the test rows on a worker; the metrics of the chosen trial stand beside."""
    context.means.connect()
    bundle, judge = _bundle(context), judge_of(context)
    score = _score_stream if context.spec.model.is_streamed else _score_matrix
    (metrics, answered), n_rows, facts = score(context, bundle, judge)
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
    best, n_valid = chosen(context), _n_scored(context)
    return [
        MetricFacts(
            name=name,
            value=value,
            split="valid",
            n=n_valid,
            folds=[scores[name] for scores in best.folds] or None,
        )
        for name, value in sorted(best.metrics.items())
    ]


def _n_scored(context: Context) -> int:
    """Rows that trials were scored on."""
    if context.spec.validation is not None:
        return n_scored_rows(context.store.get(context.output("search.folds")))
    if context.spec.model.is_streamed:
        return n_rows_of(context, "valid")
    return matrix_of(context, "valid").n_rows


def _score_matrix(
    context: Context, bundle: Bundle, judge: Judge
) -> tuple[Judged, int, dict[str, Any]]:
    spec = context.spec
    state, labels = state_of(context), labels_of(context)
    matrices, _, facts = build_matrices(context, state, labels, _TEST, drawn_units(spec))
    test, score = matrices["test"], context.guarded(_score, fits=True)
    found = on_worker(score, ray.put(test), bundle, judge, threads=spec.model.threads)
    return found, test.n_rows, facts


def _score_stream(
    context: Context, bundle: Bundle, judge: Judge
) -> tuple[Judged, int, dict[str, Any]]:
    plan = matrix_plan(context, state_of(context), labels_of(context), _TEST)
    work, threads = context.guarded(spool_unit), context.spec.model.threads
    score = context.guarded(_score_spooled, fits=True)
    arguments = (plan, context.units, work, bundle, judge, threads)
    found = on_worker(score, *arguments, threads=threads)
    context.check_unchanged()
    return found, n_rows_of(context, "test"), {"units": len(context.units)}


def _score(test: Matrix, bundle: Bundle, judge: Judge) -> Judged:
    predictor = Predictor(bundle)
    outputs = predictor.predict_matrix(test.X)
    return judge.judge(predictor.signature, outputs, test.y, test.units)


def _score_spooled(
    plan: MatrixPlan,
    units: Sequence[Unit],
    work: SpoolUnit,
    bundle: Bundle,
    judge: Judge,
    threads: int,
) -> Judged:
    """The same of rows that are answered batch by batch; only their answers are kept."""
    predictor = Predictor(bundle)
    signature = predictor.signature
    with spooled(plan, units, threads, work) as rows:
        answers = [predictor.predict_matrix(X).numbers for X, _ in rows.batches(_TEST)]
        numbers, y = np.concatenate(answers), rows.targets(_TEST)
    answered = numbers[:, 0] if signature.task == "regression" else numbers
    return judge.judge(signature, Outputs.of(signature, answered), y)
