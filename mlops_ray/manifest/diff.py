"""Where two runs differ, each difference under the member it belongs to.

What was asked (`data`, `code`, `environment`, `config`, `features`) is kept apart from what
followed from it (`search`, `metrics`, `model`). Which rows each part of the split holds, and the
fitted state of the features, followed too. The parts stand under `config` where another rule or
seed drew them, else under `data`; the state stands under `features`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlops_ray.manifest.comparability import incomparable_because
from mlops_ray.manifest.diff_members import MEMBERS

if TYPE_CHECKING:
    from mlops_ray.manifest.diff_members import Pair
    from mlops_ray.manifest.run_documents import RunDocuments

__all__ = ["RunDiff", "diff_runs"]


@dataclass(frozen=True, slots=True)
class RunDiff:
    """The difference of two runs.

    Attributes:
        a: The first run: ``run_id``, ``spec_id``, ``result_id`` and ``state``.
        b: The second run.
        differs: Member -> what -> both values; a member without differences is empty.
        reason: Why metrics of the two may not be compared; empty where they may.
    """

    a: dict[str, str | None]
    b: dict[str, str | None]
    differs: dict[str, dict[str, Pair]] = field(hash=False)
    reason: str = ""

    @property
    def is_comparable(self) -> bool:
        """Whether both models were measured on the same test rows."""
        return not self.reason

    @property
    def is_empty(self) -> bool:
        """Whether nothing differs."""
        return not any(self.differs.values())

    def to_json(self) -> dict[str, Any]:
        """The content of ``mlops-ray/diff/v1``."""
        return {
            "a": self.a,
            "b": self.b,
            "comparable": self.is_comparable,
            "reason": self.reason or None,
            "differs": {
                member: {what: {"a": pair.a, "b": pair.b} for what, pair in found.items()}
                for member, found in self.differs.items()
            },
        }


def diff_runs(a: RunDocuments, b: RunDocuments) -> RunDiff:
    """Compare two runs by their records alone.

    Args:
        a: The one to compare with, such as the older run.
        b: The other.
    """
    return RunDiff(
        a=_named(a),
        b=_named(b),
        differs={name: member(a, b) for name, member in MEMBERS.items()},
        reason=incomparable_because(a, b),
    )


def _named(run: RunDocuments) -> dict[str, str | None]:
    found = run.envelope
    return {
        "run_id": found.run_id,
        "spec_id": found.spec_id,
        "result_id": found.result_id,
        "state": found.state,
    }
