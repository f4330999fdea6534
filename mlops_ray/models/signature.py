"""What a model takes and what it answers: typed inputs, ordered classes, format of its files."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, Self, get_args

from mlops_ray.config.model import TASKS, Task
from mlops_ray.errors import ManifestError, ModelError
from mlops_ray.manifest.canonical import canonical_bytes, from_canonical

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mlops_ray.models.estimator import Family

__all__ = ["SIGNATURE_SCHEMA", "ClassLabel", "InputDtype", "InputField", "Signature"]

SIGNATURE_SCHEMA: Final = "mlops-ray/signature/v1"

InputDtype = Literal["float64", "int64", "string", "bool", "timestamp", "date"]
ClassLabel = int | str | bool

_LARGEST_LABEL: Final = 2**53 - 1  # Canonical JSON writes larger integers as strings.
_DTYPES: Final[dict[str, InputDtype]] = {
    "float": "float64",
    "integer": "int64",
    "string": "string",
    "boolean": "bool",
    "timestamp": "timestamp",
    "date": "date",
}


@dataclass(frozen=True, slots=True)
class InputField:
    """One input of a model.

    Attributes:
        name: Column of the table, key of the record.
        dtype: Type of a value that is present.
        nullable: Whether a null is answered; otherwise it is refused.
    """

    name: str
    dtype: InputDtype
    nullable: bool


@dataclass(frozen=True, slots=True)
class Signature:
    """Inputs and outputs of a model.

    Attributes:
        task: What is predicted.
        inputs: In the order of the feature state.
        classes: Labels in the order of the probability columns; empty for a regression.
        family: Name of the estimator family.
        platform: Format of the estimator's files.
        threshold: From which probability on the second of two classes is told; None where the more
            probable one is.
        calibration: How the probabilities were calibrated; None where they are the estimator's own.
    """

    task: Task
    inputs: tuple[InputField, ...]
    classes: tuple[ClassLabel, ...]
    family: str
    platform: str
    threshold: float | None = None
    calibration: str | None = None

    @classmethod
    def of(
        cls,
        family: Family,
        task: Task,
        classes: Iterable[ClassLabel],
        inputs: Iterable[tuple[str, str, bool]],
    ) -> Self:
        """Signature of a model to be bundled.

        Args:
            family: Family of the estimator.
            task: What it predicts.
            classes: Labels in class order; empty for a regression.
            inputs: Name, logical type of the column, and whether a null is answered.

        Raises:
            ModelError: A class label has no canonical JSON form.
        """
        labels = tuple(classes)
        if any(isinstance(label, int) and abs(label) > _LARGEST_LABEL for label in labels):
            raise ModelError(
                "a class label is too large for JSON",
                str(max(labels, key=lambda label: abs(int(label)))),
                f"at most {_LARGEST_LABEL}",
                "make the target a string column",
            )
        fields = tuple(
            InputField(name, _DTYPES[logical], nullable=nullable)
            for name, logical, nullable in inputs
        )
        return cls(task, fields, labels, family.name, family.platform)

    @property
    def n_classes(self) -> int:
        """Number of classes; 0 for a regression."""
        return len(self.classes)

    @property
    def output_names(self) -> tuple[str, ...]:
        """Names of the outputs: ``label`` and ``probability``, or ``value``."""
        return ("label", "probability") if self.classes else ("value",)

    def to_bytes(self) -> bytes:
        """The signature as canonical JSON."""
        outputs: list[dict[str, Any]] = [{"name": name} for name in self.output_names]
        if self.classes:
            outputs = [{**output, "classes": list(self.classes)} for output in outputs]
        decided = {"threshold": self.threshold, "calibration": self.calibration}
        return canonical_bytes(
            {
                "schema": SIGNATURE_SCHEMA,
                "task": self.task,
                "inputs": [asdict(field) for field in self.inputs],
                "outputs": outputs,
                "family": self.family,
                "platform": self.platform,
                **{name: value for name, value in decided.items() if value is not None},
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what `to_bytes` wrote; members that are not known are ignored.

        Raises:
            ManifestError: Another schema, or a member is absent or of another type.
        """
        document = from_canonical(data)
        if not isinstance(document, dict) or document.get("schema") != SIGNATURE_SCHEMA:
            got = document.get("schema") if isinstance(document, dict) else type(document).__name__
            raise ManifestError(
                "not a signature this version can read",
                repr(got),
                SIGNATURE_SCHEMA,
                "upgrade mlops_ray",
            )
        try:
            return cls._from_document(document)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise ManifestError("the signature is malformed", repr(error)) from error

    @classmethod
    def _from_document(cls, document: Mapping[str, Any]) -> Self:
        task = document["task"]
        inputs = tuple(
            InputField(str(field["name"]), field["dtype"], nullable=field["nullable"] is True)
            for field in document["inputs"]
        )
        unknown = {field.dtype for field in inputs} - set(get_args(InputDtype))
        if task not in TASKS or unknown:
            raise ValueError(f"task {task!r}, dtypes {sorted(unknown)}")
        classes = tuple(document["outputs"][0].get("classes", ()))
        if (task == "regression") != (not classes):
            raise ValueError(f"task {task!r} with {len(classes)} classes")
        threshold = document.get("threshold")
        if threshold is not None and len(classes) != 2:
            raise ValueError(f"a threshold with {len(classes)} classes")
        return cls(
            task,
            inputs,
            classes,
            document["family"],
            document["platform"],
            None if threshold is None else float(threshold),
            document.get("calibration"),
        )
