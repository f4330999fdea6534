"""Which parameters decided how well trials did.

A random forest learns the rank of a trial's objective from its parameters; a parameter's share is
how much worse the forest fits once the values of that parameter are shuffled among the trials.
Ranks, so that one trial that diverged does not outweigh all others. The forest, its trees and the
shuffles have fixed seeds: equal tables give equal shares.

Source: L. Breiman, "Random Forests" (2001), section 10; scikit-learn's `permutation_importance`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mlops_ray.search.rung import in_words, named

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mlops_ray.config.search import RungUnit
    from mlops_ray.search.trial import TrialRecord

__all__ = ["Importance", "parameter_importance"]

_METHOD: Final = "random forest on ranks, permutation importance (Breiman 2001; scikit-learn)"
_LEAST_TRIALS: Final = 10
_MOST_TRIALS: Final = 2_000  # More tell a forest little more, and take long.
_N_TREES: Final = 100
_N_SHUFFLES: Final = 10
_SEED: Final = 0


@dataclass(frozen=True, slots=True)
class Importance:
    """Shares of the parameters in what made trials better or worse.

    Attributes:
        shares: Parameter -> its share, largest first; they add up to 1 where any counts.
        explained: Share of the variance of the ranks that the forest explains in trials that a tree
            has not seen; where it is near 0 or below, the shares say nothing.
        n_trials: Trials that were looked at.
        rung: Rounds, or share of the training rows, at the rung whose values were taken; None for
            values of whole trials.
        by: What the rung counts.
    """

    shares: dict[str, float]
    explained: float
    n_trials: int
    rung: float | None = None
    by: RungUnit = "rounds"

    @property
    def rung_in_words(self) -> str:
        """The rung, as people read it; empty for values of whole trials."""
        return "" if self.rung is None else in_words(self.rung, self.by)

    def to_json(self) -> dict[str, Any]:
        """The members, with the method; ``rounds`` or ``share`` names the rung."""
        return {
            "method": _METHOD,
            "shares": self.shares,
            "explained": self.explained,
            "n_trials": self.n_trials,
            **named(self.rung, self.by),
        }


def parameter_importance(records: Sequence[TrialRecord]) -> Importance | None:
    """The shares; None where fewer than ten trials, or no two different values, can be compared.

    Of a halved search the values at the rung with the most trials are taken, since only those few
    finish that did well there.
    """
    rung = _fullest_rung(records)
    seen = [(r, v) for r in records if (v := _value_at(r, rung)) is not None]
    seen = seen[:: -(-len(seen) // _MOST_TRIALS) or 1]
    names, columns = _columns([record.params for record, _ in seen])
    values = np.array([value for _, value in seen])
    if len(seen) < _LEAST_TRIALS or not names or np.ptp(values) == 0:
        return None
    drops, explained = _drops(columns, values)
    total = float(drops.sum()) or 1.0
    shares = {name: float(drop) / total for name, drop in zip(names, drops, strict=True)}
    ranked = sorted(shares.items(), key=lambda item: (-item[1], item[0]))
    return Importance(dict(ranked), explained, len(seen), rung, seen[0][0].by)


def _fullest_rung(records: Sequence[TrialRecord]) -> float | None:
    counts: dict[float, int] = {}
    for record in records:
        for rung, value in record.rungs:
            counts[rung] = counts.get(rung, 0) + (value is not None)
    return max(counts, key=lambda rung: (counts[rung], rung), default=None)


def _value_at(record: TrialRecord, rung: float | None) -> float | None:
    return record.value if rung is None else dict(record.rungs).get(rung)


def _columns(params: Sequence[dict[str, Any]]) -> tuple[list[str], NDArray[np.float64]]:
    """Parameters with more than one value, and these as numbers; NaN where it has no part."""
    names, columns = [], []
    for name in sorted({name for drawn in params for name in drawn}):
        column = _numbers([drawn.get(name) for drawn in params])
        if np.unique(column).size > 1:
            names.append(name)
            columns.append(column)
    return names, np.array(columns, dtype=np.float64).T


def _numbers(values: Sequence[object]) -> NDArray[np.float64]:
    if {type(value) for value in values} <= {int, float, type(None)}:
        return np.array([np.nan if v is None else v for v in values], dtype=np.float64)
    kinds = sorted({repr(v) for v in values})
    return np.array([kinds.index(repr(v)) for v in values], dtype=np.float64)


def _drops(
    columns: NDArray[np.float64], values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    # Imported here: it takes a second, which the table of trials alone does not need.
    from scipy.stats import rankdata  # noqa: PLC0415
    from sklearn.ensemble import RandomForestRegressor  # noqa: PLC0415
    from sklearn.inspection import permutation_importance  # noqa: PLC0415

    ranks = rankdata(values)
    forest = RandomForestRegressor(
        _N_TREES, min_samples_leaf=2, oob_score=True, random_state=_SEED, n_jobs=1
    ).fit(columns, ranks)
    shuffled = permutation_importance(
        forest, columns, ranks, n_repeats=_N_SHUFFLES, random_state=_SEED, n_jobs=1
    )
    return np.maximum(shuffled.importances_mean, 0.0), float(forest.oob_score_)
