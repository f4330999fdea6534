"""What tests of this package, and of pipelines built on it, start from.

Data of known truth, and the laws of estimators as tests that a plug-in inherits. Synthetic data are
for judging code, never to be presented as real.
"""

from mlops_ray.testing.estimator_conformance import EstimatorConformance
from mlops_ray.testing.estimator_rows import estimator_rows
from mlops_ray.testing.fraud import (
    FRAUD_BLOCK_ROWS,
    bayes_auc,
    fraud_block,
    fraud_probability,
    fraud_rows,
    write_fraud,
)

__all__ = [
    "FRAUD_BLOCK_ROWS",
    "EstimatorConformance",
    "bayes_auc",
    "estimator_rows",
    "fraud_block",
    "fraud_probability",
    "fraud_rows",
    "write_fraud",
]
