"""Holds a pipeline file against its data and its estimator, before Ray starts or a byte is kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_ray.data.contract import check_target_type
from mlops_ray.data.quarantine import shared_schema
from mlops_ray.data.schema import schema_of
from mlops_ray.data.source import InputFile, find_files
from mlops_ray.data.unit import list_units
from mlops_ray.data.unit_schema import check_typed, read_schema
from mlops_ray.data.weights import check_weight_type
from mlops_ray.errors import (
    ColumnError,
    ConfigError,
)
from mlops_ray.features.plan import FeatureSpec, further_passes, resolve_features
from mlops_ray.pipeline.column_checks import (
    check_present,
    check_recorded_names,
    declared_casts,
    place_of,
    special_columns,
    used_columns,
)
from mlops_ray.pipeline.contract_rules import check_rules, check_schema, plan_of
from mlops_ray.pipeline.feature_functions import check_functions
from mlops_ray.pipeline.feature_set_checks import (
    check_examples,
    check_folds,
    check_inputs,
    check_set_functions,
)
from mlops_ray.pipeline.metric_checks import check_metrics
from mlops_ray.pipeline.model_checks import (
    check_family_source,
    check_feature_names,
)
from mlops_ray.pipeline.searcher_checks import check_searcher
from mlops_ray.pipeline.snapshot import snapshot_of, source_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_ray.config.loader import LoadedConfig
    from mlops_ray.data.schema import Schema
    from mlops_ray.data.source import FoundFile
    from mlops_ray.features.feature_set import FeatureSet
    from mlops_ray.storage import ObjectStore

__all__ = ["Resolved", "resolve"]


@dataclass(frozen=True, slots=True)
class Resolved:
    """A pipeline file that fits its data.

    Attributes:
        loaded: The file.
        files: Input files; of a source without files its snapshot, whose digest is known.
        source: Where the rows come from, as given.
        has_files: Whether the source has files of its own.
        schema: Logical types of the columns that the run reads, in the order of the files.
        features: Inputs of the model in the order of the matrix.
        feature_set: The set that they are taken from as they were fitted; None where the run fits
            them.
    """

    loaded: LoadedConfig
    files: list[FoundFile]
    source: str
    has_files: bool
    schema: Schema
    features: list[FeatureSpec]
    feature_set: FeatureSet | None = None

    def to_json(self) -> dict[str, Any]:
        """The content of ``mlops-ray/check/v1``."""
        config = self.loaded.config
        return {
            "name": config.name,
            "files": len(self.files),
            "size_bytes": sum(file.size_bytes for file in self.files),
            "columns": len(self.schema),
            "features": [spec.name for spec in self.features],
            "passes": 1
            + config.split.stratify
            + (0 if self.feature_set else further_passes(self.features)),
            "target": config.data.target,
            "family": config.model.family_name,
            "trials": config.search.trials,
        }


def resolve(
    loaded: LoadedConfig,
    root: Path,
    store: ObjectStore,
    data: object = None,
    *,
    keep: bool = False,
    feature_set: FeatureSet | None = None,
) -> Resolved:
    """Find the files, read their schema, resolve the features.

    Args:
        loaded: The pipeline file.
        root: Project root; relative data paths start there.
        store: May hold the snapshot of a bundled table.
        data: A table to be read instead of the declared source.
        keep: Whether the snapshot of a source without files is put into the store; else the store
            is not written.
        feature_set: The one that the pipeline file names.

    Raises:
        InvalidConfigError: A rule of the contract cannot be used.
        SourceError: There are no files, or they cannot be read or disagree.
        ContractError: No features can be made, since columns break the contract.
        ColumnError: A column is absent or has a type that its steps cannot take.
        ConfigError: The name of a file or a column seems to hold a secret.
        ConfigError: The pipeline file names no source, and no table was given.
        ConfigError: A distributed fit has more workers than the input has units.
    """
    files, schema = _files_and_schema(loaded, root, store, data, keep=keep)
    check_rules(loaded)
    _check_own_code(loaded, root, feature_set)
    check_metrics(loaded, root)
    _check_shares(loaded, files)
    special = special_columns(loaded)
    try:
        check_present(loaded, special, schema)
        check_target_type(schema, loaded.config.data)
        if loaded.config.data.weight is not None:
            check_weight_type(schema, loaded.config.data.weight, place_of(loaded, "data.weight"))
        features = _features(loaded, schema, set(special.values()), feature_set)
    except (ColumnError, ConfigError):
        check_schema(loaded, schema)  # What was declared of the columns says it better.
        # The type that does not fit may be no type at all: a column without a value.
        if all(isinstance(file.path, Path) and file.path.is_file() for file in files):
            check_typed(files, used_columns(loaded, schema, feature_set))
        raise
    plan = plan_of(loaded.config.data)
    ruled = [] if plan is None else plan.columns
    used = {*special.values(), *(c for spec in features for c in spec.columns), *ruled}
    kept = {name: dtype for name, dtype in schema.items() if name in used}
    check_recorded_names([file.name for file in files], kept)
    text = source_text(loaded.config.data.source, data)
    has_files = not any(isinstance(file, InputFile) for file in files)
    check_examples(loaded, features)
    check_feature_names(loaded, features)
    if feature_set is not None:
        check_folds(feature_set, loaded.config.data.key, kept, place_of(loaded, "data.key"))
    return Resolved(loaded, files, text, has_files, kept, features, feature_set)


def _check_own_code(loaded: LoadedConfig, root: Path, feature_set: FeatureSet | None) -> None:
    """Whatever the file, or a set, names of the project is there; none of it is run."""
    check_functions(loaded, root)
    check_searcher(loaded, root)
    check_family_source(loaded, root)
    if feature_set is not None:
        check_set_functions(feature_set, root, place_of(loaded, "feature_set.use"))


def _files_and_schema(
    loaded: LoadedConfig, root: Path, store: ObjectStore, data: object, *, keep: bool
) -> tuple[list[FoundFile], Schema]:
    config = loaded.config.data
    casts = declared_casts(loaded)
    snapshot = snapshot_of(config.source, data, store, keep=keep)
    if snapshot is not None:
        return [snapshot.file], schema_of([(snapshot.file.name, snapshot.schema)], casts)
    if config.source is None:
        raise ConfigError(
            "the pipeline file names no source",
            hint="add 'data.source', or give a table: Pipeline(config, data=table)",
            where=place_of(loaded, "data"),
        )
    files = find_files(config.source, root)
    read = shared_schema if config.on_bad_file == "quarantine" else read_schema
    return files, read(files, casts)


def _check_shares(loaded: LoadedConfig, files: Sequence[FoundFile]) -> None:
    """Each worker of a distributed fit takes units of its own."""
    n_workers = loaded.config.model.workers
    if n_workers == 1 or any(isinstance(f.path, Path) and not f.path.is_file() for f in files):
        return  # A snapshot that is not kept has no file yet; `run` writes it and looks again.
    n_units = len(list_units(files))
    if n_units < n_workers:
        raise ConfigError(
            "the input cannot be shared out among so many workers",
            f"{n_units} row groups or files",
            f"at least {n_workers}",
            "declare fewer 'model.workers', or write the table in more files or row groups",
            place_of(loaded, "model.workers"),
        )


def _features(
    loaded: LoadedConfig, schema: Schema, exclude: set[str], feature_set: FeatureSet | None
) -> list[FeatureSpec]:
    if feature_set is not None:
        check_inputs(feature_set, schema, exclude, place_of(loaded, "feature_set.use"))
        return feature_set.specs
    try:
        return resolve_features(loaded.config.features, schema, exclude=exclude)
    except (ConfigError, ColumnError) as error:
        where = place_of(loaded, error.where.key)
        raise type(error)(error.what, error.got, error.wanted, error.hint, where) from None
