"""A table by itself: its profile, a contract drafted from it, and the contract it is held against.

No run is made and nothing is stored. A small table is read in this process, a large one on Ray.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from mlops_ray.config.loader import load_config, nearest
from mlops_ray.config.source import SourceConfig
from mlops_ray.data.contract_check import judge_scan
from mlops_ray.data.described import described, hints_of
from mlops_ray.data.find_ids import find_ids
from mlops_ray.data.find_strata import find_strata
from mlops_ray.data.learn_contract import Roles, draft_contract, key_candidates
from mlops_ray.data.profile import PresenceProfile, Profile
from mlops_ray.data.quarantine import find_bad_files, shared_schema
from mlops_ray.data.repeated_keys import KeyLook, find_repeated_keys
from mlops_ray.data.scan import ALL, ScanPlan, scan
from mlops_ray.data.source import find_files
from mlops_ray.data.split import SplitRows
from mlops_ray.data.supervision import Supervision
from mlops_ray.data.thread_map import ThreadMap
from mlops_ray.data.unit import list_units
from mlops_ray.data.unit_schema import read_schema
from mlops_ray.errors import ColumnError, ConfigError, Where
from mlops_ray.pipeline.column_checks import declared_casts
from mlops_ray.pipeline.contract_rules import check_rules, plan_of
from mlops_ray.pipeline.snapshot import snapshot_of, source_text
from mlops_ray.pipeline.threshold import threshold_bytes
from mlops_ray.runtime.seeds import derive
from mlops_ray.storage import ObjectStore, project_root

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mlops_ray.config.loader import LoadedConfig
    from mlops_ray.data.column_profile import ColumnProfile
    from mlops_ray.data.contract_outcome import ContractOutcome
    from mlops_ray.data.quarantine import BadFile
    from mlops_ray.data.schema import LogicalType, Schema
    from mlops_ray.data.source import FoundFile
    from mlops_ray.data.unit import Unit
    from mlops_ray.data.unit_map import UnitMap

__all__ = ["Dataset", "TableFacts"]

_CONFIG_SUFFIXES: Final = frozenset({".yaml", ".yml"})


@dataclass(frozen=True, slots=True)
class TableFacts:
    """What a table holds.

    Attributes:
        profile: Statistics of every column; of personal ones the type and the nulls alone.
        fingerprint: Of all columns of all rows, whatever their order.
        ordered_fingerprint: Of the rows in their order.
        left_out: Files that could not be read, where they are to be left out.
    """

    profile: Profile
    fingerprint: str
    ordered_fingerprint: str
    left_out: Sequence[BadFile] = ()

    def to_json(self) -> dict[str, Any]:
        """The content of ``mlops-ray/profile/v2`` of a whole table."""
        return {
            **self.profile.to_json(),
            "fingerprint": self.fingerprint,
            "ordered_fingerprint": self.ordered_fingerprint,
            "left_out": [asdict(file) for file in self.left_out],
        }


@dataclass(frozen=True, slots=True)
class _Opened:
    """A table that can be read."""

    schema: Schema
    files: list[FoundFile]
    unit_map: UnitMap

    def units(self, left_out: Sequence[BadFile]) -> list[Unit]:
        """All units of the files that are not left out."""
        names = {file.name for file in left_out}
        return list_units([file for file in self.files if file.name not in names])


class Dataset:
    """The table of a pipeline file, or a table alone.

    Args:
        config_or_source: A pipeline file (``.yaml``), or a file, folder or glob of data, or
            ``sklearn:NAME``.
        data: Another source than the pipeline file names; relative paths start in the current
            folder. Or a pandas DataFrame, pyarrow Table or Ray Dataset.
        num_cpus: CPUs of a local cluster, where one is needed.
        address: Cluster to join, where one is needed.
        in_process_below_bytes: Tables smaller than this are read without Ray.

    Attributes:
        left_out: Files that the last reading left out, as ``on_bad_file: quarantine`` declares.

    Raises:
        InvalidConfigError: The pipeline file has mistakes.
    """

    def __init__(
        self,
        config_or_source: str | Path,
        *,
        data: object = None,
        num_cpus: int | None = None,
        address: str | None = None,
        in_process_below_bytes: int | None = None,
    ) -> None:
        given = str(config_or_source)
        self.left_out: list[BadFile] = []
        self.loaded: LoadedConfig | None = None
        self._table = None if isinstance(data, str | Path) else data
        self._source = None if self._table is not None else SourceConfig(path=str(data or given))
        self._root = Path.cwd()
        if Path(given).suffix.lower() in _CONFIG_SUFFIXES:
            self.loaded = load_config(Path(given))
            if data is None:
                self._source = self.loaded.config.data.source
                self._root = project_root(Path(given).absolute().parent)
        self._cluster = (address, num_cpus)
        self._threshold = threshold_bytes(in_process_below_bytes)

    @property
    def source(self) -> str:
        """What the table is read from, as it was given."""
        return source_text(self._source, self._table)

    @property
    def pii(self) -> frozenset[str]:
        """Columns that the pipeline file declares personal."""
        declared = {} if self.loaded is None else self.loaded.config.data.columns
        return frozenset(name for name, column in declared.items() if column.pii)

    def profile(self, target: str | None = None) -> Profile:
        """Statistics of every column; of personal ones the type and the nulls alone.

        Args:
            target: Column that the others are held against, for associations and hints of leaks;
                by default that of the pipeline file, if there is one.

        Raises:
            ColumnError: There is no such column.
            DataError: The data cannot be read.
        """
        return self.facts(target).profile

    def facts(self, target: str | None = None) -> TableFacts:
        """Statistics of every column, and the fingerprints of the rows over all columns.

        Args:
            target: As for `profile`.

        Raises:
            ColumnError: There is no such column.
            DataError: The data cannot be read.
        """
        with self._opened() as table:
            roles = self._supervision(table.schema, target)
            units = self._units(table, table.schema)
            plan = ScanPlan(table.schema, None, None, roles)
            found = scan(units, plan, table.unit_map)
            if roles is not None:
                found = find_ids(found, plan, units, table.unit_map)
        profile = found.profiles[ALL]
        if roles is not None:
            profile = described(found, roles, ALL)
            profile = replace(profile, hints=hints_of(found, profile))
        columns = {
            name: _without_values(column) if name in self.pii else column
            for name, column in profile.columns.items()
        }
        hidden = replace(profile, columns=columns)
        return TableFacts(
            hidden, found.fingerprint, found.ordered_fingerprint, tuple(self.left_out)
        )

    def learn_contract(self) -> str:
        """A contract that these data keep, as commented YAML; see `data.learn_contract`.

        Raises:
            DataError: The data cannot be read.
        """
        with self._opened() as table:
            units = self._units(table, table.schema)
            profile = scan(units, ScanPlan(table.schema, None), table.unit_map).profiles[ALL]
            keys = []
            for key in self._keys(profile):
                look = KeyLook(table.schema, key, None, None, ALL)
                if not find_repeated_keys(look, units, profile.n_rows, table.unit_map).n_rows:
                    keys.append(key)
        return draft_contract(profile, self._roles(keys), self._shown_source())

    def check_contract(self) -> ContractOutcome:
        """Hold the data against the contract of the pipeline file.

        Raises:
            ConfigError: There is no pipeline file, or it declares no contract.
            DataError: The data cannot be read.
        """
        plan = None if self.loaded is None else plan_of(self.loaded.config.data)
        if plan is None or self.loaded is None:
            raise ConfigError(
                "there is no contract to hold the data against",
                hint="declare 'data.contract' in a pipeline file; --learn drafts one",
                where=Where(str(self.loaded.path) if self.loaded else self.source),
            )
        check_rules(self.loaded)
        with self._opened() as table:
            split = self._split(table.schema)
            wanted = {*plan.columns, *plan.key, *(split.columns if split else ())}
            schema = {name: t for name, t in table.schema.items() if name in wanted}
            units = self._units(table, schema or table.schema)
            if split is not None and split.rule.stratify:
                strata = find_strata(table.schema, split, plan, units, table.unit_map)
                split = replace(split, strata=strata)
            what = ScanPlan(schema or table.schema, split, plan)
            found = scan(units, what, table.unit_map)
            outcome = judge_scan(found, what, units, table.unit_map)
        if outcome is None:  # For the type checker: the plan has a contract.
            raise ConfigError("there is no contract")
        return outcome

    def _supervision(self, schema: Schema, target: str | None) -> Supervision | None:
        """Every column but keys, times and personal ones, beside the target."""
        data = None if self.loaded is None else self.loaded.config.data
        name = target or (data.target if data is not None else None)
        if name is None or (target is None and name not in schema):
            return None
        if name not in schema:
            hint = nearest(name, schema)
            raise ColumnError(
                f"the table has no column {name!r}", f"{len(schema)} columns", "", hint
            )
        special = {name, *self.pii}
        if data is not None:
            special |= {*data.key, *data.order_by, *([data.time] if data.time else [])}
        return Supervision(name, tuple(column for column in schema if column not in special))

    def _split(self, schema: Schema) -> SplitRows | None:
        """How a run would part these rows, without strata; None where they lack a column for it."""
        if self.loaded is None:
            return None
        config = self.loaded.config
        data, salt = config.data, derive(config.seed, "split")
        split = SplitRows(config.split, tuple(data.key), data.time, salt, data.target)
        return split if all(name in schema for name in split.columns) else None

    def _keys(self, profile: Profile) -> list[tuple[str, ...]]:
        declared = () if self.loaded is None else tuple(self.loaded.config.data.key)
        if declared:
            return [declared] if all(name in profile.columns for name in declared) else []
        return [(name,) for name in key_candidates(profile)]

    def _roles(self, keys: Sequence[Sequence[str]]) -> Roles:
        roles = Roles(keys, {name for key in keys for name in key}, self.pii)
        if self.loaded is None:
            return roles
        data = self.loaded.config.data
        moving = {*roles.moving, *data.key, *data.order_by, *([data.time] if data.time else [])}
        target = None if data.task == "regression" else data.target
        return replace(roles, moving=moving, target=target, time=data.time, as_of=data.as_of)

    def _shown_source(self) -> str:
        return Path(self.source).name if Path(self.source).is_absolute() else self.source

    @contextmanager
    def _opened(self) -> Iterator[_Opened]:
        with TemporaryDirectory() as folder:
            files = self._files(Path(folder))
            schema = (shared_schema if self._leaves_out else read_schema)(files, self._casts)
            if sum(file.size_bytes for file in files) < self._threshold:
                yield _Opened(schema, files, ThreadMap(self._cluster[1]))
                return
            # Here, so that a small table needs no Ray.
            from mlops_ray.data.ray_map import RayDataMap  # noqa: PLC0415
            from mlops_ray.runtime.cluster import connect  # noqa: PLC0415
            from mlops_ray.telemetry import quiet_ray_loggers  # noqa: PLC0415

            quiet_ray_loggers()
            with connect(*self._cluster) as cluster:
                yield _Opened(schema, files, RayDataMap(is_private=cluster.is_own))

    def _units(self, table: _Opened, schema: Schema) -> list[Unit]:
        """All units that are read; without those of bad files, if that was declared."""
        self.left_out = []
        if self._leaves_out:
            self.left_out = find_bad_files(table.files, schema, self._casts, table.unit_map)
        return table.units(self.left_out)

    @property
    def _leaves_out(self) -> bool:
        return self.loaded is not None and self.loaded.config.data.on_bad_file == "quarantine"

    @property
    def _casts(self) -> dict[str, LogicalType]:
        return {} if self.loaded is None else declared_casts(self.loaded)

    def _files(self, folder: Path) -> list[FoundFile]:
        snapshot = snapshot_of(self._source, self._table, ObjectStore(folder), keep=True)
        if snapshot is not None:
            return [snapshot.file]
        if self._source is None:
            hint = "give --data, or declare 'data.source'"
            raise ConfigError("there is no table to look at", hint=hint)
        return find_files(self._source, self._root)


def _without_values(column: ColumnProfile) -> PresenceProfile:
    return PresenceProfile(column.dtype, column.n_rows, column.n_null)
