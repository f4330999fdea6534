"""A feature set: declared features with all that was fitted, as one object named by its content.

Several models can use it as it is. It says what it was fitted on, which functions of the project it
calls, and how the folds of its target encodings are dealt, so that a row's own target stays out of
its encoding wherever the set is used again.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Self

from mlops_ray.errors import ManifestError
from mlops_ray.features.compiled import CompiledTransform
from mlops_ray.features.feature_examples import Example, Golden
from mlops_ray.features.folds import Folds
from mlops_ray.features.plan import FeatureSpec, specs_of
from mlops_ray.features.state import FeatureState
from mlops_ray.manifest.canonical import canonical_bytes, from_canonical
from mlops_ray.manifest.spec import FeatureDeclaration
from mlops_ray.storage import digest

if TYPE_CHECKING:
    from mlops_ray.data.schema import Schema

__all__ = ["FEATURE_SET_SCHEMA", "FeatureSet", "FittedOn", "OwnFunction"]

FEATURE_SET_SCHEMA: Final = "mlops-ray/feature-set/v1"


@dataclass(frozen=True, slots=True)
class FittedOn:
    """The rows that a set was fitted on.

    Attributes:
        fingerprint: Of all rows of the run.
        membership: Of the training rows.
        n_rows: Training rows.
    """

    fingerprint: str
    membership: str
    n_rows: int


@dataclass(frozen=True, slots=True)
class OwnFunction:
    """A function of the project that a set calls.

    Attributes:
        name: ``module:function``.
        version: The declared one.
        files: Digests of the files that it consists of, by path.
    """

    name: str
    version: int
    files: dict[str, str]

    @property
    def module(self) -> str:
        """Where the function stands."""
        return self.name.partition(":")[0]


@dataclass(frozen=True)
class FeatureSet:
    """Features that were declared and fitted.

    Attributes:
        declared: Each feature and its steps with all defaults, in the order of the matrix.
        state: What was fitted.
        fitted_on: The rows that it was fitted on.
        folds: How training rows are dealt into folds; None where no step has folds.
        functions: Functions of the project.
        examples: Declared ones.
        golden: Made-up records and what this set makes of them, bit for bit.
        original: The bytes that it was read from, whose digest stays its identity.
    """

    declared: tuple[FeatureDeclaration, ...]
    state: FeatureState
    fitted_on: FittedOn
    folds: Folds | None
    functions: tuple[OwnFunction, ...]
    examples: tuple[Example, ...]
    golden: Golden
    original: bytes | None = field(default=None, repr=False, compare=False)

    @property
    def inputs(self) -> Schema:
        """Input columns and their logical types."""
        return self.state.inputs

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the matrix' columns."""
        return self.state.outputs

    @property
    def specs(self) -> list[FeatureSpec]:
        """The declared features, as they are fitted."""
        return specs_of(self.declared, self.inputs)

    @cached_property
    def transform(self) -> CompiledTransform:
        """Rows to features.

        Raises:
            ModelError: A function of the project cannot be imported here.
        """
        return CompiledTransform(self.state)

    @cached_property
    def digest(self) -> str:
        """Its identity, and its name in a store."""
        return digest(self.to_bytes())

    def to_bytes(self) -> bytes:
        """The bytes that were read; canonical JSON of a set that was made here."""
        return canonical_bytes(self.to_json()) if self.original is None else self.original

    def to_json(self) -> dict[str, Any]:
        """The document of the set."""
        fitted_on, folds = self.fitted_on, self.folds
        content: dict[str, Any] = {
            "schema": FEATURE_SET_SCHEMA,
            "declared": [d.model_dump(mode="json", exclude_none=True) for d in self.declared],
            "state": self.state.to_json(),
            "fitted_on": {
                "fingerprint": fitted_on.fingerprint,
                "membership": fitted_on.membership,
                "n_rows": fitted_on.n_rows,
            },
            "functions": [
                {"name": f.name, "version": f.version, "files": f.files} for f in self.functions
            ],
            "examples": [example.to_text() for example in self.examples],
            "golden": self.golden.to_json(),
        }
        if folds is not None:
            content["folds"] = {"columns": list(folds.columns), "salt": str(folds.salt)}
        return content

    def with_golden(self, golden: Golden) -> Self:
        """The same set with other golden examples."""
        return replace(self, golden=golden, original=None)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """The inverse of `to_bytes`.

        Raises:
            ManifestError: The bytes are no feature set that this version can read.
        """
        content = from_canonical(data)
        if not isinstance(content, dict) or content.get("schema") != FEATURE_SET_SCHEMA:
            got = content.get("schema") if isinstance(content, dict) else type(content).__name__
            hint = "name a set as NAME@VERSION, a run, or the digest of a set"
            raise ManifestError("not a feature set", repr(got), FEATURE_SET_SCHEMA, hint)
        try:
            return cls._of(content, data)
        except (KeyError, TypeError, ValueError) as error:
            raise ManifestError("the feature set is malformed", repr(error)) from error

    @classmethod
    def _of(cls, content: dict[str, Any], data: bytes) -> Self:
        folds = content.get("folds")
        return cls(
            declared=tuple(map(FeatureDeclaration.model_validate, content["declared"])),
            state=FeatureState.from_json(content["state"]),
            fitted_on=FittedOn(**content["fitted_on"]),
            folds=None if folds is None else Folds(tuple(folds["columns"]), int(folds["salt"])),
            functions=tuple(OwnFunction(**function) for function in content["functions"]),
            examples=tuple(map(Example.from_text, content["examples"])),
            golden=Golden.from_json(content["golden"]),
            original=data,
        )
