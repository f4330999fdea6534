"""Golden examples: records with the exact answers a model gave when it was made.

Replaying them where the model is to be used shows two things before the first request: that this
machine computes the recorded bits, and that an answer does not depend on the rows around it.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from mlops_ray.errors import ManifestError, ModelError, UnstableModelError
from mlops_ray.manifest.canonical import canonical_bytes, from_canonical
from mlops_ray.models.outputs import chosen_classes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from mlops_ray.models.outputs import Outputs
    from mlops_ray.models.signature import Signature

__all__ = [
    "GOLDEN_SCHEMA",
    "RecordPredictor",
    "golden_examples",
    "golden_records",
    "records_of",
    "replay",
]

GOLDEN_SCHEMA: Final = "mlops-ray/golden/v1"
# Odd sizes around the blocks in which BLAS, SIMD loops and XGBoost work.
_COMPANY_SIZES: Final = (2, 7, 31, 257)


class RecordPredictor(Protocol):
    """Whatever answers records."""

    def predict_records(self, records: Sequence[Mapping[str, Any]]) -> Outputs:
        """Answer each record."""
        ...


def records_of(table: pa.Table, signature: Signature) -> list[dict[str, Any]]:
    """Rows of a table as records with a model's inputs; NaN becomes null.

    Args:
        table: Holds at least the inputs of the signature.
        signature: Which columns to take.
    """
    rows = table.select([field.name for field in signature.inputs]).to_pylist()
    return [{name: _nan_to_null(value) for name, value in row.items()} for row in rows]


def golden_examples(predictor: RecordPredictor, records: Sequence[Mapping[str, Any]]) -> bytes:
    """Ask for the answers to `records` and write both down as canonical JSON.

    Args:
        predictor: The model.
        records: At least one.

    Returns:
        The document; numbers answered stand in it as hexadecimal floats, so every bit is there.

    Raises:
        ModelError: There are no records.
    """
    if not records:
        raise ModelError("golden examples need at least one record")
    answers = predictor.predict_records(records).numbers
    return canonical_bytes(
        {
            "schema": GOLDEN_SCHEMA,
            "records": [_record_text(record) for record in records],
            "answers": [[number.hex() for number in row] for row in answers.tolist()],
        }
    )


def replay(
    predictor: RecordPredictor,
    document: bytes,
    tolerance: float = 0.0,
    threshold: float | None = None,
) -> int:
    """Ask again, together, reversed, alone and in larger company, and compare.

    Args:
        predictor: The model.
        document: What `golden_examples` wrote.
        tolerance: How far a number may lie from the recorded one, relative to that; labels may not
            change. At 0 every bit has to match. The company of a row may never change a bit.
        threshold: That of the labels, see `outputs.chosen_classes`.

    Returns:
        Number of examples replayed.

    Raises:
        UnstableModelError: An answer depends on the rows asked with it.
        ModelError: Answers are stable but others than recorded.
        ManifestError: The document cannot be read.
    """
    records, recorded = _read(document)
    outputs = predictor.predict_records(records)
    _check_company(predictor, records, outputs.numbers)
    error = ModelError(
        "this machine does not compute the recorded answers",
        hint="compare packages and processor with those in the run's manifest",
    )
    if tolerance:
        _check_near(outputs, recorded, (tolerance, threshold), error)
    else:
        _check_equal(outputs.numbers, recorded, error)
    return len(records)


def golden_records(document: bytes) -> list[dict[str, Any]]:
    """The records of a document that `golden_examples` wrote.

    Raises:
        ManifestError: The document cannot be read.
    """
    return _read(document)[0]


def _check_company(
    predictor: RecordPredictor,
    records: Sequence[Mapping[str, Any]],
    together: NDArray[np.float64],
) -> None:
    n = len(records)
    companies = [[row] for row in range(n)]
    companies.append(list(reversed(range(n))))
    companies += [[row % n for row in range(size)] for size in _COMPANY_SIZES]
    for rows in companies:
        answers = predictor.predict_records([records[row] for row in rows]).numbers
        _check_equal(
            answers,
            together[rows],
            UnstableModelError(
                f"an answer changes when {len(rows)} instead of {n} rows are asked at once",
                hint="such a model is not served: an online answer could not be checked against "
                "a batch; use a family with a fixed order of additions",
            ),
        )


def _check_equal(got: NDArray[np.float64], wanted: NDArray[np.float64], error: ModelError) -> None:
    """Raise `error`, completed by the first difference, unless all bits are equal."""
    _check_shape(got, wanted, error)
    different = np.argwhere(got.view(np.uint64) != np.ascontiguousarray(wanted).view(np.uint64))
    if different.size:
        row, column = (int(i) for i in different[0])
        raise type(error)(
            f"{error.what} (example {row}, output {column})",
            float(got[row, column]).hex(),
            float(wanted[row, column]).hex(),
            error.hint,
        )


def _check_near(
    outputs: Outputs,
    wanted: NDArray[np.float64],
    limits: tuple[float, float | None],
    error: ModelError,
) -> None:
    """Raise `error`, completed by the first difference beyond the tolerance or in a label."""
    tolerance, threshold = limits
    got = outputs.numbers
    _check_shape(got, wanted, error)
    distant = np.argwhere(~_is_near(got, wanted, tolerance))
    if distant.size:
        row, column = (int(i) for i in distant[0])
        raise ModelError(
            f"{error.what} within a relative {tolerance:g} (example {row}, output {column})",
            repr(float(got[row, column])),
            repr(float(wanted[row, column])),
            error.hint,
        )
    if outputs.label is None:
        return
    told, told_before = chosen_classes(got, threshold), chosen_classes(wanted, threshold)
    moved = np.flatnonzero(told != told_before)
    if moved.size:
        row = int(moved[0])
        raise ModelError(
            f"{error.what}: the label of example {row} changes",
            f"class {int(told[row])}",
            f"class {int(told_before[row])}",
            error.hint,
        )


def _is_near(
    got: NDArray[np.float64], wanted: NDArray[np.float64], tolerance: float
) -> NDArray[np.bool_]:
    """Whether each number is near enough; NaN is near NaN alone, infinity near itself alone."""
    is_finite = np.isfinite(got) & np.isfinite(wanted)
    with np.errstate(over="ignore"):  # Two huge numbers of other signs are far from each other.
        distance = np.abs(np.where(is_finite, got, 0.0) - np.where(is_finite, wanted, 0.0))
    near = distance <= tolerance * np.abs(np.where(is_finite, wanted, 0.0))
    equal = (got == wanted) | (np.isnan(got) & np.isnan(wanted))
    return np.asarray(np.where(is_finite, near, equal), dtype=np.bool_)


def _check_shape(got: NDArray[np.float64], wanted: NDArray[np.float64], error: ModelError) -> None:
    if got.shape != wanted.shape:
        raise type(error)(error.what, str(got.shape), str(wanted.shape), error.hint)


def _read(document: bytes) -> tuple[list[dict[str, Any]], NDArray[np.float64]]:
    content = from_canonical(document)
    if not isinstance(content, dict) or content.get("schema") != GOLDEN_SCHEMA:
        raise ManifestError("not golden examples this version can read", wanted=GOLDEN_SCHEMA)
    try:
        records = [dict(json.loads(record)) for record in content["records"]]
        answers = [[float.fromhex(number) for number in row] for row in content["answers"]]
    except (KeyError, TypeError, ValueError) as error:
        raise ManifestError("the golden examples are malformed", repr(error)) from error
    if not records or len(records) != len(answers):
        raise ManifestError("the golden examples are incomplete")
    return records, np.array(answers, dtype=np.float64)


def _record_text(record: Mapping[str, Any]) -> str:
    # As text, since canonical JSON turns 2**60 into a string and -0.0 into 0.
    return json.dumps(record, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _nan_to_null(value: Any) -> Any:  # noqa: ANN401 - a cell
    return None if isinstance(value, float) and math.isnan(value) else value
