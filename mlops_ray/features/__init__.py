"""Features: takes the declared groups and the training profile, hands on a fitted state.

The state is plain JSON (its document goes into the result and into every bundle); the compiled
transform turns tables and records into the same float32 matrix, bit for bit, and
`features.matrix` builds the matrices that search, refit and evaluation work on.
"""

from mlops_ray.features.compiled import CompiledTransform
from mlops_ray.features.fit import fit_features
from mlops_ray.features.plan import FeatureSpec, resolve_features
from mlops_ray.features.state import FeatureState
from mlops_ray.features.state_v1 import number_feature, one_hot_feature

__all__ = [
    "CompiledTransform",
    "FeatureSpec",
    "FeatureState",
    "fit_features",
    "number_feature",
    "one_hot_feature",
    "resolve_features",
]
