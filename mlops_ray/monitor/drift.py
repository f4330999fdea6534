"""Which columns of live data no longer look like the rows that a model was trained on.

A column has drifted where the difference is both too large to be chance, after an adjustment for
the number of columns looked at, and large enough to matter. A column that cannot be judged is
UNKNOWN with the reason, and so is a report without a single judged column: nothing is green because
nothing ran.

Source: Y. Benjamini and D. Yekutieli, "The control of the false discovery rate in multiple testing
under dependency", Ann. Stat. 29, 2001, by ``scipy.stats.false_discovery_control``: columns of one
table depend on each other, which the older procedure of Benjamini and Hochberg does not allow for.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

from scipy.stats import false_discovery_control

from mlops_ray.data.compare import compare_profiles
from mlops_ray.errors import ColumnError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_ray.config import DriftConfig
    from mlops_ray.data.profile import Profile

__all__ = ["DRIFT_SCHEMA", "ColumnDrift", "DriftReport", "check_drift"]

DRIFT_SCHEMA: Final = "mlops-ray/drift/v1"

Verdict = Literal["PASS", "FAIL", "UNKNOWN"]


@dataclass(frozen=True, slots=True)
class ColumnDrift:
    """What was found of one column.

    Attributes:
        column: Name of the column.
        verdict: FAIL where it drifted; UNKNOWN where it cannot be judged.
        reason: Why the verdict is not PASS; empty where it is.
        psi: Population stability index, nulls as a bin of their own; None where not computed.
        p_value: Probability of such a difference by chance, of this column alone; likewise.
        p_adjusted: The same, adjusted for the number of columns judged; likewise.
        n_reference: Training rows.
        n_live: Live rows.
        null_share_reference: Share of training rows without a value; None where not computed.
        null_share_live: Share of live rows without a value; likewise.
    """

    column: str
    verdict: Verdict
    reason: str
    n_reference: int
    n_live: int
    psi: float | None = None
    p_value: float | None = None
    p_adjusted: float | None = None
    null_share_reference: float | None = None
    null_share_live: float | None = None


@dataclass(frozen=True, slots=True)
class DriftReport:
    """The verdicts on all columns, in the order they were asked for.

    Attributes:
        verdict: FAIL where a column drifted; else UNKNOWN where one could not be judged or none
            was asked for; else PASS.
        columns: One finding a column.
    """

    verdict: Verdict
    columns: tuple[ColumnDrift, ...]

    def to_json(self) -> dict[str, Any]:
        """The report as a JSON document."""
        columns = [asdict(column) for column in self.columns]
        return {"schema": DRIFT_SCHEMA, "verdict": self.verdict, "columns": columns}


def check_drift(
    baseline: Profile,
    live: Profile,
    config: DriftConfig,
    columns: Sequence[str] | None = None,
) -> DriftReport:
    """Compare live rows with the training rows, column by column.

    Args:
        baseline: Profile of the training rows.
        live: Profile of the live rows.
        config: The level of significance, the smallest index that matters, the fewest rows.
        columns: Columns to judge, such as the model's inputs; by default all of the baseline's.

    Raises:
        ColumnError: A column is asked for that the baseline does not have.
    """
    wanted = list(baseline.columns) if columns is None else list(columns)
    for name in wanted:
        if name not in baseline.columns:
            raise ColumnError(f"column {name!r} is not in the profile of the training rows")
    measured = [_measure(name, baseline, live, config) for name in wanted]
    judged = _judge(measured, config)
    return DriftReport(_overall([column.verdict for column in judged]), tuple(judged))


def _measure(name: str, baseline: Profile, live: Profile, config: DriftConfig) -> ColumnDrift:
    """The finding before adjustment: UNKNOWN with a reason, or PASS with its numbers."""
    reference = baseline.columns[name]
    unknown = ColumnDrift(name, "UNKNOWN", "", reference.n_rows, live.n_rows)
    if name not in live.columns:
        return replace(unknown, reason="the live data do not have the column")
    if min(reference.n_rows, live.n_rows) < config.min_rows:
        return replace(unknown, reason=f"fewer than {config.min_rows} rows on a side")
    try:
        found = compare_profiles(reference, live.columns[name])
    except ColumnError as error:
        return replace(unknown, reason=str(error))
    return replace(
        unknown,
        verdict="PASS",
        psi=found.psi,
        p_value=found.p_value,
        null_share_reference=found.null_share_reference,
        null_share_live=found.null_share_live,
    )


def _judge(measured: Sequence[ColumnDrift], config: DriftConfig) -> list[ColumnDrift]:
    p_values = [column.p_value for column in measured if column.p_value is not None]
    adjusted = iter(false_discovery_control(p_values, method="by").tolist() if p_values else [])
    return [
        column if column.p_value is None else _verdict(column, next(adjusted), config)
        for column in measured
    ]


def _verdict(column: ColumnDrift, p_adjusted: float, config: DriftConfig) -> ColumnDrift:
    found = replace(column, p_adjusted=p_adjusted)
    psi = column.psi if column.psi is not None else 0.0
    if p_adjusted < config.alpha and psi >= config.min_psi:
        reason = f"psi {psi:.3g} >= {config.min_psi:g} and p {p_adjusted:.3g} < {config.alpha:g}"
        return replace(found, verdict="FAIL", reason=reason)
    return found


def _overall(verdicts: Sequence[Verdict]) -> Verdict:
    if "FAIL" in verdicts:
        return "FAIL"
    return "PASS" if verdicts and "UNKNOWN" not in verdicts else "UNKNOWN"
