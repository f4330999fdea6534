"""Batch predictions of a registered version, on Ray Data: the endpoint's answers, bit for bit."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from mlops_ray.data.ray_map import RayDataMap
from mlops_ray.data.source import find_files
from mlops_ray.data.unit import list_units
from mlops_ray.data.unit_rows import read_unit
from mlops_ray.data.unit_schema import read_schema
from mlops_ray.errors import ConfigError, SourceError
from mlops_ray.models.admitted import load_admitted
from mlops_ray.pipeline.admission import admission_of
from mlops_ray.pipeline.run import run_of_version
from mlops_ray.runtime.cluster import connect
from mlops_ray.storage import atomic_writer
from mlops_ray.telemetry import quiet_ray_loggers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mlops_ray.config.environment import OnDifference
    from mlops_ray.data.schema import Schema
    from mlops_ray.data.unit import Unit
    from mlops_ray.models.outputs import Outputs
    from mlops_ray.models.predictor import Predictor
    from mlops_ray.registry import ModelVersion
    from mlops_ray.runtime.admission import Admission
    from mlops_ray.storage import ObjectStore, Workspace

__all__ = ["Predictions", "predict_table_to_file"]

_UNITS_PER_WRITE: Final = 256  # Bounds what the driver holds; has no effect on what is written.


@dataclass(frozen=True, slots=True)
class Predictions:
    """A file of predictions.

    Attributes:
        path: The file.
        n_rows: Rows predicted.
        model: Name of the model.
        version: Version that predicted.
        run_id: Run that made the version.
        engine: What did the work.
        wall_s: Seconds, without Ray's start.
        differences: How this environment differs from that of the run, ``NAME RECORDED -> HERE``;
            not empty only where the policy lets it.
    """

    path: str
    n_rows: int
    model: str
    version: int
    run_id: str
    engine: str
    wall_s: float
    differences: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The content of ``mlops-ray/predictions/v1``."""
        return asdict(self)


def predict_table_to_file(
    workspace: Workspace,
    version: ModelVersion,
    data: str,
    out: Path,
    *,
    num_cpus: int | None = None,
    address: str | None = None,
    on_difference: OnDifference | None = None,
) -> Predictions:
    """Predict every row of a table; writes the key columns that are there, and the outputs.

    The file appears only when it is whole. ``probability`` is a list in the order of the classes,
    which stand in the file's metadata.

    Raises:
        NotPermittedError: The environment, here or on a worker's node, is not that of the run, and
            the policy is to refuse.
        ModelError: The golden answers are others here, or on a worker's node.
        SourceError: There are no files, or they cannot be read.
        ColumnError: An input column is absent or of another type.
        StoreError: The file cannot be written.
    """
    if out.is_dir():
        raise ConfigError("--out must be a file", f"the folder {out.name}", "PATH.parquet")
    run = run_of_version(workspace, version)
    spec, admission = run.spec, admission_of(run, on_difference)
    differences = [str(item) for item in admission.check().relevant]
    predictor = load_admitted(workspace.store, version.bundle, admission)
    files = find_files(data, Path.cwd())
    schema = read_schema(files)
    inputs = (field.name for field in predictor.signature.inputs)
    # An absent input is reported by the transform, which knows what it wants.
    columns = [c for c in dict.fromkeys([*spec.data.key, *inputs]) if c in schema]
    model = _Model(workspace.store, version.bundle, admission)
    work = partial(_predict_unit, model, dict(schema), columns, spec.data.key)
    units = list_units(files)
    if not units:
        raise SourceError("the input files hold no rows", "0 row groups", "at least 1")
    quiet_ray_loggers()
    with connect(address, num_cpus) as cluster:
        started = time.monotonic()
        n_rows = _write(out, _in_turn(work, units, is_private=cluster.is_own), predictor)
        wall_s = time.monotonic() - started
    return Predictions(
        str(out),
        n_rows,
        version.model,
        version.version,
        version.run_id,
        "ray_data",
        round(wall_s, 3),
        differences,
    )


def _in_turn(
    work: Any,  # noqa: ANN401 - a partial
    units: Sequence[Unit],
    *,
    is_private: bool,
) -> Iterator[pa.Table]:
    unit_map = RayDataMap(is_private=is_private)
    for start in range(0, len(units), _UNITS_PER_WRITE):
        for payload in unit_map(work, units[start : start + _UNITS_PER_WRITE]):
            yield pa.ipc.open_stream(payload).read_all()


def _write(out: Path, tables: Iterator[pa.Table], predictor: Predictor) -> int:
    n_rows = 0
    classes = json.dumps(list(predictor.signature.classes), ensure_ascii=False)
    with atomic_writer(out.absolute()) as stream:
        writer: pq.ParquetWriter | None = None
        for table in tables:
            if writer is None:
                schema = table.schema.with_metadata({"mlops_ray.classes": classes})
                writer = pq.ParquetWriter(stream, schema, write_page_checksum=True)
            writer.write_table(table.replace_schema_metadata(writer.schema.metadata))
            n_rows += table.num_rows
        if writer is not None:
            writer.close()
    return n_rows


@dataclass(frozen=True, slots=True)
class _Model:
    """What a worker loads; equal to another with the same bundle, however often it is unpickled."""

    store: ObjectStore = field(compare=False)
    bundle: str
    admission: Admission


@lru_cache(maxsize=1)
def _predictor(model: _Model) -> Predictor:
    """One load and one check a worker process, however many units it works on."""
    return load_admitted(model.store, model.bundle, model.admission)


def _predict_unit(
    model: _Model, schema: Schema, columns: list[str], key: list[str], unit: Unit
) -> bytes:
    table = read_unit(unit, schema, columns)
    outputs = _predictor(model).predict_table(table)
    kept = [name for name in key if name in table.column_names]
    sink = pa.BufferOutputStream()
    answer = _as_table(table.select(kept), outputs)
    with pa.ipc.new_stream(sink, answer.schema) as writer:
        writer.write_table(answer)
    return bytes(sink.getvalue())


def _as_table(keys: pa.Table, outputs: Outputs) -> pa.Table:
    if outputs.probability is None:
        return keys.append_column("value", pa.array(outputs.value))
    width = outputs.probability.shape[1]
    flat = pa.array(outputs.probability.reshape(-1))
    probability = pa.FixedSizeListArray.from_arrays(flat, width)
    return keys.append_column("label", pa.array(outputs.label)).append_column(
        "probability", probability
    )
