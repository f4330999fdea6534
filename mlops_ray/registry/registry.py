"""Registering, promoting and resolving model versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, insert, select

from mlops_ray.errors import ConfigError
from mlops_ray.manifest.canonical import canonical_bytes
from mlops_ray.registry import lookup
from mlops_ray.registry.chain import append_event, check_chain, event_of, now
from mlops_ray.registry.database import Database
from mlops_ray.registry.feature_sets import FEATURE_SET_EVENT, FeatureSets
from mlops_ray.registry.promotion import move_alias
from mlops_ray.registry.reference import check_alias, check_model_name, parse_reference
from mlops_ray.registry.tables import events, versions
from mlops_ray.registry.version import verdict_of

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

    from mlops_ray.registry.version import Event, ModelSummary, ModelVersion, Promotion

__all__ = ["Registry"]


class Registry:
    """Model versions in a database; every call is one transaction.

    Args:
        location: Path of an SQLite file, made by the first write, or an SQLAlchemy URL of one.

    Attributes:
        feature_sets: The registered feature sets.

    Example:
        >>> import tempfile
        >>> registry = Registry(f"{tempfile.mkdtemp()}/registry.db")
        >>> version = registry.register(
        ...     "churn",
        ...     bundle="sha256:" + "0" * 64,
        ...     run_id="r1",
        ...     spec_id="sha256:" + "1" * 64,
        ...     result_id="sha256:" + "2" * 64,
        ...     metrics={"roc_auc": 0.9},
        ...     gates=[{"metric": "roc_auc", "verdict": "PASS"}],
        ...     alias="challenger",
        ...     actor="ann",
        ... )
        >>> registry.promote("churn@challenger", "champion", actor="ann").version
        1
        >>> registry.resolve("churn").aliases
        ('challenger', 'champion')
    """

    def __init__(self, location: str | Path) -> None:
        self._database = Database(location)
        self.feature_sets = FeatureSets(self._database)

    def register(  # noqa: PLR0913 - keywords, one a column
        self,
        model: str,
        *,
        bundle: str,
        run_id: str,
        spec_id: str,
        result_id: str,
        metrics: dict[str, float],
        gates: list[dict[str, Any]],
        actor: str,
        alias: str | None = None,
    ) -> ModelVersion:
        """Number a bundle; a bundle that is registered already keeps its version and its run.

        Args:
            model: Name of the model; the first registration makes it.
            bundle: Digest of the bundle's tree.
            run_id: Run that made it.
            spec_id: Digest of that run's spec.
            result_id: Digest of that run's result.
            metrics: Metric name -> value on the test split.
            gates: Gate verdicts, each with a member ``verdict``.
            actor: Who registers.
            alias: Alias to move to the version in the same transaction.

        Raises:
            ConfigError: `model` or `alias` breaks its pattern.
            NotPermittedError: An alias is asked for, but the gates do not let the version through.
            BusyError: Another process holds the registry for too long.
        """
        check_model_name(model)
        row = {
            "model": model,
            "bundle": bundle,
            "run_id": run_id,
            "spec_id": spec_id,
            "result_id": result_id,
            "metrics": canonical_bytes(metrics).decode(),
            "gates": canonical_bytes(gates).decode(),
            "verdict": verdict_of(gates),
            "actor": actor,
        }
        with self._database.write() as connection:
            version = _version_of_bundle(connection, model, bundle) or _add(connection, row)
            if alias is not None:
                check_alias(alias)
                move_alias(connection, lookup.version(connection, model, version), alias, actor)
            return lookup.version(connection, model, version)

    def promote(
        self, reference: str, alias: str, *, actor: str, expected_rev: int | None = None
    ) -> Promotion:
        """Let `alias` point at a version; a no-op where it does already.

        Args:
            reference: The version, such as ``churn@7`` or ``churn@challenger``.
            alias: The alias to move.
            actor: Who promotes.
            expected_rev: Move only if the alias is still at this revision; 0 means it must not
                exist yet. None moves it from wherever it is.

        Raises:
            NotFoundError: There is no such version.
            NotPermittedError: The version's gates did not let it through.
            ConflictError: Somebody else moved the alias first.
        """
        wanted = parse_reference(reference)
        check_alias(alias)
        with self._database.write() as connection:
            target = lookup.resolve(connection, wanted)
            return move_alias(connection, target, alias, actor, expected_rev)

    def resolve(self, reference: str) -> ModelVersion:
        """The version that ``MODEL``, ``MODEL@ALIAS`` or ``MODEL@VERSION`` names now.

        Raises:
            NotFoundError: There is none; the message lists what there is.
        """
        wanted = parse_reference(reference)
        with self._database.read() as connection:
            return lookup.resolve(connection, wanted)

    def models(self) -> list[ModelSummary]:
        """All models by name."""
        with self._database.read() as connection:
            return lookup.summaries(connection)

    def versions(self, model: str) -> list[ModelVersion]:
        """All versions of a model, oldest first.

        Raises:
            NotFoundError: There is no such model.
        """
        check_model_name(model)
        with self._database.read() as connection:
            return lookup.versions_of(connection, model)

    def record_deployment(self, version: ModelVersion, *, actor: str, endpoint: str) -> int:
        """Append the fact that a version goes to an endpoint.

        Returns:
            The deployment's generation: how often this model has been deployed, this time
            included. Prediction ids carry it.
        """
        body = {"version": version.version, "bundle": version.bundle, "endpoint": endpoint}
        with self._database.write() as connection:
            append_event(connection, model=version.model, kind="deployed", actor=actor, body=body)
            query = select(func.count()).where(
                events.c.model == version.model, events.c.kind == "deployed"
            )
            return int(connection.execute(query).scalar_one())

    def history(self, model: str | None = None) -> list[Event]:
        """Events in their order, of one model or of all.

        Raises:
            NotFoundError: There is no such model.
        """
        query = select(events).order_by(events.c.seq)
        with self._database.read() as connection:
            if model is not None:
                check_model_name(model)
                lookup.versions_of(connection, model)
                of_model = events.c.model == model, events.c.kind != FEATURE_SET_EVENT
                query = query.where(*of_model)
            return [event_of(row) for row in connection.execute(query)]

    def check_history(self) -> int:
        """Recompute the chain of events; returns its length.

        Raises:
            DigestMismatchError: An event was changed, removed or put in.
        """
        return check_chain(self.history())


def _version_of_bundle(connection: Connection, model: str, bundle: str) -> int | None:
    query = select(versions.c.version).where(versions.c.model == model, versions.c.bundle == bundle)
    return connection.execute(query).scalar_one_or_none()


def _add(connection: Connection, row: dict[str, Any]) -> int:
    if not row["actor"]:
        raise ConfigError("a registration needs an actor")
    query = select(func.coalesce(func.max(versions.c.version), 0)).where(
        versions.c.model == row["model"]
    )
    number = int(connection.execute(query).scalar_one()) + 1
    connection.execute(insert(versions).values(**row, version=number, registered_at=now()))
    cited = ("bundle", "run_id", "spec_id", "result_id", "verdict")
    body = {"version": number, **{name: row[name] for name in cited}}
    append_event(connection, model=row["model"], kind="registered", actor=row["actor"], body=body)
    return number
