"""The Tune trainable: one actor runs many trials, one step each.

A new actor costs two seconds, a reused one a few hundredths, so the data are loaded in `setup` and
`reset_config` only takes the next index. Nothing else is kept between trials.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ray import tune

from mlops_ray.search.objective import SearchTask, fit_trial

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["INDEX_KEY", "RECORD_KEY", "SearchTrainable"]

INDEX_KEY: Final = "trial_index"
RECORD_KEY: Final = "record"


class SearchTrainable(tune.Trainable):
    """Runs the trial whose index stands in its config, and reports its record as JSON text."""

    def setup(
        self,
        config: dict[str, Any],
        task: SearchTask | None = None,
        params_list: Sequence[dict[str, Any]] = (),
    ) -> None:
        """Take the data, which Tune fetches from the object store once an actor."""
        if task is None:
            raise ValueError("the search task comes through tune.with_parameters")
        self._task = task
        self._params_list = params_list
        self._index = int(config[INDEX_KEY])

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Turn to the next trial; true tells Tune to keep the actor."""
        self._index = int(new_config[INDEX_KEY])
        return True

    def step(self) -> dict[str, Any]:
        """Run the trial, wholly."""
        record = fit_trial(self._task, self._index, self._params_list[self._index])
        return {RECORD_KEY: record.to_bytes().decode(), "done": True}
