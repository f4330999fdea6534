"""Search: draws hyperparameters, runs the trials on Ray Tune and names the best.

Takes matrices of training and validation rows (never test rows) and a space; records the trial
table, whose digest goes into the result; hands on the best trial. Ray appears in `tuner` and
`trainable` only.
"""

from mlops_ray.search.objective import SearchTask, fit_trial, trial_seed
from mlops_ray.search.space import check_space, draw
from mlops_ray.search.trial import TrialRecord, best_trial, read_trial_table, trial_table

__all__ = [
    "SearchTask",
    "TrialRecord",
    "best_trial",
    "check_space",
    "draw",
    "fit_trial",
    "read_trial_table",
    "trial_seed",
    "trial_table",
]
