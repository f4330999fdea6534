"""What a search costs beside Optuna in one process and Ray Tune with reused actors.

Every system runs in a process of its own, so that wall time, CPU time and peak memory (PSS of all
its processes) are its own; they take turns, `--repeats` times, and medians are told.

- ``trivial``: configurations that do nothing, at growing sizes. The difference between two of them
  is what one more costs. Rivals: Optuna with n_jobs=2, and Tune with a trial a configuration and
  reused actors. Beside it the memory of the process that drives the search.
- ``fits``: XGBoost, `--rounds` rounds on `--rows` x 28, ROC AUC on a quarter as many rows,
  `--configurations` of them, the same for all. Optuna shares one quantised matrix between threads.
- ``halved``: the same configurations, ours halved (11, 33 and 100 of 100 rounds), Tune under ASHA
  with the same rungs.

The search alone is timed, with Ray running, and beside it the whole process. Prints one line of
JSON. Run with ``.venv/bin/python benchmarks/search_overhead.py``; needs the extra `search`.
"""

# Each system imports its own libraries only.
# ruff: noqa: INP001, PLC0415, S603, T201

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

sys.path.append(str(Path(__file__).parent))
from process_tree import Watched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import optuna
    from numpy.typing import NDArray

    from mlops_ray.search.trial import TrialRecord

N_COLUMNS: Final = 28
SEED: Final = 7
N_WORKERS: Final = 2
ETA: Final = 3
SPACE: Final[dict[str, Any]] = {
    "max_depth": {"int": [3, 8]},
    "learning_rate": {"log_uniform": [0.02, 0.3]},
    "subsample": {"uniform": [0.5, 1.0]},
    "colsample_bytree": {"uniform": [0.5, 1.0]},
    "min_child_weight": {"uniform": [1.0, 10.0]},
}


def table_of(n_rows: int) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Rows whose class depends on some columns, alone and in pairs, and on noise."""
    rng = np.random.default_rng(SEED)
    X = rng.normal(size=(n_rows, N_COLUMNS)).astype(np.float32)
    margin = X[:, :8] @ rng.normal(size=8) + X[:, 8] * X[:, 9] + np.sin(3 * X[:, 10])
    return X, (margin + rng.normal(0, 2, n_rows) > 0).astype(np.int32)


def drawn(n: int) -> list[dict[str, Any]]:
    """The configurations, the same for every system."""
    from mlops_ray.config.search_space import Dimension
    from mlops_ray.search.searchers.random import RandomSearcher

    space = {name: Dimension.model_validate(item) for name, item in SPACE.items()}
    return RandomSearcher(space, SEED).ask(0, n)


def ours(options: argparse.Namespace, *, halved: bool) -> dict[str, Any]:
    """Our search, with a ledger."""
    from mlops_ray.config.search_space import Dimension
    from mlops_ray.runtime.cluster import connect
    from mlops_ray.search import tuner
    from mlops_ray.search.agenda import Agenda
    from mlops_ray.search.halving import Halving, rungs_up_to
    from mlops_ray.search.ledger import open_ledger
    from mlops_ray.search.searchers.random import RandomSearcher
    from mlops_ray.search.task import SearchTask

    is_trivial = options.rounds == 0
    X, y = table_of(options.rows * 5 // 4)
    task = SearchTask(
        X_train=X[: options.rows],
        y_train=y[: options.rows],
        X_valid=X[options.rows :],
        y_valid=y[options.rows :],
        family="xgboost",
        task="binary",
        n_classes=2,
        params={"n_estimators": max(options.rounds, 1)},
        metric="roc_auc",
        threads=1,
    )
    space = {name: Dimension.model_validate(item) for name, item in SPACE.items()}
    n = options.configurations
    halving = Halving(rungs_up_to(options.rounds, 10, ETA), ETA, 1, "max") if halved else None
    agenda = Agenda(RandomSearcher(space, SEED), n, n if halved else 50, SEED, halving)
    if is_trivial:
        tuner.SearchSlot = trivial_slot()  # type: ignore[misc]
    with (
        connect(address="local", num_cpus=N_WORKERS),
        tempfile.TemporaryDirectory() as folder,
        open_ledger(Path(folder) / "key.jsonl") as ledger,
    ):
        started = time.perf_counter()
        records = tuner.run_search(task, agenda, ledger.append)
        search_s = time.perf_counter() - started
    best = max(record.value for record in records if record.value is not None)
    return {"search_s": search_s, "best": best}


def trivial_slot() -> type[Any]:
    """A slot whose steps do nothing."""
    from mlops_ray.search.slot import CPU_KEY, RECORD_KEY, SearchSlot
    from mlops_ray.search.trial import TrialRecord

    class Trivial(SearchSlot):
        def step(self) -> dict[str, Any]:
            step = self._step
            record: TrialRecord = TrialRecord(
                step.index, dict(step.params), str(step.seed), "finished", 0.5, {"roc_auc": 0.5}
            )
            return {RECORD_KEY: record.to_bytes().decode(), CPU_KEY: 0.0}

    return Trivial


class Fits:
    """What the rivals share: rows quantised once, and a configuration fitted rung by rung."""

    def __init__(self, options: argparse.Namespace) -> None:
        import xgboost

        self._xgboost, self._rounds = xgboost, options.rounds
        X, y = table_of(options.rows * 5 // 4)
        self._rows = xgboost.QuantileDMatrix(X[: options.rows], y[: options.rows], nthread=1)
        self._X, self._y = X[options.rows :], y[options.rows :]

    def grow(self, params: dict[str, Any], rungs: set[int]) -> Iterator[tuple[int, float]]:
        """Rounds and ROC AUC at each rung."""
        from sklearn.metrics import roc_auc_score

        settings = {"objective": "binary:logistic", "tree_method": "hist", "nthread": 1, **params}
        booster = self._xgboost.Booster(settings, [self._rows])
        for number in range(self._rounds):
            booster.update(self._rows, number)
            if number + 1 in rungs:
                answers = booster.inplace_predict(self._X)
                yield number + 1, float(roc_auc_score(self._y, answers))


def in_optuna(options: argparse.Namespace) -> dict[str, Any]:
    """Threads of one process on one quantised matrix."""
    started = time.perf_counter()
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    configurations = drawn(options.configurations)
    fits = Fits(options) if options.rounds else None

    def score(trial: optuna.trial.Trial) -> float:
        if fits is None:
            return 0.5
        ((_, value),) = fits.grow(configurations[trial.number], {options.rounds})
        return value

    sampler = optuna.samplers.RandomSampler(seed=SEED)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.optimize(score, n_trials=options.configurations, n_jobs=N_WORKERS)
    return {"search_s": time.perf_counter() - started, "best": study.best_value}


def reused_trainable(options: argparse.Namespace, rungs: set[int]) -> type[Any]:
    """A Tune trainable whose actor is reused, and reports once a rung."""
    from ray import tune

    class Reused(tune.Trainable):
        def setup(self, config: dict[str, Any], configurations: Any = None) -> None:  # noqa: ANN401
            self._configurations = configurations
            self._fits = Fits(options) if options.rounds else None
            self.reset_config(config)

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            params = self._configurations[new_config["index"]]
            self._growth = self._fits.grow(params, rungs) if self._fits else iter([(0, 0.5)])
            return True

        def step(self) -> dict[str, Any]:
            rounds, value = next(self._growth)
            return {"value": value, "rounds": rounds, "done": rounds == options.rounds}

    return Reused


def in_tune(options: argparse.Namespace, *, halved: bool) -> dict[str, Any]:
    """One Tune trial a configuration, actors reused, no loggers; under ASHA where it is halved."""
    from ray import tune
    from ray.tune.schedulers import ASHAScheduler

    from mlops_ray.runtime.cluster import connect

    rungs = {options.rounds // ETA**k for k in range(3)} if halved else {options.rounds}
    asha = ASHAScheduler(
        time_attr="rounds",
        metric="value",
        mode="max",
        max_t=max(rungs) or 1,
        grace_period=min(rungs) or 1,
        reduction_factor=ETA,
    )
    trainable = tune.with_parameters(
        reused_trainable(options, rungs), configurations=drawn(options.configurations)
    )
    with (
        connect(address="local", num_cpus=N_WORKERS),
        tempfile.TemporaryDirectory() as folder,
    ):
        started = time.perf_counter()
        results = tune.Tuner(
            tune.with_resources(trainable, {"cpu": 1}),
            param_space={"index": tune.grid_search(list(range(options.configurations)))},
            tune_config=tune.TuneConfig(reuse_actors=True, scheduler=asha if halved else None),
            run_config=tune.RunConfig(
                name="search",
                storage_path=folder,
                verbose=0,
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            ),
        ).fit()
        search_s = time.perf_counter() - started
    best = results.get_best_result("value", "max", scope="all").metrics["value"]
    return {"search_s": search_s, "best": best}


SYSTEMS: Final[dict[str, Callable[[argparse.Namespace], dict[str, Any]]]] = {
    "ours": partial(ours, halved=False),
    "optuna": in_optuna,
    "tune": partial(in_tune, halved=False),
    "ours_halved": partial(ours, halved=True),
    "tune_asha": partial(in_tune, halved=True),
}
QUIET: Final = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "60",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
}


def measured(system: str, rows: int, rounds: int, configurations: int) -> dict[str, Any]:
    """One system in a process of its own."""
    numbers = {"rows": rows, "rounds": rounds, "configurations": configurations}
    words = [word for name, value in numbers.items() for word in (f"--{name}", str(value))]
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, __file__, "--system", system, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **QUIET},
    )
    watched = Watched(process)
    said, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"{system} ended with {process.returncode}")
    return {
        **json.loads(said.splitlines()[-1]),
        "process_s": time.perf_counter() - started,
        "cpu_s": watched.cpu_s,
        "peak_mib": watched.peak_bytes / 2**20,
    }


def compared(systems: list[str], repeats: int, **numbers: int) -> dict[str, dict[str, float]]:
    """Medians of each system, which take turns."""
    found: dict[str, list[dict[str, Any]]] = {system: [] for system in systems}
    for _ in range(repeats):
        for system in systems:
            found[system].append(measured(system, **numbers))
    return {
        system: {name: round(statistics.median(run[name] for run in runs), 5) for name in runs[0]}
        for system, runs in found.items()
    }


def ratios(
    found: dict[str, dict[str, float]], system: str, rival: str, names: list[str]
) -> dict[str, float]:
    """What a system needs, as a multiple of its rival."""
    return {name: round(found[system][name] / found[rival][name], 3) for name in names}


def overheads(options: argparse.Namespace) -> dict[str, Any]:
    """Milliseconds a configuration that does nothing, all included, and of one more; memory."""
    by_size = {
        n: compared(options.systems, options.repeats, rows=40, rounds=0, configurations=n)
        for n in options.trivial
    }
    answer: dict[str, Any] = {system: {} for system in options.systems}
    for system, told in answer.items():
        for n, found in by_size.items():
            told[f"ms_each_of_{n}"] = round(1e3 * found[system]["search_s"] / n, 3)
            told[f"driver_mib_at_{n}"] = round(found[system]["driver_mib"])
        for few, many in pairwise(options.trivial):
            more_s = by_size[many][system]["search_s"] - by_size[few][system]["search_s"]
            told[f"ms_marginal_to_{many}"] = round(1e3 * more_s / (many - few), 3)
    return answer


def compare_all(options: argparse.Namespace) -> dict[str, Any]:
    """Everything, as one object."""
    numbers = {name: getattr(options, name) for name in ("rows", "rounds", "configurations")}
    answer: dict[str, Any] = {"repeats": options.repeats, **numbers}
    if "trivial" in options.only:
        answer["trivial"] = overheads(options)
    if "fits" in options.only:
        found = compared(["ours", "optuna", "tune"], options.repeats, **numbers)
        times = ["search_s", "process_s", "cpu_s", "peak_mib"]
        answer["fits"] = found
        answer["ours_by_optuna"] = ratios(found, "ours", "optuna", times)
        answer["ours_by_tune"] = ratios(found, "ours", "tune", times)
    if "halved" in options.only:
        found = compared(["ours", "ours_halved", "tune_asha"], options.repeats, **numbers)
        answer["halved"] = found
        answer["halved_by_full"] = ratios(found, "ours_halved", "ours", ["search_s", "best"])
        answer["halved_by_asha"] = ratios(found, "ours_halved", "tune_asha", ["search_s", "best"])
    return answer


def main() -> None:
    """Run one system and tell its figures, or all of them and compare."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--system", choices=list(SYSTEMS), help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--configurations", type=int, default=100)
    parser.add_argument("--trivial", type=int, nargs="+", default=[100, 500])
    rivals = ["ours", "optuna", "tune"]
    parser.add_argument("--systems", nargs="+", choices=rivals, default=rivals)
    parser.add_argument("--repeats", type=int, default=5)
    parts = ["trivial", "fits", "halved"]
    parser.add_argument("--only", nargs="+", choices=parts, default=parts)
    options = parser.parse_args()
    if options.system:
        answer = SYSTEMS[options.system](options)
        peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        answer["driver_mib"] = peak_kib / 2**10
    else:
        answer = compare_all(options)
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
