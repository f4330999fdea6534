"""Queries of the registry, and what they say when there is nothing to find."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from mlops_ray.errors import NotFoundError
from mlops_ray.manifest.canonical import from_canonical
from mlops_ray.registry.tables import aliases, versions
from mlops_ray.registry.version import ModelSummary, ModelVersion

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

    from mlops_ray.registry.reference import ModelReference

__all__ = ["resolve", "summaries", "version", "versions_of"]


def resolve(connection: Connection, reference: ModelReference) -> ModelVersion:
    """The version a reference names now.

    Raises:
        NotFoundError: There is no such model, version or alias.
    """
    if reference.version is not None:
        return version(connection, reference.model, reference.version)
    targets = _aliases_of(connection, reference.model)
    if reference.alias in targets:
        return version(connection, reference.model, targets[reference.alias])
    newest = versions_of(connection, reference.model)[-1].version
    raise NotFoundError(
        f"model {reference.model!r} has no {reference.alias!r}",
        f"aliases {_listed(sorted(targets))} and versions 1 to {newest}",
        hint=f"mlops-ray models promote {reference.model}@{newest} {reference.alias}",
    )


def version(connection: Connection, model: str, number: int) -> ModelVersion:
    """One version by its number.

    Raises:
        NotFoundError: There is no such model or version.
    """
    query = select(versions).where(versions.c.model == model, versions.c.version == number)
    row = connection.execute(query).first()
    if row is None:
        newest = versions_of(connection, model)[-1].version
        raise NotFoundError(
            f"model {model!r} has no version {number}", f"versions 1 to {newest}", hint=_LIST_HINT
        )
    return _version_of(row, _aliases_of(connection, model))


def versions_of(connection: Connection, model: str) -> list[ModelVersion]:
    """All versions of a model, oldest first.

    Raises:
        NotFoundError: There is no such model.
    """
    query = select(versions).where(versions.c.model == model).order_by(versions.c.version)
    targets = _aliases_of(connection, model)
    found = [_version_of(row, targets) for row in connection.execute(query)]
    if not found:
        names = [summary.model for summary in summaries(connection)]
        raise NotFoundError(
            f"the registry has no model {model!r}",
            f"models {_listed(names)}",
            hint="mlops-ray run CONFIG registers one" if not names else _LIST_HINT,
        )
    return found


def summaries(connection: Connection) -> list[ModelSummary]:
    """All models by name."""
    counted = (
        select(versions.c.model, func.count().label("n"), func.max(versions.c.version).label("top"))
        .group_by(versions.c.model)
        .order_by(versions.c.model)
    )
    pointing = select(aliases.c.model, aliases.c.alias, aliases.c.version).order_by(
        aliases.c.model, aliases.c.alias
    )
    targets = {
        model: {alias: number for _, alias, number in rows}
        for model, rows in groupby(connection.execute(pointing), key=itemgetter(0))
    }
    rows = connection.execute(counted)
    return [ModelSummary(row.model, row.n, row.top, targets.get(row.model, {})) for row in rows]


_LIST_HINT = "mlops-ray models ls shows what there is"


def _aliases_of(connection: Connection, model: str) -> dict[str, int]:
    query = select(aliases.c.alias, aliases.c.version).where(aliases.c.model == model)
    return {alias: int(number) for alias, number in connection.execute(query)}


def _version_of(row: Row[Any], targets: dict[str, int]) -> ModelVersion:
    fields = {
        **row._mapping,  # noqa: SLF001 - public in spite of its name
        "metrics": {k: float(v) for k, v in from_canonical(row.metrics.encode()).items()},
        "gates": from_canonical(row.gates.encode()),
        "aliases": tuple(sorted(alias for alias, n in targets.items() if n == row.version)),
    }
    return ModelVersion(**fields)


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:10]) or "none"
    return shown + (f" and {len(names) - 10} more" if len(names) > 10 else "")
