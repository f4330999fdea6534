"""Ray pipelines from raw data to a served, monitored model, tied together by one run manifest.

The three lines most users need::

    import mlops_ray

    run = mlops_ray.Pipeline("configs/breast_cancer.yaml").run()
    answers = mlops_ray.Project().predictor(run.model_reference).predict_records([...])

Names are loaded on first use, so importing this package imports neither Ray nor a model library.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # Not from `typing`, which takes longer to import than all that stands here.
if TYPE_CHECKING:
    from typing import Any

    from mlops_ray.cli.exit_codes import exit_code
    from mlops_ray.errors import ContractError, GateError, MlopsRayError
    from mlops_ray.features.feature_set import FeatureSet
    from mlops_ray.features.functions import feature_function
    from mlops_ray.models.metric_functions import metric
    from mlops_ray.models.predictor import Predictor
    from mlops_ray.pipeline.capture import relaunch
    from mlops_ray.pipeline.dataset import Dataset
    from mlops_ray.pipeline.init_project import init_project
    from mlops_ray.pipeline.pipeline import Pipeline
    from mlops_ray.pipeline.project import Project
    from mlops_ray.pipeline.recorded_image import ContainerImage
    from mlops_ray.pipeline.records import Records
    from mlops_ray.pipeline.run import Run
    from mlops_ray.pipeline.serving import Endpoint
    from mlops_ray.registry import Registry
    from mlops_ray.telemetry.progress import terminal_progress

__all__ = [
    "ContainerImage",
    "ContractError",
    "Dataset",
    "Endpoint",
    "FeatureSet",
    "GateError",
    "MlopsRayError",
    "Pipeline",
    "Predictor",
    "Project",
    "Records",
    "Registry",
    "Run",
    "exit_code",
    "feature_function",
    "init_project",
    "metric",
    "relaunch",
    "terminal_progress",
]

_HOME = {
    "ContainerImage": "mlops_ray.pipeline.recorded_image",
    "ContractError": "mlops_ray.errors",
    "Dataset": "mlops_ray.pipeline.dataset",
    "Endpoint": "mlops_ray.pipeline.serving",
    "FeatureSet": "mlops_ray.features.feature_set",
    "GateError": "mlops_ray.errors",
    "MlopsRayError": "mlops_ray.errors",
    "Pipeline": "mlops_ray.pipeline.pipeline",
    "Predictor": "mlops_ray.models.predictor",
    "Project": "mlops_ray.pipeline.project",
    "Records": "mlops_ray.pipeline.records",
    "Registry": "mlops_ray.registry",
    "Run": "mlops_ray.pipeline.run",
    "exit_code": "mlops_ray.cli.exit_codes",
    "feature_function": "mlops_ray.features.functions",
    "init_project": "mlops_ray.pipeline.init_project",
    "metric": "mlops_ray.models.metric_functions",
    "relaunch": "mlops_ray.pipeline.capture",
    "terminal_progress": "mlops_ray.telemetry.progress",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - PEP 562 hook
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return sorted(__all__)
