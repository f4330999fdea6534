"""The registry's tables, version 1 of their schema, and what the database itself forbids."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    Column,
    ForeignKeyConstraint,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

__all__ = [
    "APPEND_ONLY_TRIGGERS",
    "SCHEMA_VERSION",
    "aliases",
    "events",
    "feature_sets",
    "metadata",
    "schema_version",
    "versions",
]

SCHEMA_VERSION: Final = 1
metadata: Final = MetaData()

schema_version: Final = Table(
    "schema_version", metadata, Column("version", Integer, nullable=False)
)

versions: Final = Table(
    "versions",
    metadata,
    Column("model", String(63), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("bundle", String(71), nullable=False),
    Column("run_id", Text, nullable=False),
    Column("spec_id", String(71), nullable=False),
    Column("result_id", String(71), nullable=False),
    Column("metrics", Text, nullable=False),
    Column("gates", Text, nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("actor", Text, nullable=False),
    Column("registered_at", Text, nullable=False),
    UniqueConstraint("model", "bundle"),
)

aliases: Final = Table(
    "aliases",
    metadata,
    Column("model", String(63), primary_key=True),
    Column("alias", String(63), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("rev", Integer, nullable=False),
    Column("actor", Text, nullable=False),
    Column("moved_at", Text, nullable=False),
    ForeignKeyConstraint(["model", "version"], ["versions.model", "versions.version"]),
)

events: Final = Table(
    "events",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("model", String(63), nullable=False, index=True),
    Column("kind", String(16), nullable=False),
    Column("actor", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("previous", String(71), nullable=False),
    Column("digest", String(71), nullable=False, unique=True),
)

# Since the first release after version 1 of the schema; made where it is missing, and readers that
# do not know it miss nothing.
feature_sets: Final = Table(
    "feature_sets",
    metadata,
    Column("name", String(63), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("digest", String(71), nullable=False),
    Column("run_id", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("registered_at", Text, nullable=False),
    UniqueConstraint("name", "digest"),
)

APPEND_ONLY_TRIGGERS: Final = tuple(
    f"CREATE TRIGGER IF NOT EXISTS {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
    f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    for table in ("versions", "events", "feature_sets")
    for verb in ("UPDATE", "DELETE")
)
