"""A pipeline file: its models, and a loader whose errors name file, line, column and key."""

from mlops_ray.config.feature_steps import FeatureGroup, StepDeclaration
from mlops_ray.config.model import METRICS, DataConfig, DriftConfig, PipelineConfig, ServeConfig
from mlops_ray.config.search_space import Dimension

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
