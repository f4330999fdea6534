"""What is kept of a trial, the table of all trials, and which one is best.

A record holds no time, host or process id: equal searches give equal tables, byte for byte.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from mlops_ray.errors import ManifestError, SearchError
from mlops_ray.manifest.canonical import canonical_bytes, from_canonical

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mlops_ray.config.search import RungUnit

__all__ = [
    "TRIAL_SCHEMA",
    "WORKER_LOST",
    "TrialRecord",
    "TrialStatus",
    "best_trial",
    "best_trials",
    "failure_message",
    "read_trial_table",
    "reason_of",
    "trial_table",
]

TRIAL_SCHEMA: Final = "mlops-ray/trial/v1"

# What the machine decided, not the spec; a search that has one of them is not deterministic.
WORKER_LOST: Final = "WorkerLost"
_BY_THE_MACHINE: Final = frozenset({"timed_out", "out_of_memory"})

TrialStatus = Literal["finished", "pruned", "failed", "invalid", "timed_out", "out_of_memory"]

# The member of a record that its rungs stand in.
_RUNGS: Final[dict[RungUnit, str]] = {"rounds": "rungs", "data_share": "shares"}
_OPTIONAL: Final = frozenset({"rungs", "by", "rounds", "curve", "folds"})
_MESSAGE_LENGTH: Final = 300
# What native libraries put into messages and no two processes share: clock times, addresses.
_VOLATILE: Final = re.compile(r"\[\d{1,2}:\d{2}:\d{2}\]\s*|0x[0-9a-fA-F]+")


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """One trial of a search.

    Attributes:
        index: Position in the search, from 0.
        params: What was drawn for it, without the fixed parameters.
        seed: Seed of its fit in decimal digits, since JSON numbers end at 2^53.
        status: ``finished``, ``pruned`` (others were better at a rung), ``failed`` (an error),
            ``invalid`` (the objective is not finite), ``timed_out`` or ``out_of_memory``.
        value: Objective on the validation rows, or its mean over the folds; None unless finished.
        metrics: The reported metrics likewise; those not defined, or not on a fold, are left out.
        error: Class of the error; empty unless there was one.
        message: First line of the error, without times and addresses.
        rungs: Rounds or share, and the objective, at each rung the trial came to, where trials are
            halved; None where it failed or was not finite. Absent where there are none.
        by: What the rungs count. Shares of the training rows are written as ``shares``.
        rounds: Rounds of its best look, where trials have patience; so many make the final fit.
            Absent where they have none.
        curve: Rounds and objective at each look likewise.
        folds: The metrics on each fold, in the order of the folds. Absent where there are none.
    """

    index: int
    params: dict[str, Any]
    seed: str
    status: TrialStatus
    value: float | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    error: str = ""
    message: str = ""
    rungs: tuple[tuple[float, float | None], ...] = ()
    by: RungUnit = "rounds"
    rounds: int | None = None
    curve: tuple[tuple[int, float], ...] = ()
    folds: tuple[dict[str, float], ...] = ()

    @property
    def is_by_the_machine(self) -> bool:
        """Whether a clock, the memory or the death of a worker decided it, not the spec."""
        return self.error == WORKER_LOST or self.status in _BY_THE_MACHINE

    def to_bytes(self) -> bytes:
        """The record as one line of canonical JSON."""
        content = {name: value for name, value in asdict(self).items() if name not in _OPTIONAL}
        optional = {
            _RUNGS[self.by]: [list(rung) for rung in self.rungs],
            "rounds": self.rounds,
            "curve": [list(look) for look in self.curve],
            "folds": list(self.folds),
        }
        present = {name: value for name, value in optional.items() if value}
        return canonical_bytes({"schema": TRIAL_SCHEMA, **content, **present})

    @classmethod
    def from_bytes(cls, line: bytes) -> Self:
        """Read one line; members that are not known are ignored.

        Raises:
            ManifestError: Another schema or a malformed record.
        """
        document = from_canonical(line)
        if not isinstance(document, dict) or document.get("schema") != TRIAL_SCHEMA:
            raise ManifestError("not a trial record this version can read", wanted=TRIAL_SCHEMA)
        try:
            members = {name: document[name] for name in cls.__slots__ if name not in _OPTIONAL}
            curve = tuple((int(rounds), value) for rounds, value in document.get("curve", []))
            folds = tuple(document.get("folds", []))
            rounds = document.get("rounds")
            passed = _passed(document)
            return cls(**members, **passed, rounds=rounds, curve=curve, folds=folds)
        except KeyError as error:
            raise ManifestError("a trial record is malformed", f"no {error}") from error


def _passed(document: Mapping[str, Any]) -> dict[str, Any]:
    """The rungs of a record that was read, and what they count."""
    if "shares" in document:
        shares = tuple((float(share), value) for share, value in document["shares"])
        return {"rungs": shares, "by": "data_share"}
    return {"rungs": tuple((int(rounds), value) for rounds, value in document.get("rungs", []))}


def failure_message(error: BaseException) -> str:
    r"""First line of an error's text, equal for equal failures in any process.

    Example:
        >>> failure_message(ValueError("[12:30:01] bad value at 0x7f12\nStack trace"))
        'bad value at'
    """
    lines = _VOLATILE.sub("", str(error)).strip().splitlines()
    return lines[0].strip()[:_MESSAGE_LENGTH] if lines else ""


def trial_table(records: Iterable[TrialRecord]) -> bytes:
    """All records as lines of canonical JSON, sorted by index."""
    ordered = sorted(records, key=lambda record: record.index)
    return b"".join(record.to_bytes() + b"\n" for record in ordered)


def read_trial_table(data: bytes) -> list[TrialRecord]:
    """The records of a table, in its order.

    Raises:
        ManifestError: A line is no trial record.
    """
    return [TrialRecord.from_bytes(line) for line in data.splitlines()]


def best_trial(records: Sequence[TrialRecord], mode: Literal["max", "min"]) -> TrialRecord:
    """The trial with the best objective; of equals the one with the lowest index.

    Raises:
        SearchError: No trial gave a finite objective; the commonest reasons are named.
    """
    return best_trials(records, mode, 1)[0]


def best_trials(
    records: Sequence[TrialRecord], mode: Literal["max", "min"], n: int
) -> list[TrialRecord]:
    """The `n` best trials, the best first; fewer where fewer gave a finite objective.

    Raises:
        SearchError: None did; the commonest reasons are named.
    """
    sign = -1.0 if mode == "max" else 1.0
    ranked = sorted(
        (sign * record.value, record.index, record)
        for record in records
        if record.status == "finished" and record.value is not None and math.isfinite(record.value)
    )
    if not ranked:
        raise SearchError(
            f"none of {len(records)} trials gave a valid result",
            _commonest_reasons(records),
            hint="widen or correct 'search.space' and 'model.params'",
        )
    return [record for _, _, record in ranked[:n]]


def _commonest_reasons(records: Sequence[TrialRecord]) -> str:
    reasons = Counter(reason_of(record) for record in records)
    ranked = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    return "; ".join(f"{count} x {reason}" for reason, count in ranked[:3])


def reason_of(record: TrialRecord) -> str:
    """Why a trial has no value, as a phrase."""
    if record.status == "invalid":
        return "the objective is not a finite number"
    return f"{record.error}: {record.message}"
