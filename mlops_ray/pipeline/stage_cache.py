"""Finished stages in the store: looked up by key, believed only after every object was checked.

A pointer ``stages/key-<hex>.json`` leads to the record of the stage, the record to its objects, and
each is written after what it leads to. So a stage that was cut off has no record at all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from mlops_ray.errors import ManifestError
from mlops_ray.manifest import ObjectFacts, StageRecord, canonical_bytes, from_canonical
from mlops_ray.storage import fail_point, hex_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mlops_ray.storage import ObjectStore

__all__ = [
    "Lookup",
    "journal_path",
    "keep",
    "look_up",
    "pointer_key",
    "record_facts",
    "remove_journal",
]


@dataclass(frozen=True, slots=True)
class Lookup:
    """What the store knows of a key.

    Attributes:
        state: ``whole``; ``absent``, not known to have finished here; or ``damaged``, something is
            gone or wrong and the stage has to be computed again.
        record: The record, unless it is absent or unreadable.
        name: Digest of the record.
        engine: What did the work when the stage was computed.
        facts: Counters of that engine then.
        damaged: What is gone or wrong, after "the store lacks".
    """

    state: Literal["whole", "absent", "damaged"]
    record: StageRecord | None = None
    name: str = ""
    engine: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    damaged: str = ""


def pointer_key(key: str) -> str:
    """Where the pointer of a stage's key lies in the store."""
    return f"stages/key-{hex_of(key)}.json"


def journal_path(store: ObjectStore, key: str) -> Path:
    """Where the stage of a key may keep what it has done, until it has finished."""
    return store.root / "journals" / f"{hex_of(key)}.jsonl"


def remove_journal(journal: Path) -> None:
    """The stage has its record: what it did on the way is needed no more."""
    if journal.exists():
        fail_point("ledger.remove")
        journal.unlink(missing_ok=True)
        fail_point("ledger.removed")


def look_up(store: ObjectStore, key: str, is_whole: Callable[[str], bool]) -> Lookup:
    """Find the record of a stage and check all that it names.

    Args:
        store: Where to look.
        key: The stage's key.
        is_whole: Whether an object is there and is what its name says.
    """
    pointer = store.read_record(pointer_key(key))
    if pointer is None:
        return Lookup("absent")
    try:
        content = from_canonical(pointer)
        name, engine, facts = str(content["record"]), content["engine"], dict(content["facts"])
    except (ManifestError, KeyError, TypeError, ValueError):
        return Lookup("damaged", damaged=f"a readable pointer {pointer_key(key)}")
    try:
        record = StageRecord.from_bytes(store.get(name))
    except ManifestError:
        return Lookup("damaged", damaged=f"record {name}")
    if record.key != key or not record.is_under_its_key:
        return Lookup("damaged", damaged=f"a record of its own instead of {name}")
    for item in record.objects:
        if not is_whole(item.sha256):
            return Lookup("damaged", damaged=f"{item.role} {item.sha256}")
    return Lookup("whole", record, name, engine, facts)


def keep(
    store: ObjectStore, record: StageRecord, engine: str, facts: dict[str, Any]
) -> ObjectFacts:
    """Store a record and then the pointer to it; returns what the run's envelope says of it.

    What did the work stands in the pointer, since the record is the same whatever did it.
    """
    fail_point("stage.computed")
    data = record.to_bytes()
    name = store.put(data)
    fail_point("stage.recorded")
    pointer = {"record": name, "engine": engine, "facts": facts}
    store.write_record(pointer_key(record.key), canonical_bytes(pointer))
    fail_point("stage.pointed")
    return record_facts(record, name, len(data))


def record_facts(record: StageRecord, name: str, size_bytes: int) -> ObjectFacts:
    """The record itself as an object of a run."""
    return ObjectFacts(
        role=f"stage {record.stage}", sha256=name, size_bytes=size_bytes, intermediate=True
    )
