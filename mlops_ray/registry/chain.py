"""The append-only chain of events: every link holds the digest of the one before.

A chain shows edits, insertions and removals in the middle; against a rewrite of all of it only a
digest of its head that is kept elsewhere helps.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import insert, select

from mlops_ray.errors import DigestMismatchError
from mlops_ray.manifest.canonical import canonical_bytes, digest_json, from_canonical
from mlops_ray.registry.tables import events
from mlops_ray.registry.version import Event

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection, Row

__all__ = ["append_event", "check_chain", "event_of", "now"]

_SCHEMA: Final = "mlops-ray/registry-event/v1"


def now() -> str:
    """The time of day in UTC, ISO 8601 with microseconds."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def append_event(
    connection: Connection, *, model: str, kind: str, actor: str, body: dict[str, Any]
) -> Event:
    """Add a link at the end; the transaction must hold the write lock."""
    newest = select(events.c.seq, events.c.digest).order_by(events.c.seq.desc()).limit(1)
    last = connection.execute(newest).first()
    link = Event(
        seq=last.seq + 1 if last else 1,
        model=model,
        kind=kind,
        actor=actor,
        at=now(),
        body=body,
        previous=last.digest if last else "",
        digest="",
    )
    row = {**_content(link), "digest": digest_json(_content(link))}
    connection.execute(insert(events).values({**row, "body": canonical_bytes(body).decode()}))
    return Event(**row)


def event_of(row: Row[Any]) -> Event:
    """The event that a row of the table holds."""
    return Event(**{**row._mapping, "body": from_canonical(row.body.encode())})  # noqa: SLF001 - public in spite of its name


def check_chain(links: Iterable[Event]) -> int:
    """Recompute every link in order; returns how many there are.

    Raises:
        DigestMismatchError: A link was changed, removed or put in.
    """
    previous, count = "", 0
    for count, link in enumerate(links, start=1):
        wanted = digest_json(_content(link))
        if (link.seq, link.previous, link.digest) != (count, previous, wanted):
            raise DigestMismatchError(
                f"event {count} of the registry is not the one that was written",
                link.digest,
                wanted,
                "restore the registry from a backup",
            )
        previous = link.digest
    return count


def _content(link: Event) -> dict[str, Any]:
    return {
        "seq": link.seq,
        "model": link.model,
        "kind": link.kind,
        "actor": link.actor,
        "at": link.at,
        "body": link.body,
        "previous": link.previous,
    }
