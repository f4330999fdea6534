"""The members of a difference: for each, what two runs say of it where they do not say the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mlops_ray.config.environment import EnvironmentConfig
from mlops_ray.manifest.comparability import is_split_alike

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mlops_ray.manifest.run_documents import RunDocuments

__all__ = ["MEMBERS", "Pair"]

# Members of a spec that are no declarations, or have a member of the difference to themselves.
_NOT_CONFIG: Final[dict[str, bool | set[str]]] = {
    "schema_": True,
    "schema_version": True,
    "seeds": True,
    "seed_rule": True,
    "code": True,
    "packages": True,
    "environment": True,
    "environment_policy": True,
    "features": True,
    "data": {"inputs", "columns"},
}
_DECIDING: Final = ("cpu_level", "libc", "machine", "system")


@dataclass(frozen=True, slots=True)
class Pair:
    """A value that differs; None where a run has none."""

    a: Any
    b: Any


def _pairs(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, Pair]:
    names = sorted({*a, *b})
    return {n: Pair(a.get(n), b.get(n)) for n in names if a.get(n) != b.get(n)}


def _data(a: RunDocuments, b: RunDocuments) -> dict[str, Pair]:
    found = _pairs(_inputs(a), _inputs(b))
    if a.result is not None and b.result is not None:
        found |= _pairs(_table(a), _table(b))
    if is_split_alike(a.spec, b.spec):
        found |= _parts(a, b)
    return found if a.spec.data.columns.keys() == b.spec.data.columns.keys() else _of_shared(found)


def _inputs(run: RunDocuments) -> dict[str, Any]:
    data = run.spec.data
    content: dict[str, Any] = {f"inputs.{file.name}": file.sha256 for file in data.inputs}
    return content | {f"columns.{name}": kind for name, kind in data.columns.items()}


def _table(run: RunDocuments) -> dict[str, Any]:
    if run.result is None:
        return {}
    found, contract = run.result.data, run.result.contract
    loss = {f"set_aside.{part}": n for part, n in (contract.set_aside if contract else {}).items()}
    return {"fingerprint": found.fingerprint, "n_rows": found.n_rows, **loss}


def _parts(a: RunDocuments, b: RunDocuments) -> dict[str, Pair]:
    """Parts of the split that do not hold the same rows."""
    if a.result is None or b.result is None:
        return {}
    splits = (a.result.split, b.result.split)
    return _pairs(
        *({f"split.{name}": part.membership for name, part in split.items()} for split in splits)
    )


def _of_shared(found: dict[str, Pair]) -> dict[str, Pair]:
    """A run reads the columns that its declarations name: other ones are no difference of data."""
    kept = {
        what: pair
        for what, pair in found.items()
        if not what.startswith("columns.") or None not in {pair.a, pair.b}
    }
    if not any(what.startswith("inputs.") for what in kept):
        # Fingerprints and memberships of the same bytes, but of other columns.
        return {w: p for w, p in kept.items() if not w.startswith(("fingerprint", "split."))}
    return kept


def _code(a: RunDocuments, b: RunDocuments) -> dict[str, Pair]:
    if a.spec.code.tree == b.spec.code.tree:
        return {}
    if a.code is None or b.code is None:
        return {"tree": Pair(a.spec.code.tree, b.spec.code.tree)}
    return _pairs(a.code, b.code)


def _environment(a: RunDocuments, b: RunDocuments) -> dict[str, Pair]:
    found = _pairs(_software(a), _software(b))
    if a.spec.environment is not None and b.spec.environment is not None:
        found |= _pairs(_settings(a), _settings(b))
    if a.locked is not None and b.locked is not None:
        known = {*a.spec.packages, *b.spec.packages}
        others = {n: pair for n, pair in _pairs(a.locked, b.locked).items() if n not in known}
        found |= {f"other_packages.{name}": pair for name, pair in others.items()}
    return found


def _software(run: RunDocuments) -> dict[str, Any]:
    """What every version of the schema records."""
    content: dict[str, Any] = {f"packages.{name}": v for name, v in run.spec.packages.items()}
    platform = run.envelope.platform
    content |= {f"platform.{name}": platform[name] for name in _DECIDING if name in platform}
    return {**content, "image_digest": run.envelope.image_digest}


def _settings(run: RunDocuments) -> dict[str, Any]:
    content: dict[str, Any] = {"seed_rule": run.spec.seed_rule}
    if run.spec.environment is not None:
        content["implementation"] = run.spec.environment.implementation
        threads = run.spec.environment.threads.items()
        content |= {f"threads.{name}": value for name, value in threads}
    return content


def _config(a: RunDocuments, b: RunDocuments) -> dict[str, Pair]:
    """Declarations; and the rows that another rule, or seed, of the split drew from the data."""
    drawn = {} if is_split_alike(a.spec, b.spec) else _parts(a, b)
    return _pairs(_declared(a), _declared(b)) | drawn


def _declared(run: RunDocuments) -> dict[str, Any]:
    declared = run.spec.model_dump(
        mode="json", by_alias=True, exclude_none=True, exclude=_NOT_CONFIG
    )
    policy = run.spec.environment_policy or EnvironmentConfig()
    return _flat({**declared, "environment": policy.model_dump(mode="json")})


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    """Values by dotted path; a list of plain values, such as bounds, is one value."""
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        items = {str(index): item for index, item in enumerate(value)}.items()
    else:
        return {} if value == [] else {prefix: value}
    flat: dict[str, Any] = {}
    for name, item in items:
        flat |= _flat(item, f"{prefix}.{name}" if prefix else name)
    return flat


def _features(a: RunDocuments, b: RunDocuments) -> dict[str, Pair]:
    columns = [{declared.column: declared for declared in run.spec.features} for run in (a, b)]
    steps = [
        {
            f"declared.{name}": declared.model_dump(mode="json", exclude={"column"})
            for name, declared in found.items()
        }
        for found in columns
    ]
    found = _pairs(*steps)
    # Where a column came or went, the order of all columns says nothing more.
    if columns[0].keys() == columns[1].keys():
        found |= _pairs({"order": list(columns[0])}, {"order": list(columns[1])})
    if a.result is not None and b.result is not None:
        found |= _pairs(
            *({"state": run.outputs.get("features", {}).get("state")} for run in (a, b))
        )
    return found


def _search(a: RunDocuments, b: RunDocuments) -> dict[str, Pair]:
    found = _pairs(_outcome(a), _outcome(b))
    if a.trials is None or b.trials is None or a.trials == b.trials:
        return found
    # How many trials of each run the other has not, or not at the same index; where both lack as
    # many, the digests of the tables say that they differ.
    mine, others = set(a.trials.items()), set(b.trials.items())
    return found | _pairs(
        {"unshared_trials": len(mine - others)}, {"unshared_trials": len(others - mine)}
    )


def _outcome(run: RunDocuments) -> dict[str, Any]:
    if run.result is None:
        return {}
    found = run.result.search
    return {
        "determinism": run.result.determinism,
        "n_finished": found.n_finished,
        "n_failed": found.n_failed,
        "n_pruned": found.n_pruned,
        "best.index": found.best_index,
        "best.value": found.best_value,
        **{f"best.params.{name}": value for name, value in found.best_params.items()},
        "trials": found.trials,
    }


def _metrics(a: RunDocuments, b: RunDocuments) -> dict[str, Pair]:
    return _pairs(_measured(a), _measured(b))


def _measured(run: RunDocuments) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for metric in run.result.metrics if run.result else []:
        content |= {f"{metric.split}.{metric.name}": metric.value, f"{metric.split}.n": metric.n}
    for gate in run.result.gates if run.result else []:
        content[f"verdict.{gate.metric} {gate.comparator} {gate.threshold:g}"] = gate.verdict
    return content


def _model(a: RunDocuments, b: RunDocuments) -> dict[str, Pair]:
    models = [run.result.model if run.result else None for run in (a, b)]
    return _pairs(*({"bundle": m.bundle, "classes": m.classes} if m else {} for m in models))


MEMBERS: Final[dict[str, Callable[[RunDocuments, RunDocuments], dict[str, Pair]]]] = {
    "data": _data,
    "code": _code,
    "environment": _environment,
    "config": _config,
    "features": _features,
    "search": _search,
    "metrics": _metrics,
    "model": _model,
}
