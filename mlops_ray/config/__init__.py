"""A pipeline file: its models, and a loader whose errors name file, line, column and key."""

from mlops_ray.config.feature_steps import FeatureGroup, StepDeclaration
from mlops_ray.config.model import METRICS, DataConfig, PipelineConfig
from mlops_ray.config.monitoring import DriftConfig
from mlops_ray.config.search_space import Dimension
from mlops_ray.config.serving import ServeConfig

__all__ = [
    "METRICS",
    "DataConfig",
    "Dimension",
    "DriftConfig",
    "FeatureGroup",
    "PipelineConfig",
    "ServeConfig",
    "StepDeclaration",
]
