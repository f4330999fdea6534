"""What a search that is killed leaves behind, and what was begun again afterwards."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from search_runs import answer_of

from mlops_ray.search.trial import TrialRecord

if TYPE_CHECKING:
    from pathlib import Path

    from killed_run import Place
    from search_runs import Notes

# Index of a configuration, and the rung at which it ends where trials are halved.
Step: TypeAlias = tuple[int, "float | None"]


@dataclass(frozen=True)
class Ledger:
    """The one ledger of a store in which one search runs.

    Attributes:
        store: Folder of the store.
    """

    store: Path

    @property
    def path(self) -> Path | None:
        """Its file, which is gone once the search is through."""
        return next((self.store / "journals").glob("*.jsonl"), None)

    def lines(self) -> list[bytes]:
        """Its whole records."""
        lines = [] if self.path is None else self.path.read_bytes().splitlines(keepends=True)
        return [line for line in lines[1:] if line.endswith(b"\n")]

    def kept(self) -> set[Step]:
        """What is recorded."""
        lines = [line.partition(b" ")[2] for line in self.lines()]
        records = [TrialRecord.from_bytes(line) for line in lines]
        return {(r.index, r.rungs[-1][0] if r.rungs else None) for r in records}


def steps_begun(notes: Notes, after: int = 0) -> set[Step]:
    """What trials have begun, but for the first so many of them."""
    return {(item["index"], item["rung"]) for item in notes.of("begun")[after:]}


def n_redone(notes: Notes) -> int:
    """How often a step was begun that had been begun before."""
    begun = Counter((item["index"], item["rung"]) for item in notes.of("begun"))
    return sum(count - 1 for count in begun.values())


def answer_of_line(place: Place, line: dict[str, Any]) -> dict[str, Any]:
    """What a run gave, from its line of JSON.

    Raises:
        RuntimeError: It failed.
    """
    if line["code"] != 0:
        raise RuntimeError(line["stderr"])
    return answer_of(place.records.run(line["run_id"]))
