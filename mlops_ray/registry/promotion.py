"""Moving an alias: compare its revision, check the gates, set it, append the event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, update

from mlops_ray.errors import ConflictError, NotPermittedError
from mlops_ray.registry.chain import append_event, now
from mlops_ray.registry.tables import aliases
from mlops_ray.registry.version import Promotion

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

    from mlops_ray.registry.version import ModelVersion

__all__ = ["move_alias"]


def move_alias(
    connection: Connection,
    target: ModelVersion,
    alias: str,
    actor: str,
    expected_rev: int | None = None,
) -> Promotion:
    """Point `alias` at `target`; the transaction must hold the write lock.

    Raises:
        ConflictError: `expected_rev` is not the alias's revision any more.
        NotPermittedError: The gates did not let the version through.
    """
    is_alias = (aliases.c.model == target.model) & (aliases.c.alias == alias)
    current = connection.execute(select(aliases).where(is_alias)).first()
    rev, previous = (current.rev, current.version) if current else (0, None)
    if expected_rev not in {None, rev}:
        raise _conflict(target.model, alias, current, expected_rev)
    if previous == target.version:
        return Promotion(target.model, alias, target.version, previous, rev, has_moved=False)
    _check_gates(target, alias)
    moved = {"version": target.version, "rev": rev + 1, "actor": actor, "moved_at": now()}
    if current:
        connection.execute(update(aliases).where(is_alias).values(**moved))
    else:
        connection.execute(insert(aliases).values(model=target.model, alias=alias, **moved))
    body = {"alias": alias, "version": target.version, "previous": previous, "rev": rev + 1}
    body |= {"bundle": target.bundle, "run_id": target.run_id}
    append_event(connection, model=target.model, kind="promoted", actor=actor, body=body)
    return Promotion(target.model, alias, target.version, previous, rev + 1, has_moved=True)


def _check_gates(target: ModelVersion, alias: str) -> None:
    if not target.may_serve:
        failed = [
            str(gate.get("metric", gate.get("name", "?")))
            for gate in target.gates
            if gate.get("verdict") not in {"PASS", "OVERRIDDEN"}
        ]
        raise NotPermittedError(
            f"{target.model}@{target.version} may not become {alias!r}",
            f"gate verdict {target.verdict}" + (f" ({', '.join(failed)})" if failed else ""),
            "PASS, or an override with a name and a reason",
        )


def _conflict(
    model: str, alias: str, current: Row[Any] | None, expected_rev: int | None
) -> ConflictError:
    if current is None:
        return ConflictError(
            f"alias {alias!r} of {model!r} does not exist", "revision 0", f"revision {expected_rev}"
        )
    return ConflictError(
        f"alias {alias!r} of {model!r} was moved to version {current.version} by {current.actor}",
        f"revision {current.rev}",
        f"revision {expected_rev}",
        "look at the new version, then promote again",
    )
