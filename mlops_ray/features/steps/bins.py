"""bins: the number of the interval that a value lies in."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from mlops_ray.features.steps.step import Fitted, Kernel, NumberStep, Policies

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import NDArray

    from mlops_ray.features.statistics import Numbers

__all__ = ["Bins"]


class Bins(NumberStep):
    """Intervals at declared edges, of equal width, or of equally many training rows.

    An edge belongs to the interval above it, and the outermost ones are open: what lies beyond the
    training rows falls into them.

    Attributes:
        edges: The inner edges, rising.
        uniform: In place of them, how many intervals of equal width.
        quantiles: In place of them, how many intervals of equally many rows; equal edges are one.
        encode: The interval's number from 0, or an indicator of each interval.
        exact: Whether quantiles are exact, for one further pass, or read off the profile.
    """

    short: ClassVar[str] = "intervals"
    policies: ClassVar[Policies] = Policies(
        null="stays null; all zero as indicators",
        out_of_range="the outermost interval",
        empty="error; allowed for edges",
    )

    step: Literal["bins"] = "bins"
    edges: list[float] | None = Field(default=None, min_length=1, max_length=1000)
    uniform: int | None = Field(default=None, ge=2, le=1000)
    quantiles: int | None = Field(default=None, ge=2, le=1000)
    encode: Literal["ordinal", "one_hot"] = "ordinal"
    exact: bool = True

    @model_validator(mode="before")
    @classmethod
    def _expand_short_form(cls, given: Any) -> Any:  # noqa: ANN401 - raw YAML
        bare = given.get("intervals") if isinstance(given, dict) else None
        if bare is None:
            return given
        return {"step": "bins", "edges" if isinstance(bare, list) else "quantiles": bare}

    @model_validator(mode="after")
    def _one_way(self) -> Bins:
        if sum(way is not None for way in (self.edges, self.uniform, self.quantiles)) != 1:
            msg = "give exactly one of 'edges', 'uniform' and 'quantiles'"
            raise ValueError(msg)
        if self.edges and any(low >= high for low, high in pairwise(self.edges)):
            msg = "'edges' must rise"
            raise ValueError(msg)
        return self

    @property
    def needs_statistics(self) -> bool:
        """Unless the edges are declared."""
        return self.edges is None

    @property
    def exact_quantiles(self) -> tuple[float, ...]:
        """The inner edges."""
        if self.quantiles is None or not self.exact:
            return ()
        return tuple(at / self.quantiles for at in range(1, self.quantiles))

    def fit(self, found: Numbers) -> Fitted:
        """The inner edges."""
        return {"edges": self._edges(found), "encode": self.encode}

    def _edges(self, found: Numbers) -> list[float]:
        if self.edges is not None:
            return [float(edge) for edge in self.edges]
        found.present()
        low, high = found.minimum or 0.0, found.maximum or 0.0
        if self.uniform is not None:
            width = (high - low) / self.uniform
            return [low + at * width for at in range(1, self.uniform)] if width else []
        n = self.quantiles or 2
        edges = [found.quantile(at / n) for at in range(1, n)]
        return sorted({edge for edge in edges if low < edge <= high})

    @classmethod
    def names(cls, name: str, fitted: Fitted) -> list[str]:
        """The column's name, or one name an interval."""
        if fitted["encode"] == "ordinal":
            return [name]
        ends = ["-inf", *(repr(float(edge)) for edge in fitted["edges"]), "inf"]
        return [f"{name}=[{low}, {high})" for low, high in pairwise(ends)]

    @classmethod
    def batch_key(cls, fitted: Fitted) -> Hashable:
        """Indicators need an equal number of intervals."""
        return len(fitted["edges"]) if fitted["encode"] == "one_hot" else None

    @classmethod
    def kernel(cls, fitted: Sequence[Fitted]) -> Kernel:
        """How many edges lie at or below each value; a column's rows are searched in one call."""
        edges = [np.array(item["edges"], dtype=np.float64) for item in fitted]

        def run(values: NDArray[np.float64]) -> NDArray[np.float64]:
            found = np.empty_like(values)
            for at, row in enumerate(values):
                found[at] = np.searchsorted(edges[at], row, side="right")
            found[np.isnan(values)] = np.nan
            return found

        if fitted[0]["encode"] == "ordinal":
            return run
        intervals = np.arange(len(edges[0]) + 1.0)[np.newaxis, :, np.newaxis]

        def indicate(values: NDArray[np.float64]) -> NDArray[np.float64]:
            flags = run(values)[:, np.newaxis, :] == intervals
            shape = len(values) * intervals.size, values.shape[1]
            found: NDArray[np.float64] = flags.astype(np.float64).reshape(shape)
            return found

        return indicate
