"""The list of objects that a run puts into the store, which its envelope will name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_ray.manifest import ObjectFacts

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import IO

    from mlops_ray.storage import ObjectStore

__all__ = ["ObjectList"]


class ObjectList:
    """Puts objects into a store and remembers them with their roles.

    Attributes:
        store: Where they go.
    """

    def __init__(self, store: ObjectStore) -> None:
        self.store = store
        self._facts: dict[str, ObjectFacts] = {}

    def put(self, role: str, data: bytes) -> str:
        """Store bytes; returns their digest."""
        return self.note(role, self.store.put(data))

    def put_file(self, role: str, path: Path) -> str:
        """Store a copy of a file; returns its digest."""
        return self.note(role, self.store.put_file(path))

    def put_written(self, role: str, write: Callable[[IO[bytes]], object]) -> str:
        """Store what `write` writes to the stream that it is given; returns its digest."""
        return self.note(role, self.store.put_written(write))

    def note(self, role: str, name: str) -> str:
        """Remember an object that is in the store already; returns its digest."""
        size_bytes = self.store.size_bytes(name)
        self.note_facts(ObjectFacts(role=role, sha256=name, size_bytes=size_bytes))
        return name

    def note_facts(self, facts: ObjectFacts) -> None:
        """Remember an object by what another record says of it."""
        known = self._facts.setdefault(facts.sha256, facts)
        if known.intermediate and not facts.intermediate:  # Whoever needs it for good decides.
            self._facts[facts.sha256] = facts

    def facts(self) -> list[ObjectFacts]:
        """All objects, sorted by digest."""
        return [self._facts[name] for name in sorted(self._facts)]
