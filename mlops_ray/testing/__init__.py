"""What tests of this package, and of pipelines built on it, start from: data of known truth.

Synthetic data are for judging code, never to be presented as real.
"""

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
    "bayes_auc",
    "fraud_block",
    "fraud_probability",
    "fraud_rows",
    "write_fraud",
]
