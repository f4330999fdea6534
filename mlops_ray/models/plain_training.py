"""The `Training` of families that have nothing to make ready: each fit starts from the matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from mlops_ray.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from mlops_ray.config.model import Task
    from mlops_ray.models.estimator import Family, Fitted

__all__ = ["PlainGrowth", "PlainTraining"]


@dataclass(frozen=True, slots=True)
class PlainTraining:
    """Rows of a family that has nothing to make ready: each fit starts from the matrix.

    Attributes:
        family: What fits.
        X: Feature rows, shape ``(n_rows, n_features)``.
        y: Class indices or target values, shape ``(n_rows,)``.
        task: What is predicted.
        n_classes: Classes there are; 0 for a regression.
        threads: Threads of one fit.
        weights: How much each row counts, for families that take it; None where all count the same.
    """

    family: Family
    X: NDArray[np.float32]
    y: NDArray[np.int32] | NDArray[np.float64]
    task: Task
    n_classes: int
    threads: int
    weights: NDArray[np.float64] | None = None

    def fit(self, params: Mapping[str, object], *, seed: int) -> Fitted:
        """Fit on all rows; see `Family.fit`."""
        weighted: dict[str, Any] = {} if self.weights is None else {"weights": self.weights}
        return self.family.fit(
            self.X,
            self.y,
            params,
            task=self.task,
            n_classes=self.n_classes,
            seed=seed,
            threads=self.threads,
            **weighted,
        )

    def grow(self, params: Mapping[str, object], *, seed: int) -> PlainGrowth:
        """Begin a fit that goes on; see `Training.grow`."""
        return PlainGrowth(self, dict(params), seed)


@dataclass(frozen=True, slots=True)
class PlainGrowth:
    """Fits from the first round on whenever it is asked to go on.

    Attributes:
        training: The rows.
        params: Parameters.
        seed: Seed of all randomness.
        held_bytes: None; the rows are everybody's.
    """

    training: PlainTraining
    params: Mapping[str, object]
    seed: int
    held_bytes: ClassVar[int] = 0

    def to(self, n_rounds: int) -> Fitted:
        """A fit of so many rounds; see `Growth.to`.

        Raises:
            ModelError: The family has no rounds.
        """
        rounds = self.training.family.rounds
        if rounds is None:
            raise ModelError(f"{self.training.family.name} does not fit in rounds")
        return self.training.fit({**self.params, rounds: n_rounds}, seed=self.seed)
