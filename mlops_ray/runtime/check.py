"""One finding about the machine, and how to put it right."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

__all__ = ["Check", "Status"]

Status = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Check:
    """One finding.

    Attributes:
        name: What was looked at.
        status: ``fail`` where a run cannot work, ``warn`` where it may be slow or unsafe.
        detail: What was found.
        fix: The way out; empty where there is nothing to do.
    """

    name: str
    status: Status
    detail: str
    fix: str = ""

    def to_json(self) -> dict[str, str]:
        """As plain JSON."""
        return asdict(self)
