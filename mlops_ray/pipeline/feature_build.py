"""Feature tables: the declared features fitted as a run fits them, and every row transformed.

The stages up to the profile are those of a run, with its cache: a run after it, or before it, does
not read the data for them again. The files appear as a whole folder or not at all.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from mlops_ray.features.compiled import CompiledTransform
from mlops_ray.features.table_output import TablePlan, write_unit
from mlops_ray.manifest import Spec, canonical_bytes, from_canonical
from mlops_ray.pipeline.capture import captured, facts_of
from mlops_ray.pipeline.engine import Engine
from mlops_ray.pipeline.freeze import spec_of
from mlops_ray.pipeline.new_folder import whole_or_nothing
from mlops_ray.pipeline.objects import ObjectList
from mlops_ray.pipeline.own_code import function_modules
from mlops_ray.pipeline.pin import digested_inputs, pin_inputs
from mlops_ray.pipeline.prepared import folds_of
from mlops_ray.pipeline.stages.features import fit
from mlops_ray.pipeline.workers import Workers
from mlops_ray.runtime.code_bundle import extracted
from mlops_ray.runtime.recorded_code import importing
from mlops_ray.storage import digest, write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_ray.data.source import InputFile
    from mlops_ray.features.state import FeatureState
    from mlops_ray.pipeline.context import Context
    from mlops_ray.pipeline.engine import Reuse
    from mlops_ray.pipeline.resolve import Resolved
    from mlops_ray.pipeline.workers import Placement
    from mlops_ray.storage import DigestCache, Workspace
    from mlops_ray.telemetry import Progress

__all__ = ["FEATURE_TABLE_SCHEMA", "FeatureBuild", "FeatureTable"]

FEATURE_TABLE_SCHEMA: Final = "mlops-ray/feature-table/v1"
_MANIFEST: Final = "_manifest.json"  # What begins with "_" is no data to readers of Parquet.


@dataclass(frozen=True, slots=True)
class FeatureTable:
    """A feature table that was written.

    Attributes:
        path: Its folder.
        manifest: What its ``_manifest.json`` says: fingerprint, fitted state, columns, files.
        wall_s: Seconds it took, without the start of Ray.
        ray_start_s: Seconds that starting or joining Ray took.
        stages: Name, seconds and whether it was reused, of each stage, and the writing.
    """

    path: Path
    manifest: dict[str, Any]
    wall_s: float
    ray_start_s: float
    stages: list[dict[str, Any]]

    def to_json(self) -> dict[str, Any]:
        """The content of ``mlops-ray/features_build/v1``."""
        return {
            "path": str(self.path),
            "rows": sum(file["rows"] for file in self.manifest["files"]),
            "files": len(self.manifest["files"]),
            "left_out": self.manifest.get("left_out", []),
            "columns": len(self.manifest["columns"]),
            "fingerprint": self.manifest["fingerprint"],
            "state": self.manifest["state"],
            "wall_s": self.wall_s,
            "ray_start_s": self.ray_start_s,
            "stages": self.stages,
        }


@dataclass(frozen=True, slots=True)
class FeatureBuild:
    """What a feature table is built from and with.

    Attributes:
        resolved: The pipeline file, held against its data.
        workspace: Its store takes what the stages put out.
        root: Project root.
        placement: Where to do the work; changes no byte.
        digests: Knows the digests of files that have not changed.
        reuse: Which finished stages may be taken.
        progress: Who is told.
        is_sparse: Whether features are written as places and values without the zeros.
    """

    resolved: Resolved
    workspace: Workspace
    root: Path
    placement: Placement
    digests: DigestCache
    reuse: Reuse
    progress: Progress
    is_sparse: bool = False

    def write(self, out: Path) -> FeatureTable:
        """Run ingest, split and profile, fit the features, and write the transformed rows.

        Args:
            out: Folder to make; every worker can write beside it.

        Raises:
            StoreError: The folder is there already, or cannot be written.
            DataError: The data cannot be read, or do not hold to the contract.
        """
        started = time.monotonic()
        with ExitStack() as stack:
            folder = stack.enter_context(whole_or_nothing(out))
            engine = self._engine(stack)
            means = engine.means
            engine.run(until="profile")
            before_s, ray_before_s = time.monotonic(), means.ray_start_s
            manifest = _written(engine.context({}), folder, is_sparse=self.is_sparse)
            ended_s, ray_start_s = time.monotonic(), means.ray_start_s
        stages = [
            {"name": stage.name, "wall_s": stage.wall_s, "cache": stage.cache}
            for stage in engine.facts
        ]
        write_s = round(ended_s - before_s - (ray_start_s - ray_before_s), 3)
        stages.append({"name": "write", "wall_s": write_s, "cache": "miss"})
        wall_s = round(ended_s - started - ray_start_s, 3)
        return FeatureTable(out, manifest, wall_s, round(ray_start_s, 3), stages)

    def _engine(self, stack: ExitStack) -> Engine:
        store = stack.enter_context(self.workspace.store.lease())
        objects = ObjectList(store)
        bundle = captured(self.root, self.resolved.loaded.config.code, store.root)
        folder = extracted(bundle, store.root)
        workers = Workers(
            placement=self.placement,
            size_bytes=sum(file.size_bytes for file in self.resolved.files),
            threads=1,
            code=folder,
            cleanup=stack,
            progress=self.progress,
        )
        files = self._files(objects, workers)
        if self.resolved.feature_set is not None:
            objects.put("feature set", self.resolved.feature_set.to_bytes())
        spec = Spec.from_bytes(spec_of(self.resolved, files, facts_of(bundle)).to_bytes())
        code, reuse = bundle.files, self.reuse
        stack.enter_context(importing(folder, code, function_modules(spec)))
        return Engine(spec, files, code, objects, workers, self.progress, self.digests, reuse)

    def _files(self, objects: ObjectList, workers: Workers) -> list[InputFile]:
        """The input with its digests; a cluster, which is needed in any case, starts meanwhile."""
        num_cpus = self.placement.num_cpus
        if not self.resolved.has_files:
            pinned = pin_inputs(self.resolved, objects, self.digests, self.root, num_cpus=num_cpus)
            return [item.file for item in pinned]
        with ThreadPoolExecutor(1) as pool:
            # Read where they lie: nobody is promised to find them again in the store.
            files = pool.submit(digested_inputs, self.resolved, self.digests, self.root, num_cpus)
            if not workers.is_small:
                workers.connect()
            return files.result()


def _written(context: Context, folder: Path, *, is_sparse: bool) -> dict[str, Any]:
    _, state, _ = fit(context)
    plan = TablePlan(
        schema=context.schema,
        transform=CompiledTransform(state),
        split=context.split_rows,
        folder=folder,
        folds=folds_of(context),
        check=context.check,
        is_sparse=is_sparse,
    )
    columns = plan.names
    unit_map = context.unit_map()
    work = context.guarded(partial(write_unit, plan))
    files = [from_canonical(answer) for answer in unit_map(work, context.units)]
    context.facts_of_reading(unit_map)  # Refuses inputs that changed meanwhile.
    manifest = _manifest(context, state, columns, files)
    if is_sparse:
        manifest["layout"] = "sparse"
    if context.left_out:
        manifest["left_out"] = [asdict(file) for file in context.left_out]
    write_atomically(folder / _MANIFEST, canonical_bytes(manifest))
    return manifest


def _manifest(
    context: Context, state: FeatureState, columns: list[str], files: list[dict[str, Any]]
) -> dict[str, Any]:
    document = canonical_bytes(state.to_json())
    return {
        "schema": FEATURE_TABLE_SCHEMA,
        "name": context.spec.name,
        "fingerprint": context.output("ingest.fingerprint"),
        "membership": dict(context.done["split"]),
        "state": digest(document),
        "fitted": from_canonical(document),
        "columns": columns,
        "files": files,
    }
