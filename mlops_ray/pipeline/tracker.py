"""A finished run for people who look at their runs in another program.

The record of a run is its manifest; what is written here is a copy for eyes. Both programs are
extras: nothing else needs them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from mlops_ray.errors import ConfigError

if TYPE_CHECKING:
    from mlops_ray.pipeline.run import Run

__all__ = ["Tracker", "export_to_tracker"]

Tracker: TypeAlias = Literal["tensorboard", "mlflow"]
_PACKAGES: Final[dict[Tracker, str]] = {"tensorboard": "tensorboardX", "mlflow": "mlflow"}


def export_to_tracker(run: Run, tracker: Tracker, out: str) -> int:
    """Write the trials of a run and its metrics on the test rows.

    Args:
        run: A run with trials.
        tracker: The other program.
        out: For TensorBoard a folder to make; for MLflow the address of its server.

    Returns:
        Trials that were written.

    Raises:
        ConfigError: Its package is not installed.
        NotFoundError: The run has no trials.
        StoreError: The folder is there already, or cannot be written.
        ClusterError: The server does not answer as it should.
    """
    package = _package(tracker)
    overview = run.search_overview()
    if tracker == "tensorboard":
        from mlops_ray.pipeline.tensorboard import write_events  # noqa: PLC0415 - an extra

        write_events(package, overview, run.metrics, out)
    else:
        from mlops_ray.pipeline.mlflow import log_run  # noqa: PLC0415 - an extra

        log_run(package, run, overview, out)
    return len(overview.records)


def _package(tracker: Tracker) -> Any:  # noqa: ANN401 - a module without types
    try:
        return importlib.import_module(_PACKAGES[tracker])
    except ImportError as error:
        raise ConfigError(
            f"an export to {tracker} needs a package that is not installed",
            f"no {_PACKAGES[tracker]}",
            hint=f"pip install 'mlops-ray[{tracker}]'",
        ) from error
