"""What each stage reads and looks at, known without running it: the declarations behind its key.

The functions here see the spec and the digests that earlier stages put out, and import neither Ray
nor a model library, so that `plan` can say what would run within a second.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from mlops_ray.config.metric_catalogue import METRICS, is_own
from mlops_ray.runtime.environment import SEARCHER_PACKAGES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from mlops_ray.manifest import Spec

__all__ = [
    "STAGES",
    "STAGE_NAMES",
    "Outputs",
    "Stage",
    "family_modules",
    "family_names",
    "function_modules",
    "function_names",
    "group_of",
    "metric_functions",
    "metrics_of_trials",
    "metrics_on_test",
    "searcher_modules",
]

# Stage -> name of an output -> its digest, for the stages that are done.
Outputs: TypeAlias = "Mapping[str, Mapping[str, str]]"
_PACKAGE: Final = "mlops_ray.pipeline.stages"


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage as declared.

    Attributes:
        name: Its name.
        inputs: Digests that it reads, by name; those of input files stand under ``file:<name>``.
        params: Everything of the spec that it looks at, under the keys of a pipeline file.
        computes_features: Whether it runs the feature functions that a project declares.
        draws_trials: Whether it runs the searcher.
        runs_family: Whether it fits or asks estimators.
        reads_streams: Whether it runs them where it has to read the rows itself.
        scores: Whether it runs the metrics that a project declares.
    """

    name: str
    inputs: Callable[[Spec, Outputs], dict[str, str]]
    params: Callable[[Spec], dict[str, Any]]
    computes_features: bool = False
    draws_trials: bool = False
    runs_family: bool = False
    reads_streams: bool = False
    scores: bool = False

    @property
    def module(self) -> str:
        """Where its `execute` stands; its import closure is the stage's code."""
        return f"{_PACKAGE}.{self.name}"

    def modules(self, spec: Spec) -> list[str]:
        """All modules whose import closures are the stage's code."""
        is_reader = self.computes_features or (self.reads_streams and spec.model.is_streamed)
        functions = function_modules(spec) if is_reader else []
        metrics = metric_functions(spec) if self.scores else []
        functions += sorted({name.partition(":")[0] for name in metrics})
        searcher = searcher_modules(spec) if self.draws_trials else []
        return [
            self.module,
            *functions,
            *searcher,
            *(family_modules(spec) if self.runs_family else []),
        ]

    def packages(self, spec: Spec) -> dict[str, str]:
        """Versions that count for it: what only draws trials counts where they are drawn."""
        if self.draws_trials:
            return spec.packages
        return {name: v for name, v in spec.packages.items() if name not in SEARCHER_PACKAGES}


def function_modules(spec: Spec) -> list[str]:
    """Modules of the project's own feature functions."""
    return sorted({name.partition(":")[0] for name in function_names(spec)})


def function_names(spec: Spec) -> list[str]:
    """The project's own feature functions, as ``module:function``."""
    steps = (step for feature in spec.features for step in feature.steps)
    return sorted({str(step["name"]) for step in steps if step["step"] == "function"})


def metric_functions(spec: Spec) -> list[str]:
    """The project's own metrics, as ``module:function``."""
    return [] if spec.evaluation is None else [own.function for own in spec.evaluation.functions]


def metrics_of_trials(spec: Spec) -> tuple[str, ...]:
    """Metrics of the catalogue that trials are measured by; none where they are the standard."""
    named = [item.metric for item in spec.search.selection.tie_break]
    return _reported(spec, [spec.objective.metric, *(name for name in named if name is not None)])


def metrics_on_test(spec: Spec) -> tuple[str, ...]:
    """The same of the test rows, which gates look at."""
    return _reported(spec, [spec.objective.metric, *(gate.metric for gate in spec.gates)])


def _reported(spec: Spec, named: Iterable[str]) -> tuple[str, ...]:
    task = spec.data.task
    standard = {name for name, m in METRICS.items() if task in m.tasks and m.is_standard}
    declared = spec.evaluation.metrics if spec.evaluation is not None else []
    wanted = {name for name in (*(declared or standard), *named) if not is_own(name)}
    return () if wanted == standard else tuple(sorted(wanted))


def group_of(spec: Spec) -> str | None:
    """The column whose rows of one value belong together, if there is one."""
    rule = spec.validation
    return (rule.group if rule is not None else None) or spec.split.group


def searcher_modules(spec: Spec) -> list[str]:
    """The module of the project's own searcher, if it has one."""
    module = spec.search.searcher_module
    return [] if module is None else [module]


def family_names(spec: Spec) -> list[str]:
    """The project's own estimator family as ``module:Class``, if it has one."""
    own = spec.model.own_class
    return [] if own is None else [own]


def family_modules(spec: Spec) -> list[str]:
    """Its module."""
    return [name.partition(":")[0] for name in family_names(spec)]


def _files(spec: Spec) -> dict[str, str]:
    return {f"file:{file.name}": file.sha256 for file in spec.data.inputs}


def _ordered_rows(spec: Spec) -> dict[str, str]:
    """Without `order_by` the order of rows is that of the files, which no fingerprint sees."""
    return {} if spec.data.order_by else _files(spec)


def _contract(spec: Spec) -> dict[str, Any]:
    """All that the verdict on the data depends on; nothing where no contract is declared."""
    data = spec.data
    if data.contract is None:
        return {}
    declared = data.contract.model_dump(mode="json", exclude_none=True)
    return {"contract": declared, "as_of": data.as_of, "target": data.target, "pii": data.pii}


def _outputs(*wanted: str) -> Callable[[Spec, Outputs], dict[str, str]]:
    """Inputs that are outputs, each named ``stage.output``."""

    def inputs(_spec: Spec, done: Outputs) -> dict[str, str]:
        pairs = [name.split(".") for name in wanted]
        return {f"{stage}.{output}": done[stage][output] for stage, output in pairs}

    return inputs


def _and_rows(*wanted: str) -> Callable[[Spec, Outputs], dict[str, str]]:
    named = _outputs("ingest.fingerprint", *wanted)
    return lambda spec, done: {**named(spec, done), **_ordered_rows(spec)}


def _split_params(spec: Spec) -> dict[str, Any]:
    data = spec.data
    classes = {"target": data.target} if spec.split.stratify else {}
    return {
        "split": spec.split.model_dump(mode="json"),
        "data": {"key": data.key, "time": data.time, "columns": data.columns, **classes},
        "seed": spec.seeds["split"],
    }


def _ingest_params(spec: Spec) -> dict[str, Any]:
    params = _split_params(spec)
    formats = {file.name: file.format for file in spec.data.inputs}
    more: dict[str, Any] = {"formats": formats, "target": spec.data.target, **_contract(spec)}
    if spec.data.on_bad_file == "quarantine":
        # A cast tells which files do not fit.
        more |= {"on_bad_file": spec.data.on_bad_file, "casts": spec.data.casts}
    if spec.data.order_by:
        more["is_ordered"] = True  # Then there is no fingerprint of the order of the input.
    features = sorted(_feature_columns(spec))
    return {**params, "data": {**params["data"], **more}, "features": features}


def _profile_inputs(spec: Spec, done: Outputs) -> dict[str, str]:
    verdict = () if spec.data.contract is None else ("ingest.contract",)
    return _outputs("ingest.scan", *verdict)(spec, done)


def _feature_columns(spec: Spec) -> list[str]:
    return list(dict.fromkeys(c for declared in spec.features for c in declared.columns))


def _profile_params(spec: Spec) -> dict[str, Any]:
    columns = _feature_columns(spec)
    data: dict[str, Any] = {"task": spec.data.task, "target": spec.data.target}
    if spec.data.as_of is not None:
        data |= {"as_of": spec.data.as_of, "time": spec.data.time}
    if spec.data.weight is not None:
        data["weight"] = spec.data.weight
    return {"data": data, "features": columns}


def _matrix_params(spec: Spec) -> dict[str, Any]:
    params, data = _split_params(spec), spec.data
    more: dict[str, Any] = {"order_by": data.order_by, "target": data.target, "task": data.task}
    if data.weight is not None:
        more["weight"] = data.weight
    folds = {"folds": spec.seeds["folds"]} if "folds" in spec.seeds else {}
    return {**params, **folds, "data": {**params["data"], **_contract(spec), **more}}


def _features_params(spec: Spec) -> dict[str, Any]:
    declared = [feature.model_dump(mode="json", exclude_none=True) for feature in spec.features]
    chosen = spec.feature_set
    used = {} if chosen is None or chosen.used is None else {"feature_set": {"use": chosen.used}}
    streamed = {"model": {"training": "external"}} if spec.model.is_streamed else {}
    more = {**used, **_units_params(spec), **streamed}
    return {**_matrix_params(spec), **more, "features": declared}


def _units_params(spec: Spec) -> dict[str, Any]:
    """What folds are dealt by; how many of them there are is the search's concern."""
    rule = spec.validation
    if rule is None:
        return {}
    content = {"scheme": rule.scheme, "group": rule.group, "seed": spec.seeds["validation"]}
    return {"validation": content}


def _model_params(spec: Spec) -> dict[str, Any]:
    return {
        "data": {"task": spec.data.task},
        "model": spec.model.model_dump(mode="json"),
        "objective": spec.objective.model_dump(mode="json"),
    }


def _learning_params(spec: Spec) -> dict[str, Any]:
    """Of a stage that fits: where it reads the rows itself, all that makes them, too."""
    model = _model_params(spec)
    if not spec.model.is_streamed:
        return model
    matrix = _matrix_params(spec)
    return {**matrix, **model, "data": {**matrix["data"], **model["data"]}}


def _search_params(spec: Spec) -> dict[str, Any]:
    search = spec.search.model_dump(mode="json", exclude={"refit_on", "selection"})
    metrics = _metrics_params(spec, metrics_of_trials(spec))
    params, seed = {**_learning_params(spec), **metrics}, spec.seeds["search"]
    if spec.validation is not None:
        rule = spec.validation.model_dump(mode="json")
        params |= {"validation": {**rule, "seed": spec.seeds["validation"]}}
        params |= {"split": {"stratify": spec.split.stratify}}
    if not spec.model.is_streamed:
        return {**params, "search": search, "seed": seed}
    # How the last fit is shared out does not concern its trials.
    model = {k: v for k, v in params["model"].items() if k != "workers"}
    model["training"] = "external"
    return {**params, "model": model, "search": search, "seed": f"{params['seed']} {seed}"}


def _metrics_params(spec: Spec, names: tuple[str, ...]) -> dict[str, Any]:
    """What is measured, where it is not what always is."""
    functions = spec.evaluation.functions if spec.evaluation is not None else []
    if not names and not functions:
        return {}
    own = [function.model_dump(mode="json") for function in functions]
    return {"evaluation": {"metrics": list(names), "functions": own}}


def _refit_params(spec: Spec) -> dict[str, Any]:
    search = spec.search.model_dump(mode="json", include={"refit_on", "selection"})
    return {**_learning_params(spec), "search": search}


def _evaluate_params(spec: Spec) -> dict[str, Any]:
    matrix, model = _matrix_params(spec), _model_params(spec)
    measured = _metrics_params(spec, metrics_on_test(spec))
    selection = spec.search.model_dump(mode="json", include={"selection"})
    chosen = {"search": selection} if selection else {}
    return {
        **matrix,
        **model,
        **chosen,
        **measured,
        **_bootstrap_params(spec),
        "data": {**matrix["data"], **model["data"]},
    }


def _bootstrap_params(spec: Spec) -> dict[str, Any]:
    declared = spec.evaluation.bootstrap if spec.evaluation is not None else None
    if declared is None:
        return {}
    content = declared.model_dump(mode="json")
    return {"bootstrap": {**content, "group": group_of(spec), "seed": spec.seeds["bootstrap"]}}


def _gate_params(spec: Spec) -> dict[str, Any]:
    return {"gates": [gate.model_dump(mode="json") for gate in spec.gates]}


_FITTED: Final = ("features.state", "features.labels")


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
    Stage("ingest", lambda spec, _: _files(spec), _ingest_params),
    Stage("split", _outputs("ingest.scan"), _split_params),
    Stage("profile", _profile_inputs, _profile_params),
    Stage(
        "features",
        _and_rows("ingest.scan", "profile.train"),
        _features_params,
        computes_features=True,
    ),
    Stage(
        "search",
        _learned_from(),
        _search_params,
        draws_trials=True,
        runs_family=True,
        reads_streams=True,
        scores=True,
    ),
    Stage(
        "refit",
        _learned_from("search.trials", "profile.train"),
        _refit_params,
        computes_features=True,
        runs_family=True,
    ),
    Stage(
        "evaluate",
        _evaluate_inputs,
        _evaluate_params,
        computes_features=True,
        runs_family=True,
        scores=True,
    ),
    Stage("gate", _outputs("evaluate.metrics"), _gate_params),
)

STAGE_NAMES: Final = tuple(stage.name for stage in STAGES)
