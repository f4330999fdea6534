"""The spec: everything that was asked, known before anything runs; its digest is `spec_id`.

`run` executes a spec and nothing else, so a record that is enough to run is enough to run again.
It holds no path, host, time or uuid: two machines that ask the same ask with the same id.
"""

from __future__ import annotations

import operator
from functools import partial
from typing import Any, Literal

from pydantic import Field

from mlops_ray.config.contract import ContractConfig
from mlops_ray.config.environment import EnvironmentConfig
from mlops_ray.config.model import (
    GateConfig,
    ModelConfig,
    MonitorConfig,
    ObjectiveConfig,
    RegisterConfig,
    ServeConfig,
    SplitConfig,
    Task,
)
from mlops_ray.config.search import SearchConfig
from mlops_ray.config.validation import EvaluationConfig, ValidationConfig
from mlops_ray.manifest.document import Document, Part

__all__ = [
    "CodeFacts",
    "EnvironmentFacts",
    "FeatureDeclaration",
    "FeatureSetFacts",
    "InputFacts",
    "Spec",
    "SpecData",
]


class InputFacts(Part):
    """One input file, by content.

    Attributes:
        name: POSIX path inside the source folder; decides the order of the rows.
        format: How it is read.
        sha256: Digest of its raw bytes.
        size_bytes: Its size.
    """

    name: str
    format: Literal["parquet", "csv", "jsonl"]
    sha256: str
    size_bytes: int


class SpecData(Part):
    """The input table and the roles of its columns.

    Attributes:
        casts: Columns whose type was declared, whatever the files hold; absent before version 1.2.
        as_of: When the data are judged, ISO 8601; absent before version 1.2.
        on_bad_file: Whether a file that cannot be read is left out; before 1.2 it never was.
        contract: The rules they are held against; absent before version 1.2.
        weight: Column of the rows' weights; absent where they count the same, and before 1.8.
    """

    inputs: list[InputFacts]
    columns: dict[str, str]
    task: Task
    target: str
    key: list[str]
    order_by: list[str]
    time: str | None = None
    weight: str | None = None
    casts: dict[str, str] = Field(default_factory=dict, exclude_if=operator.not_)
    as_of: str | None = None
    on_bad_file: Literal["fail", "quarantine"] = Field(
        default="fail", exclude_if=partial(operator.eq, "fail")
    )
    contract: ContractConfig | None = None
    pii: list[str] = Field(default_factory=list)
    notes: dict[str, str] = Field(default_factory=dict)


class FeatureDeclaration(Part):
    """One feature of the model and its steps, globs resolved, in the order of the matrix.

    Attributes:
        column: The input column, or the name of a feature that several columns make.
        kind: Whether values are measured, told apart, or times; times since version 1.2.
        steps: Each with all defaults.
        inputs: The columns of such a feature; absent before version 1.2 and for one column.
    """

    column: str
    kind: Literal["number", "category", "time"]
    steps: list[dict[str, Any]]
    inputs: list[str] | None = None

    @property
    def columns(self) -> list[str]:
        """The input columns."""
        return [self.column] if self.inputs is None else self.inputs


class FeatureSetFacts(Part):
    """A feature set that is used, or what belongs to one that may be made of the run.

    Attributes:
        used: Digest of the set whose fitted features are taken as they are; None where the run fits
            its own.
        examples: Declared ones, each as JSON text with ``record``, ``outputs``, ``tolerance``.
    """

    used: str | None = None
    examples: list[str] = Field(default_factory=list, exclude_if=operator.not_)


class CodeFacts(Part):
    """The code that runs: digest of the tree of files, which is stored as an object."""

    tree: str
    n_files: int


class EnvironmentFacts(Part):
    """What changes behaviour beside the packages; nothing that names a host, a path or a time.

    Attributes:
        implementation: Implementation of Python, such as ``cpython``.
        threads: Variables that every worker runs with: threads of the numeric libraries and the
            seed of Python's hashes.
    """

    implementation: str
    threads: dict[str, str]


class Spec(Document):
    """What was asked, with all defaults resolved.

    Attributes:
        seeds: Seed of each use of randomness, derived from `seed`; decimal, as JSON cannot
            hold it.
        seed_rule: Name of the derivation, see `mlops_ray.runtime.seeds`.
        feature_set: Absent where none is used or declared, and before version 1.3.
        model: The family ``sklearn`` with its ``estimator`` since 1.6; what a fit is told beside
            parameters since 1.8; ``training`` not in memory, and its ``workers``, since 1.10.
        search: Steps, conditions, searchers other than ``random`` and a warm start since 1.4,
            halving since 1.5, a timeout that is declared since 1.6, a rule of choice since 1.7, a
            time budget and patience since 1.9, halving by shares of the rows since 1.11.
        split: Without ``valid`` since 1.7, where the training rows are dealt into folds.
        validation: The folds; absent where there are none, and before version 1.7.
        evaluation: Declared metrics and intervals; absent where none are, and before version 1.7.
        packages: Versions of Python and of the packages that can change a result.
        environment: What else of the software can; absent before version 1.1.
        environment_policy: What is declared under ``environment``; absent before version 1.1.
    """

    schema_: Literal["mlops-ray/spec/v1"] = "mlops-ray/spec/v1"
    schema_version: str = "1.11"
    name: str
    owner: str
    objective: ObjectiveConfig
    seed: int
    seeds: dict[str, str]
    seed_rule: str | None = None
    data: SpecData
    split: SplitConfig
    features: list[FeatureDeclaration]
    feature_set: FeatureSetFacts | None = None
    model: ModelConfig
    search: SearchConfig
    validation: ValidationConfig | None = None
    evaluation: EvaluationConfig | None = None
    gates: list[GateConfig]
    register_: RegisterConfig | None = Field(default=None, alias="register")
    serve: ServeConfig
    monitor: MonitorConfig
    code: CodeFacts
    packages: dict[str, str]
    environment: EnvironmentFacts | None = None
    environment_policy: EnvironmentConfig | None = None
