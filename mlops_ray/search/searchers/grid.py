"""Grid search: every point of a finite space once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_ray.config.space_points import grid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlops_ray.config.search_space import Dimension
    from mlops_ray.search.trial import TrialRecord

__all__ = ["GridSearcher"]


class GridSearcher:
    """Gives the points one after the other.

    Args:
        space: Dimensions by parameter name, each with an end of its values.
    """

    learns: bool = False

    def __init__(self, space: Mapping[str, Dimension]) -> None:
        self._points = grid(space)

    def ask(self, first: int, n: int) -> list[dict[str, Any]]:
        """The points from one on."""
        return self._points[first : first + n]

    def tell(self, records: Sequence[TrialRecord]) -> None:
        """Learn nothing."""
