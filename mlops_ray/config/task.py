"""What can be predicted."""

from __future__ import annotations

from typing import Final, Literal

__all__ = ["TASKS", "Task"]

Task = Literal["binary", "multiclass", "regression"]

TASKS: Final[tuple[Task, ...]] = ("binary", "multiclass", "regression")
