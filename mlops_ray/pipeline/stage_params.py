"""What each stage looks at of the spec, under the keys of a pipeline file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_ray.pipeline.reported_metrics import metrics_of_trials, metrics_on_test

if TYPE_CHECKING:
    from mlops_ray.manifest import Spec

__all__ = [
    "evaluate_params",
    "features_params",
    "gate_params",
    "group_of",
    "ingest_params",
    "profile_params",
    "refit_params",
    "search_params",
    "split_params",
]


def group_of(spec: Spec) -> str | None:
    """The column whose rows of one value belong together, if there is one."""
    rule = spec.validation
    return (rule.group if rule is not None else None) or spec.split.group


def split_params(spec: Spec) -> dict[str, Any]:
    """Which rows go where."""
    data = spec.data
    classes = {"target": data.target} if spec.split.stratify else {}
    return {
        "split": spec.split.model_dump(mode="json"),
        "data": {"key": data.key, "time": data.time, "columns": data.columns, **classes},
        "seed": spec.seeds["split"],
    }


def ingest_params(spec: Spec) -> dict[str, Any]:
    """What the pass measures and what it holds the rows against."""
    params = split_params(spec)
    formats = {file.name: file.format for file in spec.data.inputs}
    more: dict[str, Any] = {"formats": formats, "target": spec.data.target, **_contract(spec)}
    if spec.data.on_bad_file == "quarantine":
        # A cast tells which files do not fit.
        more |= {"on_bad_file": spec.data.on_bad_file, "casts": spec.data.casts}
    if spec.data.order_by:
        more["is_ordered"] = True  # Then there is no fingerprint of the order of the input.
    features = sorted(_feature_columns(spec))
    return {**params, "data": {**params["data"], **more}, "features": features}


def _contract(spec: Spec) -> dict[str, Any]:
    """All that the verdict on the data depends on; nothing where no contract is declared."""
    data = spec.data
    if data.contract is None:
        return {}
    declared = data.contract.model_dump(mode="json", exclude_none=True)
    return {"contract": declared, "as_of": data.as_of, "target": data.target, "pii": data.pii}


def _feature_columns(spec: Spec) -> list[str]:
    return list(dict.fromkeys(c for declared in spec.features for c in declared.columns))


def profile_params(spec: Spec) -> dict[str, Any]:
    """Which columns are described beside which target."""
    columns = _feature_columns(spec)
    data: dict[str, Any] = {"task": spec.data.task, "target": spec.data.target}
    if spec.data.as_of is not None:
        data |= {"as_of": spec.data.as_of, "time": spec.data.time}
    if spec.data.weight is not None:
        data["weight"] = spec.data.weight
    return {"data": data, "features": columns}


def _matrix_params(spec: Spec) -> dict[str, Any]:
    params, data = split_params(spec), spec.data
    more: dict[str, Any] = {"order_by": data.order_by, "target": data.target, "task": data.task}
    if data.weight is not None:
        more["weight"] = data.weight
    folds = {"folds": spec.seeds["folds"]} if "folds" in spec.seeds else {}
    return {**params, **folds, "data": {**params["data"], **_contract(spec), **more}}


def features_params(spec: Spec) -> dict[str, Any]:
    """What is fitted, on which rows."""
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


def search_params(spec: Spec) -> dict[str, Any]:
    """What is tried, by which rules."""
    search = spec.search.model_dump(mode="json", exclude={"refit_on", "selection"})
    metrics = _metrics_params(spec, metrics_of_trials(spec))
    params, seed = {**_learning_params(spec), **metrics}, spec.seeds["search"]
    params |= _folds_params(spec)
    if not spec.model.is_streamed:
        return {**params, "search": search, "seed": seed}
    # How the last fit is shared out does not concern its trials.
    model = {k: v for k, v in params["model"].items() if k != "workers"}
    model["training"] = "external"
    return {**params, "model": model, "search": search, "seed": f"{params['seed']} {seed}"}


def _folds_params(spec: Spec) -> dict[str, Any]:
    if spec.validation is None:
        return {}
    rule = spec.validation.model_dump(mode="json")
    return {
        "validation": {**rule, "seed": spec.seeds["validation"]},
        "split": {"stratify": spec.split.stratify},
    }


def _metrics_params(spec: Spec, names: tuple[str, ...]) -> dict[str, Any]:
    """What is measured, where it is not what always is."""
    functions = spec.evaluation.functions if spec.evaluation is not None else []
    if not names and not functions:
        return {}
    own = [function.model_dump(mode="json") for function in functions]
    return {"evaluation": {"metrics": list(names), "functions": own}}


def refit_params(spec: Spec) -> dict[str, Any]:
    """What the chosen trial is fitted on again, and what it is decided by."""
    search = spec.search.model_dump(mode="json", include={"refit_on", "selection"})
    folds = _folds_params(spec) if spec.model.is_decided else {}
    return {**_learning_params(spec), **folds, "search": search}


def evaluate_params(spec: Spec) -> dict[str, Any]:
    """What the test rows are scored by."""
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


def gate_params(spec: Spec) -> dict[str, Any]:
    """What has to hold."""
    return {"gates": [gate.model_dump(mode="json") for gate in spec.gates]}
