"""Bootstrap intervals: how far metrics move when the rows they are of are drawn again.

The same draws serve all metrics. Where rows belong to groups, groups are drawn, with all rows of
each: rows of one group tell less than as many rows of their own would.

Source: B. Efron and R. Tibshirani, "An Introduction to the Bootstrap" (1993), equation 6.6
(standard error), section 13.3 (percentile interval), section 8.3 (drawing what is independent).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from mlops_ray.config.validation import BootstrapConfig
    from mlops_ray.models.weighted import Kernel

__all__ = ["Interval", "draws", "intervals"]


@dataclass(frozen=True, slots=True)
class Interval:
    """What the resamples say of a metric.

    Attributes:
        low: Where the middle `level` of the resamples begins.
        high: Where it ends.
        standard_error: Their standard deviation.
        n_undefined: Resamples in which the metric was not defined; they do not count.
    """

    low: float
    high: float
    standard_error: float
    n_undefined: int


def draws(
    n_rows: int, n_resamples: int, seed: int, groups: NDArray[Any] | None = None
) -> Iterator[NDArray[np.int64]]:
    """How often each row is drawn, one resample after the other.

    Args:
        n_rows: Rows there are, and rows that are drawn where there are no groups.
        n_resamples: How often.
        seed: Of the generator.
        groups: Group of each row, shape ``(n_rows,)``; as many groups are drawn as there are.
    """
    random = np.random.Generator(np.random.PCG64(seed))
    members = None if groups is None else np.unique(groups, return_inverse=True)[1]
    n_drawn = n_rows if members is None else int(members.max()) + 1
    for _ in range(n_resamples):
        counts = np.bincount(random.integers(n_drawn, size=n_drawn), minlength=n_drawn)
        yield counts if members is None else counts[members]


def intervals(
    kernels: Mapping[str, Kernel],
    n_rows: int,
    declared: BootstrapConfig,
    seed: int,
    groups: NDArray[Any] | None = None,
) -> dict[str, Interval]:
    """The interval of each metric; none of one that no two resamples define.

    Args:
        kernels: Metric -> its value from counts; see `weighted.kernel`.
        n_rows: Rows there are.
        declared: How often rows are drawn, and the level.
        seed: Of the draws.
        groups: As for `draws`.
    """
    values = {name: np.empty(declared.resamples) for name in kernels}
    if not n_rows:
        return {}
    for at, counts in enumerate(draws(n_rows, declared.resamples, seed, groups)):
        for name, metric in kernels.items():
            values[name][at] = metric(counts)
    found = {name: _interval(of_metric, declared.level) for name, of_metric in values.items()}
    return {name: interval for name, interval in found.items() if interval is not None}


def _interval(values: NDArray[np.float64], level: float) -> Interval | None:
    defined = values[np.isfinite(values)]
    if defined.size < 2:
        return None
    tail = (1 - level) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return Interval(
        float(low), float(high), float(defined.std(ddof=1)), int(values.size - defined.size)
    )
