"""Rows of each run of a part by bin of a column: what a target of few classes is counted beside.

The runs of a part are its rows of one class each (see `data.row_parts`), so counting a column run
by run counts it beside the target, without a look at the target of any row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from mlops_ray.data.binned import bins_of_buckets, bins_of_texts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mlops_ray.data.binned import Binned
    from mlops_ray.data.histogram import Histogram
    from mlops_ray.data.row_parts import RowParts

__all__ = ["RunCounts"]


@dataclass(frozen=True, slots=True)
class RunCounts:
    """Bins, as in `data.binned`, and the rows in them.

    Attributes:
        level: Words are shifted by so much to give a bin.
        bins: The filled bins of all runs, increasing.
        counts: For each run the rows in each bin, and at last those without a value.
    """

    level: int
    bins: NDArray[np.uint64]
    counts: list[NDArray[np.int64]]

    @classmethod
    def of_part(cls, binned: Binned, rows: RowParts, part: int) -> Self:
        """Count the rows of a part that were sorted into bins."""
        n_bins, first = binned.bins.size + 1, rows.bounds[part]
        cuts = (rows.run(run) for run in rows.runs_of(part))
        own = (binned.codes[cut.start - first : cut.stop - first] for cut in cuts)
        counts = [np.bincount(codes, minlength=n_bins) for codes in own]
        return cls(binned.level, binned.bins, counts)

    @classmethod
    def of_histograms(
        cls,
        whole: Histogram,
        runs: Sequence[Histogram],
        n_missing: Sequence[int],
        limit: int,
    ) -> Self:
        """Put the buckets of floats together.

        Args:
            whole: Histogram of the part.
            runs: That of each run.
            n_missing: Rows of each run that the histogram does not count.
            limit: Most bins.
        """
        level, bins, places = bins_of_buckets(whole, limit)
        counts = []
        for run, n in zip(runs, n_missing, strict=True):
            at = places[np.searchsorted(whole.buckets, run.buckets)]
            counts.append(np.append(_added(at, run.counts, bins.size), n))
        return cls(level, bins, counts)

    @classmethod
    def of_texts(
        cls, runs: Sequence[NDArray[np.int64]], words: NDArray[np.uint64], limit: int
    ) -> Self:
        """Put strings together.

        Args:
            runs: For each run the rows of each string, and at last those of null.
            words: A hash of each string, and a last one for null.
            limit: Most bins.
        """
        there = np.flatnonzero(np.sum([run[:-1] for run in runs], axis=0) > 0)
        level, bins, places = bins_of_texts(words[there], limit)
        counts = [np.append(_added(places, run[there], bins.size), run[-1]) for run in runs]
        return cls(level, bins, counts)


def _added(places: NDArray[np.intp], rows: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    # Counts stay far below 2^53, so floats add them up exactly.
    return np.bincount(places, rows, minlength=n).astype(np.int64)
