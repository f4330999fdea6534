"""Model versions, the aliases that point at them, and the chain of events that moved them.

It takes the digest of a sealed run's bundle with its metrics and gate verdicts, numbers it, and
hands on, for a name such as ``churn@champion``, exactly one version. Registrations, promotions and
deployments are effects: they cite runs and bundles and never change a manifest.
"""

from mlops_ray.registry.feature_sets import FeatureSets, FeatureSetVersion
from mlops_ray.registry.reference import ModelReference, parse_reference
from mlops_ray.registry.registry import Registry
from mlops_ray.registry.version import Event, ModelSummary, ModelVersion, Promotion

__all__ = [
    "Event",
    "FeatureSetVersion",
    "FeatureSets",
    "ModelReference",
    "ModelSummary",
    "ModelVersion",
    "Promotion",
    "Registry",
    "parse_reference",
]
