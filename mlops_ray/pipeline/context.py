"""What every stage is given."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mlops_ray.config.feature_steps import FeatureGroup
from mlops_ray.data.ray_map import RayDataMap
from mlops_ray.data.split import SplitRows
from mlops_ray.data.unit import list_units
from mlops_ray.features.plan import FeatureSpec

if TYPE_CHECKING:
    from mlops_ray.data.schema import Schema
    from mlops_ray.data.source import InputFile
    from mlops_ray.data.unit import Unit
    from mlops_ray.data.unit_map import UnitMap
    from mlops_ray.manifest import Spec
    from mlops_ray.pipeline.objects import ObjectList
    from mlops_ray.pipeline.stage_log import StageLog
    from mlops_ray.telemetry.progress import Progress

__all__ = ["Context"]


@dataclass(frozen=True)
class Context:
    """The spec, and the means to execute it, none of which may change a result.

    Attributes:
        spec: What was asked.
        files: Where its inputs can be read now.
        objects: Takes what stages put into the store.
        stages: Records the stages.
        unit_map: Works on units, in this process or on Ray Data.
        progress: Is told of trials.
    """

    spec: Spec
    files: list[InputFile]
    objects: ObjectList
    stages: StageLog
    unit_map: UnitMap
    progress: Progress

    @cached_property
    def units(self) -> list[Unit]:
        """The units of the input, in their order."""
        return list_units(self.files)

    @property
    def schema(self) -> Schema:
        """Logical types of the columns that the run reads."""
        return self.spec.data.columns  # type: ignore[return-value]  # Checked when the spec was frozen.

    @property
    def split_rows(self) -> SplitRows:
        """What decides a row's part."""
        data = self.spec.data
        salt = int(self.spec.seeds["split"])
        return SplitRows(self.spec.split, tuple(data.key), data.time, salt)

    @property
    def feature_specs(self) -> list[FeatureSpec]:
        """The declared features, in the order of the matrix."""
        return [
            FeatureSpec(
                declared.column,
                self.schema[declared.column],
                declared.kind,
                tuple(_group(declared.column, declared.steps).steps),
            )
            for declared in self.spec.features
        ]

    @property
    def data_engine(self) -> str:
        """What works on units: ``ray_data`` or ``driver``."""
        return "ray_data" if isinstance(self.unit_map, RayDataMap) else "driver"

    def data_facts(self) -> dict[str, Any]:
        """Counters of the last work on units, to show that Ray Data really ran."""
        stats = self.unit_map.last_stats if isinstance(self.unit_map, RayDataMap) else None
        return {"units": len(self.units), **({"tasks": stats.n_tasks} if stats else {})}


def _group(column: str, steps: list[dict[str, Any]]) -> FeatureGroup:
    return FeatureGroup.model_validate({"columns": [column], "steps": steps})
