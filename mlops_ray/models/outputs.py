"""A model's answers under the names they have everywhere: label and probability, or value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from mlops_ray.errors import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlops_ray.models.signature import ClassLabel, Signature

__all__ = ["Outputs", "chosen_classes"]


def chosen_classes(probabilities: NDArray[np.float64], threshold: float | None) -> NDArray[np.intp]:
    """Index of the class that is told for each row.

    Args:
        probabilities: Shape ``(n_rows, n_classes)``.
        threshold: From which probability on the second of two classes is told; None for the most
            probable class, of equals the first.

    Example:
        >>> chosen_classes(np.array([[0.7, 0.3], [0.8, 0.2]]), 0.3).tolist()
        [1, 0]
    """
    if threshold is None:
        return np.asarray(probabilities.argmax(axis=1), dtype=np.intp)
    return np.asarray(probabilities[:, 1] >= threshold, dtype=np.intp)


@dataclass(frozen=True, slots=True)
class Outputs:
    """Answers to some rows, in their order.

    Attributes:
        label: The most probable class of each row; of equals the first. With a threshold the second
            class where its probability is at least that. None for a regression.
        probability: Shape ``(n_rows, n_classes)``, in class order. None for a regression.
        value: Shape ``(n_rows,)``. None for a classification.
    """

    label: list[ClassLabel] | None
    probability: NDArray[np.float64] | None
    value: NDArray[np.float64] | None

    @classmethod
    def of(cls, signature: Signature, answers: NDArray[np.float64]) -> Self:
        """Name what `Fitted.predict` gave.

        Raises:
            ModelError: The shape does not fit the signature, or an answer is not finite.
        """
        width = signature.n_classes
        if answers.shape[1:] != ((width,) if width else ()):
            raise ModelError(
                "the estimator's answer does not fit the signature",
                f"shape {answers.shape}",
                f"{width} probabilities a row" if width else "one value a row",
            )
        if not np.isfinite(answers).all():
            row = int(np.argmin(np.isfinite(answers.reshape(len(answers), -1)).all(axis=1)))
            raise ModelError(f"the estimator's answer to row {row} is not finite")
        if not width:
            return cls(None, None, answers)
        chosen = chosen_classes(answers, signature.threshold).tolist()
        labels = [signature.classes[at] for at in chosen]
        return cls(labels, answers, None)

    @property
    def numbers(self) -> NDArray[np.float64]:
        """Probabilities or values as a matrix with one line a row, C-contiguous."""
        numbers = self.value if self.probability is None else self.probability
        if numbers is None:
            raise ModelError("an answer holds neither probability nor value")
        return np.ascontiguousarray(numbers[:, np.newaxis] if numbers.ndim == 1 else numbers)

    @property
    def n_rows(self) -> int:
        """Rows answered."""
        return len(self.numbers)

    def to_json(self) -> dict[str, list[Any]]:
        """Plain lists; floats keep their bits through a JSON text.

        Example:
            >>> Outputs(None, None, np.array([0.1])).to_json()
            {'value': [0.1]}
        """
        if self.label is None or self.probability is None:
            return {"value": self.numbers[:, 0].tolist()}
        return {"label": list(self.label), "probability": self.probability.tolist()}
