"""The predictor: from rows to outputs, the same for a table, records and columns. Ray-free.

All three ways in go through one compiled transform and one fitted estimator, so batch prediction,
the endpoint and the evaluation of a run agree bit for bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlops_ray.errors import ModelError
from mlops_ray.features import CompiledTransform, FeatureState
from mlops_ray.manifest.canonical import from_canonical
from mlops_ray.models.assembled import load_assembled
from mlops_ray.models.bundle import FEATURES_FILE, GOLDEN_FILE, SIGNATURE_FILE
from mlops_ray.models.families import family_named
from mlops_ray.models.golden import replay
from mlops_ray.models.outputs import Outputs
from mlops_ray.models.signature import Signature

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from mlops_ray.models.bundle import Bundle

__all__ = ["Predictor"]


class Predictor:
    """Answers rows from a bundle.

    Args:
        bundle: The model.
        golden_tolerance: How far a golden answer may lie from the recorded one, relative to that;
            at 0, the default, every bit has to match.

    Attributes:
        bundle: What was loaded.
        signature: Inputs and outputs.
    """

    def __init__(self, bundle: Bundle, *, golden_tolerance: float = 0.0) -> None:
        """Load transform and estimator; the bundle's digests were checked when it was read.

        Raises:
            ManifestError: A document of the bundle is absent, malformed or of an unknown version.
            ModelError: The estimator cannot be loaded.
        """
        self.bundle = bundle
        self._golden_tolerance = golden_tolerance
        self.signature = Signature.from_bytes(bundle.file(SIGNATURE_FILE))
        family = family_named(self.signature.family)
        state = FeatureState.from_json(from_canonical(bundle.file(FEATURES_FILE)))
        self._transform = CompiledTransform(state, accepts_missing=family.accepts_missing)
        self._fitted = load_assembled(
            bundle.model_files,
            family,
            task=self.signature.task,
            n_classes=self.signature.n_classes,
        )

    def predict_table(self, table: pa.Table) -> Outputs:
        """Answer each row of a table, which may have other columns too.

        Raises:
            ColumnError: An input column is absent, of another type, or a value cannot be used.
        """
        return self._predict(self._transform.from_table(table))

    def predict_records(self, records: Sequence[Mapping[str, Any]]) -> Outputs:
        """Answer each record, as JSON gives them; null is a missing value.

        Raises:
            RecordError: A record does not fit; names record and field.
        """
        return self._predict(self._transform.from_records(records))

    def predict_columns(self, columns: Mapping[str, Sequence[Any]]) -> Outputs:
        """Answer rows given column by column, None being a missing value.

        Raises:
            RecordError: A column or a value does not fit; names row and field.
        """
        return self._predict(self._transform.from_columns(columns))

    def predict_matrix(self, X: NDArray[np.float32]) -> Outputs:
        """Answer feature rows that the bundle's own feature state made.

        Args:
            X: C-contiguous, shape ``(n_rows, n_features)``.

        Raises:
            ModelError: It is not dense. A family may take absent entries for missing values, as
                XGBoost does, or add in another order, and answer otherwise.
        """
        if not isinstance(X, np.ndarray):
            got, hint = type(X).__name__, "X.toarray() has the same bits"
            raise ModelError("models answer dense matrices", got, "a numpy array", hint)
        return self._predict(X)

    def replay_golden(self) -> int:
        """Check the recorded examples on this machine; returns how many there are.

        Raises:
            UnstableModelError: An answer depends on the rows asked with it.
            ModelError: This machine computes other answers than were recorded.
            ManifestError: The bundle has no golden examples, or they cannot be read.
        """
        document, threshold = self.bundle.file(GOLDEN_FILE), self.signature.threshold
        return replay(self, document, self._golden_tolerance, threshold)

    def _predict(self, X: NDArray[np.float32]) -> Outputs:
        if not len(X):  # Not every estimator takes no rows for an answer.
            width = self.signature.n_classes
            return Outputs.of(self.signature, np.empty((0, width) if width else 0))
        return Outputs.of(self.signature, self._fitted.predict(X))
