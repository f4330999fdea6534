"""What halving by data share saves beside the whole search and scikit-learn's own halving.

27 configurations of a logistic regression and of a forest, drawn once, on `--rows` x 28, ROC AUC on
a quarter as many rows; rungs at 1/9, 1/3 and all of the training rows. CPU time in one process, on
one thread, so that neither Ray nor other work on the machine has a part:

- ``full``: every configuration on all rows.
- ``halved``: ours, with 27, 9 and 3 configurations on 1/9, 1/3 and all rows.
- ``sklearn``: `HalvingGridSearchCV` with the same configurations and rungs. It also scores on a
  share of the validation rows, by one metric.

Prints one line of JSON. Run with ``.venv/bin/python benchmarks/data_share.py``.
"""

# ruff: noqa: INP001, T201

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 - what it is for
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import HalvingGridSearchCV, PredefinedSplit

from mlops_ray.config.search_space import Dimension
from mlops_ray.search.agenda import Agenda
from mlops_ray.search.halving import Halving
from mlops_ray.search.objective import TrialRunner
from mlops_ray.search.searchers.random import RandomSearcher
from mlops_ray.search.task import SearchTask
from mlops_ray.search.trial import best_trial

sys.path.append(str(Path(__file__).parent))
from search_overhead import table_of

if TYPE_CHECKING:
    from collections.abc import Callable

N_TRIALS: Final = 27
SEED: Final = 7
SHARES: Final = Halving((1 / 9, 1 / 3, 1.0), 3, 1, "max", "data_share")
SPACES: Final[dict[str, dict[str, Any]]] = {
    "linear": {"C": {"log_uniform": [1e-5, 10.0]}},
    "sklearn:RandomForestClassifier": {
        "max_depth": {"int": [2, 12]},
        "max_features": {"uniform": [0.1, 0.9]},
        "min_samples_leaf": {"int": [1, 50]},
    },
}
PARAMS: Final[dict[str, dict[str, Any]]] = {
    "linear": {},
    "sklearn:RandomForestClassifier": {"n_estimators": 20},
}
RIVALS: Final = {
    "linear": LogisticRegression(),
    "sklearn:RandomForestClassifier": RandomForestClassifier(n_estimators=20, random_state=SEED),
}


def searcher_of(family: str) -> RandomSearcher:
    """Draws the same configurations every time."""
    space = {name: Dimension.model_validate(kind) for name, kind in SPACES[family].items()}
    return RandomSearcher(space, SEED)


def ours(family: str, n_rows: int, halving: Halving | None) -> float:
    """Run our trials one after the other; the best value of one on all rows."""
    X, y = table_of(n_rows * 5 // 4)
    task = SearchTask(
        X_train=X[:n_rows],
        y_train=y[:n_rows],
        X_valid=X[n_rows:],
        y_valid=y[n_rows:],
        family=family,
        task="binary",
        n_classes=2,
        params=PARAMS[family],
        metric="roc_auc",
        threads=1,
        share_seed=SEED,
    )
    agenda = Agenda(searcher_of(family), N_TRIALS, N_TRIALS, SEED, halving)
    runner = TrialRunner(task)
    while not agenda.is_done:
        for step in agenda.ready():
            agenda.tell(runner.run(step))
    return float(best_trial(agenda.records, "max").value or 0.0)


def rival(family: str, n_rows: int) -> float:
    """The same configurations and rungs by scikit-learn."""
    X, y = table_of(n_rows * 5 // 4)
    drawn = searcher_of(family).ask(0, N_TRIALS)
    search = HalvingGridSearchCV(
        RIVALS[family],
        [{name: [value] for name, value in params.items()} for params in drawn],
        factor=SHARES.eta,
        min_resources=len(y) // 9,
        cv=PredefinedSplit(np.where(np.arange(len(y)) < n_rows, -1, 0)),
        scoring="roc_auc",
        refit=False,
        random_state=SEED,
        n_jobs=1,
    )
    return float(search.fit(X, y).best_score_)


def measured(work: Callable[[], float], repeats: int) -> dict[str, float]:
    """Median CPU time, and the best value, which is the same every time."""
    seconds = []
    for _ in range(repeats):
        started = time.process_time()
        best = work()
        seconds.append(time.process_time() - started)
    return {"cpu_s": round(statistics.median(seconds), 3), "best": round(best, 5)}


def compare(family: str, options: argparse.Namespace) -> dict[str, Any]:
    """The three ways beside each other."""
    n_rows, repeats = options.rows, options.repeats
    found = {
        "full": measured(lambda: ours(family, n_rows, None), repeats),
        "halved": measured(lambda: ours(family, n_rows, SHARES), repeats),
        "sklearn": measured(lambda: rival(family, n_rows), repeats),
    }
    by = {
        f"halved_by_{name}": {
            key: round(found["halved"][key] / found[name][key], 4) for key in ("cpu_s", "best")
        }
        for name in ("full", "sklearn")
    }
    return {**found, **by}


def main() -> None:
    """Compare each family."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--families", nargs="+", choices=list(SPACES), default=list(SPACES))
    options = parser.parse_args()
    answer = {family: compare(family, options) for family in options.families}
    print(json.dumps({"rows": options.rows, "repeats": options.repeats, **answer}))


if __name__ == "__main__":
    main()
