"""What a store's records lead to: the roots of garbage collection and of the store's check.

Roots are the pointers of ended runs, of finished stages and of snapshots of inputs, and the bundles
of a registry.
Documents are read without their models, so that those of later versions count as well: an entry of
``objects`` or ``files`` is needed, and any other digest that a document mentions is kept.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mlops_ray.errors import ManifestError
from mlops_ray.manifest.canonical import from_canonical

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator

    from mlops_ray.storage import ObjectStore

__all__ = ["Contents", "Reference", "Roots"]

_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_RUN_POINTER: Final = re.compile(r"runs/[^/]+/sealed\.json")
_STAGE_POINTER: Final = re.compile(r"stages/key-[0-9a-f]{64}\.json")
_SNAPSHOT_POINTER: Final = re.compile(r"snapshots/inputs-[0-9a-f]{64}\.json")


@dataclass(frozen=True, slots=True)
class Reference:
    """An object that a document needs.

    Attributes:
        name: Its digest.
        size_bytes: Its size as recorded; None where the document does not say.
        role: Its part, or its path in a bundle.
        is_intermediate: Whether it can be computed again, so that it may be missing.
    """

    name: str
    size_bytes: int | None
    role: str
    is_intermediate: bool


@dataclass(frozen=True, slots=True)
class Contents:
    """What one document names.

    Attributes:
        name: Digest of the document itself.
        needed: Objects it cannot do without, in its order.
        mentioned: Every digest in it.
    """

    name: str
    needed: tuple[Reference, ...]
    mentioned: frozenset[str]


class Roots:
    """The records of a store and the objects they lead to; remembers every document it read.

    Args:
        store: The store.
        bundles: Says which bundles somebody else, such as a registry, cites by now.
    """

    def __init__(self, store: ObjectStore, bundles: Callable[[], Iterable[str]] = tuple) -> None:
        self._store = store
        self._bundles = bundles
        self._read: dict[str, Contents] = {}

    def keys(self) -> Iterator[str]:
        """Every root: keys of pointers, then digests of bundles."""
        for key in self._store.record_keys("runs/"):
            if _RUN_POINTER.fullmatch(key):
                yield key
        for key in self._store.record_keys("stages/"):
            if _STAGE_POINTER.fullmatch(key):
                yield key
        for key in self._store.record_keys("snapshots/"):
            if _SNAPSHOT_POINTER.fullmatch(key):
                yield key
        yield from self._bundles()

    def contents(self, root: str) -> Contents | None:
        """What a root leads to; None where its pointer was deleted since.

        Raises:
            ManifestError: Pointer or document is damaged or missing; the message says which.
        """
        if _DIGEST.fullmatch(root):
            return self._contents(root, f"bundle {root}")
        while (pointer := self._store.read_record(root)) is not None:
            try:
                return self._contents(_pointed(pointer, root), root)
            except ManifestError:
                # Whoever gave the pointer up meanwhile gave its document up, too.
                if self._store.read_record(root) == pointer:
                    raise
        return None

    def reached(self, without: Container[str] = ()) -> set[str]:
        """Digests of all objects that must stay.

        Args:
            without: Roots that do not count.

        Raises:
            ManifestError: A root cannot be read, so nobody knows what it needs.
        """
        names: set[str] = set()
        for root in self.keys():
            found = None if root in without else self.contents(root)
            if found is not None:
                names |= {found.name} | found.mentioned
        return names

    def _contents(self, name: str, root: str) -> Contents:
        if name not in self._read:
            try:
                document = from_canonical(self._store.get(name))
                self._read[name] = _contents_of(name, document)
            except ManifestError as error:
                what = f"{root}: {error.what}"
                raise ManifestError(what, error.got, error.wanted, _way_out(root)) from error
        return self._read[name]


def _way_out(root: str) -> str:
    if root.startswith("bundle "):
        return "restore the bundle from a copy of the store"
    return f"restore it from a copy of the store, or give up what it records by deleting {root}"


def _pointed(pointer: bytes, root: str) -> str:
    try:
        content = from_canonical(pointer)
    except ManifestError as error:
        raise ManifestError(f"{root}: {error.what}", error.got, hint=_way_out(root)) from error
    member = "envelope" if root.startswith("runs/") else "record"
    name = content.get(member) if isinstance(content, dict) else None
    if not isinstance(name, str) or not _DIGEST.fullmatch(name):
        raise ManifestError(f"{root} names no {member}", repr(name), hint=_way_out(root))
    return name


def _contents_of(name: str, document: Any) -> Contents:  # noqa: ANN401 - any JSON value
    if not isinstance(document, dict):
        raise ManifestError(f"{name} is not a document", type(document).__name__)
    entries = document.get("objects", document.get("files")) or []
    try:
        needed = tuple(_reference(entry) for entry in entries)
    except (AttributeError, KeyError, TypeError) as error:
        raise ManifestError(f"{name} lists its objects in an unknown way", repr(error)) from error
    return Contents(name, needed, frozenset(_digests_in(document)))


def _reference(entry: dict[str, Any]) -> Reference:
    name = entry["sha256"]
    if not isinstance(name, str) or not _DIGEST.fullmatch(name):
        raise TypeError(f"{name!r} is not a digest")
    size_bytes = entry.get("size_bytes", entry.get("size"))
    role = str(entry.get("role", entry.get("path", "object")))
    return Reference(name, size_bytes, role, bool(entry.get("intermediate", False)))


def _digests_in(value: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        yield from _digests_in(list(value))
        yield from _digests_in(list(value.values()))
    elif isinstance(value, list):
        for item in value:
            yield from _digests_in(item)
    elif isinstance(value, str) and _DIGEST.fullmatch(value):
        yield value
