"""Why a stage has to run: what differs between what it would read now and what it read last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mlops_ray.manifest import StageRecord

__all__ = ["Kind", "Reason", "other_outputs", "reasons_between"]

Kind: TypeAlias = Literal[
    "data", "config", "code", "environment", "stage", "object", "option", "new"
]
_ABSENT = object()


@dataclass(frozen=True, slots=True, order=True)
class Reason:
    """One thing that makes a stage run.

    Attributes:
        kind: What changed: ``data``, ``config``, ``code`` or ``environment``; else the ``stage``
            whose output is awaited, the ``object`` that the store lacks, an ``option`` of the
            command, or ``new``.
        what: Its name: a file, a dotted key, a package with both versions, a stage, a digest.
    """

    kind: Kind
    what: str


def reasons_between(before: StageRecord, now: Mapping[str, Any]) -> list[Reason]:
    """What differs, sorted by kind and name.

    Args:
        before: The stage's last record.
        now: Members of the record that a run would write, from `engine.declared_members`.
    """
    found = [
        *(Reason("data", name) for name in _files(before.inputs, now["inputs"])),
        *(Reason("config", key) for key in _changed(before.params, now["params"])),
        *(Reason("code", path) for path in _changed(before.code, now["code"], "/")),
        *_packages(before.packages, now["packages"]),
    ]
    return sorted(found)


def other_outputs(before: StageRecord, now: Mapping[str, Any]) -> list[Reason]:
    """The stages whose outputs, though they are there, are not those that were read last.

    Args:
        before: The stage's last record.
        now: As for `reasons_between`.
    """
    read = {**before.inputs, **now["inputs"]}
    others = {
        name.partition(".")[0]
        for name in read
        if before.inputs.get(name) != now["inputs"].get(name) and not name.startswith("file:")
    }
    return [Reason("new", f"it never read these outputs of {name}") for name in sorted(others)]


def _files(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(before.keys() | now.keys()):
        if name.startswith("file:") and before.get(name) != now.get(name):
            yield name.removeprefix("file:")


def _packages(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[Reason]:
    for name in sorted(before.keys() | now.keys()):
        old, new = before.get(name, "absent"), now.get(name, "absent")
        if old != new:
            yield Reason("environment", f"{name} {old} -> {new}")


def _changed(before: Any, now: Any, joint: str = ".", path: str = "") -> Iterator[str]:  # noqa: ANN401 - JSON
    """Paths of the leaves that differ; a list that grew or shrank is one leaf."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in sorted(before.keys() | now.keys()):
            old, new = before.get(key, _ABSENT), now.get(key, _ABSENT)
            yield from _changed(old, new, joint, f"{path}{joint}{key}" if path else str(key))
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for at, (old, new) in enumerate(zip(before, now, strict=True)):
            yield from _changed(old, new, joint, f"{path}[{at}]")
    elif before != now:
        yield path
