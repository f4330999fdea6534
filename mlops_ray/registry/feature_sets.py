"""Feature sets by name and version: append-only like model versions, numbered without gaps."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, insert, select

from mlops_ray.errors import ConfigError, NotFoundError
from mlops_ray.registry.chain import append_event, now
from mlops_ray.registry.tables import feature_sets

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from mlops_ray.registry.database import Database

__all__ = ["FEATURE_SET_EVENT", "FeatureSetVersion", "FeatureSets", "check_set_name"]

FEATURE_SET_EVENT: Final = "feature_set"  # The kind of event that a registration appends.
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_VERSION: Final = re.compile(r"[1-9][0-9]{0,8}")
_NEWEST: Final = "latest"


@dataclass(frozen=True, slots=True)
class FeatureSetVersion:
    """One immutable version of a feature set.

    Attributes:
        name: Name of the set.
        version: Number, from 1 without gaps.
        digest: Digest of the set, which holds its definition and what was fitted.
        run_id: Run that it was first registered from.
        actor: Who registered it.
        registered_at: When, ISO 8601 in UTC; the order of versions is their number, not this.
    """

    name: str
    version: int
    digest: str
    run_id: str
    actor: str
    registered_at: str

    @property
    def reference(self) -> str:
        """``NAME@VERSION``."""
        return f"{self.name}@{self.version}"


class FeatureSets:
    """The registered feature sets; every call is one transaction.

    Args:
        database: Of the registry.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def register(self, name: str, *, digest: str, run_id: str, actor: str) -> FeatureSetVersion:
        """Number a set; one that has this name already keeps its version and its run.

        Args:
            name: Name of the set; the first registration makes it.
            digest: Digest of the set.
            run_id: Run that it comes from.
            actor: Who registers.

        Raises:
            ConfigError: `name` breaks its pattern or is ``latest``, or nobody registers.
            BusyError: Another process holds the registry for too long.
        """
        check_set_name(name)
        if name == _NEWEST:
            what = f"{_NEWEST!r} is the newest run, not the name of a set"
            raise ConfigError(what, hint="take another name")
        if not actor:
            raise ConfigError("a registration needs an actor")
        with self._database.write() as connection:
            known = _found(connection, name=name, digest=digest)
            return known[0] if known else _added(connection, name, digest, run_id, actor)

    def resolve(self, reference: str) -> FeatureSetVersion:
        """The version that ``NAME``, ``NAME@latest`` or ``NAME@VERSION`` names now.

        Raises:
            ConfigError: It is no such name.
            NotFoundError: There is no such set or version; the message lists what there is.
        """
        name, number = _parsed(reference)
        with self._database.read() as connection:
            found = _found(connection, name=name)
            if not found:
                names = sorted({version.name for version in _found(connection)})
                raise NotFoundError(
                    f"the registry has no feature set {name!r}",
                    f"feature sets {', '.join(names) or 'none'}",
                    hint=f"`mlops-ray features register RUN --name {name}` makes one of a run",
                )
        if number is None:
            return found[-1]
        if number > len(found):
            what = f"feature set {name!r} has no version {number}"
            raise NotFoundError(what, f"versions 1 to {len(found)}", hint="see features ls")
        return found[number - 1]

    def versions(self, digest: str | None = None) -> list[FeatureSetVersion]:
        """All versions of all sets, or those of one content, by name and number."""
        with self._database.read() as connection:
            return _found(connection, **({} if digest is None else {"digest": digest}))


def check_set_name(name: str) -> None:
    """Refuse the name of a set that is not lower case, short and plain.

    Raises:
        ConfigError: The name breaks the pattern.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(
            "not the name of a feature set", repr(name[:80]), f"a match of {_NAME.pattern}"
        )


def _parsed(reference: str) -> tuple[str, int | None]:
    name, at, target = reference.partition("@")
    check_set_name(name)
    if not at or target == _NEWEST:
        return name, None
    if not _VERSION.fullmatch(target):
        what = "not a version of a feature set"
        raise ConfigError(what, repr(target[:80]), f"a number, or {_NEWEST!r}")
    return name, int(target)


def _found(connection: Connection, **wanted: str) -> list[FeatureSetVersion]:
    table = feature_sets.c
    query = select(feature_sets).order_by(table.name, table.version)
    for column, value in wanted.items():
        query = query.where(table[column] == value)
    return [FeatureSetVersion(**row._mapping) for row in connection.execute(query)]  # noqa: SLF001 - public in spite of its name


def _added(
    connection: Connection, name: str, digest: str, run_id: str, actor: str
) -> FeatureSetVersion:
    newest = select(func.max(feature_sets.c.version)).where(feature_sets.c.name == name)
    number = int(connection.execute(newest).scalar_one() or 0) + 1
    version = FeatureSetVersion(name, number, digest, run_id, actor, now())
    row = {field: getattr(version, field) for field in feature_sets.c.keys()}  # noqa: SIM118
    connection.execute(insert(feature_sets).values(**row))
    body = {"version": number, "digest": digest, "run_id": run_id}
    append_event(connection, model=name, kind=FEATURE_SET_EVENT, actor=actor, body=body)
    return version
