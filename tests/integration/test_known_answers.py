"""What a search comes to where the best that can be is known."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from mlops_ray.testing.fraud import fraud_probability, fraud_rows, write_fraud

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(900)]

N_ROWS, N_FRESH = 700_000, 200_000
SEED = 7
NAME = "fraud"


@pytest.fixture
def run(bench):
    """A search over payments whose true probability of fraud the generator knows."""
    write_fraud(bench.folder / "data", N_ROWS, SEED, rows_per_file=200_000)
    config = {
        "version": 1,
        "name": NAME,
        "seed": 3,
        "objective": {"metric": "roc_auc"},
        "data": {"source": "data", "task": "binary", "target": "is_fraud", "key": ["id"]},
        "split": {"test": {"share": 0.1}, "valid": {"share": 0.2}},
        "features": [
            {"columns": ["amount", "hour", "account_age_days", "new_device"]},
            {"columns": ["merchant"], "steps": ["target"]},
        ],
        "model": {"family": "xgboost", "params": {"n_estimators": 100, "subsample": 0.8}},
        "search": {
            "space": {
                "max_depth": {"int": [2, 4]},
                "learning_rate": {"log_uniform": [0.05, 0.2]},
                "min_child_weight": {"log_uniform": [1.0, 30.0]},
            },
            "trials": 3,
        },
        "gates": [{"metric": "roc_auc", "at_least": 0.7}],
        "register": {"alias": "challenger"},
    }
    pipeline = bench.pipeline(config, bench.fresh_store())
    return pipeline, pipeline.run()


def test_the_winner_on_the_fraud_table_is_within_5_thousandths_of_the_bayes_auc(run):
    pipeline, done = run
    fresh = fraud_rows(SEED, 5 * N_ROWS, 5 * N_ROWS + N_FRESH)
    truth = fraud_probability(fresh)

    answers = pipeline.project.predictor(done.model_reference).predict_table(fresh)

    # Each row counts as fraud by its true probability: no noise of drawn labels.
    is_fraud, weights = np.repeat([1, 0], N_FRESH), np.concatenate([truth, 1.0 - truth])
    best, found = (
        roc_auc_score(is_fraud, np.tile(scores, 2), sample_weight=weights)
        for scores in (truth, answers.probability[:, 1])
    )
    print(f"Bayes AUC {best:.5f}, of the winner {found:.5f}")  # noqa: T201 - with pytest -s
    assert best - 0.005 <= found <= best
