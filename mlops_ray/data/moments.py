"""Comparing two columns of numbers by their exact moments, where their buckets are too wide.

Years, or readings around a large offset, may spread less than one bucket of the histogram. Mean
and variance are exact, and for two normal distributions they say everything.

Source: H. Jeffreys, "An Invariant Form for the Prior Probability in Estimation Problems", Proc. R.
Soc. A 186, 1946 (the divergence, of which the population stability index is the binned form).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from mlops_ray.errors import ColumnError

if TYPE_CHECKING:
    from mlops_ray.data.column_profile import NumberProfile

__all__ = ["compare_moments", "is_unresolved"]

_BUCKETS_AN_OCTAVE: Final = 32
_FAR_SHARE: Final = 0.1
_PSEUDO_COUNT: Final = 0.5  # Keeps the divergence finite where a side is constant.


def is_unresolved(reference: NumberProfile, live: NumberProfile) -> bool:
    """Whether the reference varies, but less than the width of the bucket around its mean."""
    if (
        (reference.is_exact and live.is_exact)
        or not live.histogram.n
        or reference.minimum == reference.maximum
    ):
        return False
    exponent = math.frexp(reference.sums.mean)[1] - 1
    width = math.ldexp(1.0 / _BUCKETS_AN_OCTAVE, exponent)
    return 0.0 < math.sqrt(reference.sums.variance) < width


def compare_moments(reference: NumberProfile, live: NumberProfile) -> tuple[float, float]:
    """Divergence of two normals with these moments, and the probability of such moments by chance.

    Raises:
        ColumnError: A few live values far away would drown whatever the others do.
    """
    _check_no_far_values(reference, live)
    n, m = reference.sums.n, live.sums.n
    shift = live.sums.mean - reference.sums.mean
    u, v = reference.sums.variance, live.sums.variance
    p_mean = _two_sided(shift, u / n + v / m)
    p_variance = _two_sided(v - u, _variance_of_variance(reference) + _variance_of_variance(live))
    pooled = (n * u + m * v) / (n + m) + n * m / (n + m) ** 2 * shift**2
    u, v = ((k * x + _PSEUDO_COUNT * pooled) / (k + _PSEUDO_COUNT) for k, x in ((n, u), (m, v)))
    divergence = 0.5 * (u / v + v / u - 2 + shift**2 * (1 / u + 1 / v))
    return divergence, min(1.0, 2 * min(p_mean, p_variance))


def _two_sided(difference: float, variance: float) -> float:
    if not variance:
        return 0.0 if difference else 1.0
    return math.erfc(abs(difference) / math.sqrt(2 * variance))


def _variance_of_variance(profile: NumberProfile) -> float:
    """At most this large: no value is farther from the mean than minimum or maximum."""
    mean, variance = profile.sums.mean, profile.sums.variance
    farthest = max(mean - (profile.minimum or 0.0), (profile.maximum or 0.0) - mean)
    return max(0.0, variance * (farthest**2 - variance)) / profile.sums.n


def _check_no_far_values(reference: NumberProfile, live: NumberProfile) -> None:
    first, last = reference.histogram.buckets[0] - 1, reference.histogram.buckets[-1] + 1
    filled = zip(live.histogram.buckets, live.histogram.counts, strict=True)
    n_far = sum(count for bucket, count in filled if not first <= bucket <= last)
    if 0 < n_far < _FAR_SHARE * live.histogram.n:
        got = f"{n_far} of {live.histogram.n} live values far outside the reference's"
        what = "the reference's spread is too small for its buckets, and the moments are no help"
        raise ColumnError(what, got, hint="subtract the column's offset in the data")
