"""Which trial table a search starts from, where a pipeline file names a run or a digest."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mlops_ray.errors import ConfigError, ManifestError, NotFoundError
from mlops_ray.search.trial import read_trial_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlops_ray.config.loader import LoadedConfig
    from mlops_ray.errors import Where
    from mlops_ray.pipeline.run import Run
    from mlops_ray.storage import ObjectStore

__all__ = ["with_warm_start"]


def with_warm_start(
    loaded: LoadedConfig, store: ObjectStore, find_run: Callable[[str], Run]
) -> LoadedConfig:
    """The pipeline file with the digest of a trial table in the place of a run's id.

    Args:
        loaded: The pipeline file.
        store: Holds the table.
        find_run: Finds a run that has ended by its id.

    Raises:
        NotFoundError: There is no such run, or the store does not hold the table.
        ConfigError: The run has no trials, or they improved another metric; or the digest is that
            of something else.
    """
    name = loaded.config.search.warm_start
    if name is None:
        return loaded
    where = loaded.document.where(("search", "warm_start"))
    table = name if name.startswith("sha256:") else _table_of(loaded, find_run(name), where)
    if not store.has(table):
        hint = "take the id of a run of this store, or `trials` of its result"
        raise NotFoundError("the store holds no such trial table", table, hint=hint, where=where)
    try:
        read_trial_table(store.get(table))
    except ManifestError as error:
        what, wanted = "the object is no trial table", "`trials` of the result of a run"
        raise ConfigError(what, table, wanted, where=where) from error
    search = loaded.config.search.model_copy(update={"warm_start": table})
    return replace(loaded, config=loaded.config.model_copy(update={"search": search}))


def _table_of(loaded: LoadedConfig, run: Run, where: Where) -> str:
    if run.result is None:
        raise ConfigError(f"run {run.run_id} has no trials to start from", run.state, where=where)
    wanted, got = loaded.config.objective, run.spec.objective
    if (got.metric, got.mode) != (wanted.metric, wanted.mode):
        raise ConfigError(
            f"the trials of run {run.run_id} improved another metric",
            got.metric,
            wanted.metric,
            "leave 'search.warm_start' out, or take a run with the same objective",
            where,
        )
    return run.result.search.trials
