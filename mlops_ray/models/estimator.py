"""What an estimator family must offer: parameters, fitting, prediction, files.

A `Family` knows how to fit; a `Fitted` knows how to predict and to write itself as files; a
`Training` is rows made ready once for many fits. Three laws hold for every family: refitting on
equal inputs gives equal files, alone and among other fits on the same `Training`; a row's
prediction has the same bits alone and among any other rows; what is written and loaded is the same
bytes again. `mlops_ray.testing.EstimatorConformance` has them as tests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from mlops_ray.config.model import Task

__all__ = ["Family", "Fitted", "Growth", "Training"]


class Fitted(Protocol):
    """A fitted estimator."""

    def predict(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Predict each row on its own.

        Args:
            X: Feature rows, C-contiguous, shape ``(n_rows, n_features)``.

        Returns:
            Class probabilities, shape ``(n_rows, n_classes)``, or values, shape ``(n_rows,)``.
        """
        ...

    def to_files(self) -> dict[str, bytes]:
        """The estimator as named files without pickle; equal estimators give equal bytes."""
        ...


class Training(Protocol):
    """Rows that many fits share; what one fit does leaves no trace in another."""

    def fit(self, params: Mapping[str, object], *, seed: int) -> Fitted:
        """Fit on all rows; see `Family.fit`."""
        ...

    def grow(self, params: Mapping[str, object], *, seed: int) -> Growth:
        """Begin a fit that goes on round by round; for families that count rounds.

        Args:
            params: Parameters; how many rounds they ask for has no say.
            seed: Seed of all randomness.
        """
        ...


class Growth(Protocol):
    """A fit that is going on.

    What it has grown to after a number of rounds is a fit of so many rounds, bit for bit, whatever
    stops it made on the way and whatever else was fitted between them.

    Attributes:
        held_bytes: Memory that it takes until it is dropped, about; a search that is short of it
            drops fits and begins them again.
    """

    @property
    def held_bytes(self) -> int: ...  # noqa: D102 - see the class

    def to(self, n_rounds: int) -> Fitted:
        """Go on to a number of rounds, at least those there are; usable until it goes on again."""
        ...


class Family(Protocol):
    """A kind of estimator, chosen by name in a pipeline file.

    Attributes:
        name: Name in the pipeline file.
        tasks: What it can predict.
        platform: Name of the format that `Fitted.to_files` writes.
        accepts_missing: Whether NaN in a feature is a value like others.
        rounds: Name of the parameter that counts rounds, each of which improves the fit; None where
            there is none.
    """

    @property
    def name(self) -> str: ...  # noqa: D102 - see the class
    @property
    def tasks(self) -> tuple[Task, ...]: ...  # noqa: D102 - see the class
    @property
    def platform(self) -> str: ...  # noqa: D102 - see the class
    @property
    def accepts_missing(self) -> bool: ...  # noqa: D102 - see the class
    @property
    def rounds(self) -> str | None: ...  # noqa: D102 - see the class

    def check_params(self, params: Mapping[str, object], task: Task | None = None) -> list[str]:
        """Mistakes in parameter names and values, as sentences; empty where there are none.

        Args:
            params: Parameters as the pipeline file gives them.
            task: Task they are for; without it the parameters of every task are known.
        """
        ...

    def resolve_params(self, params: Mapping[str, object], task: Task) -> dict[str, object]:
        """All parameters of a fit, defaults filled in, sorted by name.

        Raises:
            ModelError: `check_params` finds a mistake.
        """
        ...

    def fit(
        self,
        X: NDArray[np.float32],
        y: NDArray[np.int32] | NDArray[np.float64],
        params: Mapping[str, object],
        *,
        task: Task,
        n_classes: int,
        seed: int,
        threads: int,
    ) -> Fitted:
        """Fit on all rows, in their order.

        Args:
            X: Feature rows, C-contiguous, shape ``(n_rows, n_features)``; NaN is missing.
            y: Class indices (int32) or target values (float64), shape ``(n_rows,)``.
            params: Parameters; defaults fill those left out.
            task: What is predicted.
            n_classes: Classes there are; 0 for a regression.
            seed: Seed of all randomness, 0 to 2^63 - 1.
            threads: Threads of this fit.

        Raises:
            ModelError: The parameters or the rows cannot be used.
        """
        ...

    def prepare(
        self,
        X: NDArray[np.float32],
        y: NDArray[np.int32] | NDArray[np.float64],
        *,
        task: Task,
        n_classes: int,
        threads: int,
    ) -> Training:
        """Make rows ready for many fits; the arguments are those of `fit`."""
        ...

    def from_files(self, files: Mapping[str, bytes], *, task: Task, n_classes: int) -> Fitted:
        """Load what `Fitted.to_files` wrote, from bytes whose digests were checked.

        Raises:
            ModelError: The files are absent, damaged or hold something else.
        """
        ...
