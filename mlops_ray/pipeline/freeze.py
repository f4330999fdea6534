"""Turns a resolved pipeline file into a spec: everything that was asked, by content."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from mlops_ray.config.model import ObjectiveConfig
from mlops_ray.data.source import InputFile
from mlops_ray.manifest import FeatureDeclaration, InputFacts, Spec, SpecData
from mlops_ray.pipeline.capture import capture_code
from mlops_ray.runtime.environment import behaviour_packages
from mlops_ray.runtime.seeds import derive
from mlops_ray.storage import digest_file

if TYPE_CHECKING:
    from mlops_ray.data.source import FoundFile
    from mlops_ray.pipeline.objects import ObjectList
    from mlops_ray.pipeline.resolve import Resolved

__all__ = ["SEED_PATHS", "Frozen", "freeze"]

SEED_PATHS: Final = ("split", "search")  # What draws from the root seed, each by its own path.


@dataclass(frozen=True, slots=True)
class Frozen:
    """A spec and where the bytes that it names can be read now.

    Attributes:
        spec: What was asked.
        files: Input files with their digests; copies in the store where they are small.
    """

    spec: Spec
    files: list[InputFile]


def freeze(resolved: Resolved, objects: ObjectList) -> Frozen:
    """Digest inputs and code, copy small inputs into the store, and write the spec.

    Raises:
        StoreError: The store cannot be written, or a file changed while it was copied.
    """
    config = resolved.loaded.config
    files = _pinned(resolved, objects)
    facts = [
        InputFacts(name=f.name, format=f.format, sha256=f.sha256, size_bytes=f.size_bytes)
        for f in files
    ]
    spec = Spec(
        name=config.name,
        owner=config.owner,
        objective=ObjectiveConfig(metric=config.objective.metric, direction=config.objective.mode),
        seed=config.seed,
        seeds={path: str(derive(config.seed, path)) for path in SEED_PATHS},
        data=SpecData(
            inputs=facts,
            columns=dict(resolved.schema),
            task=config.data.task,
            target=config.data.target,
            key=config.data.key,
            order_by=config.data.order_by,
            time=config.data.time,
            pii=sorted(name for name, column in config.data.columns.items() if column.pii),
            notes=config.data.notes,
        ),
        split=config.split,
        features=[
            FeatureDeclaration(
                column=s.column,
                kind=s.kind,
                steps=[step.model_dump() for step in s.steps],
            )
            for s in resolved.features
        ],
        model=config.model,
        search=config.search,
        gates=config.gates,
        register_=config.register_,
        serve=config.serve,
        monitor=config.monitor,
        code=capture_code(objects),
        packages=behaviour_packages(),
    )
    objects.put("spec", spec.to_bytes())
    return Frozen(spec, files)


def _pinned(resolved: Resolved, objects: ObjectList) -> list[InputFile]:
    if resolved.snapshot is not None:
        source = resolved.loaded.config.data.source.path
        name = objects.put("input", resolved.snapshot)
        path = objects.store.path(name)
        file_name = f"{source.partition(':')[2]}.parquet"
        return [InputFile(file_name, path, "parquet", len(resolved.snapshot), name)]
    limit = resolved.loaded.config.store.copy_inputs_below
    is_small = sum(file.size_bytes for file in resolved.files) < limit
    return [_copied(f, objects) if is_small else _cited(f) for f in resolved.files]


def _copied(file: FoundFile, objects: ObjectList) -> InputFile:
    name = objects.put_file("input", file.path)
    fields = {**asdict(file), "path": objects.store.path(name)}
    return InputFile(**fields, sha256=name)


def _cited(file: FoundFile) -> InputFile:
    return InputFile(**asdict(file), sha256=digest_file(file.path))
