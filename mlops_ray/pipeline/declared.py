"""The stages: what each reads and looks at, known without running it.

The functions here see the spec and the digests that earlier stages put out, and import neither Ray
nor a model library, so that `plan` can say what would run within a second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlops_ray.pipeline import stage_params as params
from mlops_ray.pipeline.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlops_ray.manifest import Spec
    from mlops_ray.pipeline.stage import Outputs

__all__ = ["STAGES", "STAGE_NAMES"]

_FITTED: Final = ("features.state", "features.labels")


def _files(spec: Spec) -> dict[str, str]:
    return {f"file:{file.name}": file.sha256 for file in spec.data.inputs}


def _ordered_rows(spec: Spec) -> dict[str, str]:
    """Without `order_by` the order of rows is that of the files, which no fingerprint sees."""
    return {} if spec.data.order_by else _files(spec)


def _outputs(*wanted: str) -> Callable[[Spec, Outputs], dict[str, str]]:
    """Inputs that are outputs, each named ``stage.output``."""

    def inputs(_spec: Spec, done: Outputs) -> dict[str, str]:
        pairs = [name.split(".") for name in wanted]
        return {f"{stage}.{output}": done[stage][output] for stage, output in pairs}

    return inputs


def _and_rows(*wanted: str) -> Callable[[Spec, Outputs], dict[str, str]]:
    named = _outputs("ingest.fingerprint", *wanted)
    return lambda spec, done: {**named(spec, done), **_ordered_rows(spec)}


def _profile_inputs(spec: Spec, done: Outputs) -> dict[str, str]:
    verdict = () if spec.data.contract is None else ("ingest.contract",)
    return _outputs("ingest.scan", *verdict)(spec, done)


def _learned_from(*more: str) -> Callable[[Spec, Outputs], dict[str, str]]:
    """Inputs of a stage that fits: the matrices, or all that decides the rows that it reads."""

    def inputs(spec: Spec, done: Outputs) -> dict[str, str]:
        if spec.model.is_streamed:
            return _and_rows(*_FITTED, *more)(spec, done)
        scored = "features.valid" if spec.validation is None else "features.units"
        return _outputs(*_FITTED, "features.train", scored, *more)(spec, done)

    return inputs


def _evaluate_inputs(spec: Spec, done: Outputs) -> dict[str, str]:
    """What is scored and the bundle; how many rows trials were scored on, wherever that stands."""
    scored = "features.valid" if spec.validation is None else "search.folds"
    scored = "profile.valid" if spec.model.is_streamed else scored
    return _and_rows(*_FITTED, scored, "search.trials", "refit.bundle")(spec, done)


STAGES: Final = (
    Stage("ingest", lambda spec, _: _files(spec), params.ingest_params),
    Stage("split", _outputs("ingest.scan"), params.split_params),
    Stage("profile", _profile_inputs, params.profile_params),
    Stage(
        "features",
        _and_rows("ingest.scan", "profile.train"),
        params.features_params,
        computes_features=True,
    ),
    Stage(
        "search",
        _learned_from(),
        params.search_params,
        draws_trials=True,
        runs_family=True,
        reads_streams=True,
        scores=True,
    ),
    Stage(
        "refit",
        _learned_from("search.trials", "profile.train"),
        params.refit_params,
        computes_features=True,
        runs_family=True,
    ),
    Stage(
        "evaluate",
        _evaluate_inputs,
        params.evaluate_params,
        computes_features=True,
        runs_family=True,
        scores=True,
    ),
    Stage("gate", _outputs("evaluate.metrics"), params.gate_params),
)

STAGE_NAMES: Final = tuple(stage.name for stage in STAGES)
