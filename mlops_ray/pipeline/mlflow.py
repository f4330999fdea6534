"""A run with its trials as runs of an MLflow server: one of its own, and one a trial below it."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

from mlops_ray.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlops_ray.pipeline.run import Run
    from mlops_ray.search.overview import SearchOverview
    from mlops_ray.search.trial import TrialRecord

__all__ = ["log_run"]

_PARENT_TAG: Final = "mlflow.parentRunId"
_STATUS: Final = {"finished": "FINISHED", "pruned": "KILLED"}  # All others have failed.
_LONGEST_TAG: Final = 5000


def log_run(
    package: Any,  # noqa: ANN401 - not installed everywhere
    run: Run,
    overview: SearchOverview,
    address: str,
) -> None:
    """Write the run into the experiment that bears the pipeline's name.

    Args:
        package: The module ``mlflow``; that of ``mlflow-skinny`` is enough.
        run: The run.
        overview: Its trials.
        address: Address of the server.

    Raises:
        ClusterError: The server does not answer as it should.
    """
    try:
        client = package.MlflowClient(tracking_uri=address)
        found = client.get_experiment_by_name(run.spec.name)
        experiment = found.experiment_id if found else client.create_experiment(run.spec.name)
        ids = {"run_id": run.run_id, "spec_id": run.spec_id, "result_id": run.result_id or ""}
        tags = {f"mlops_ray.{name}": value for name, value in ids.items()}
        tags |= {"mlops_ray.state": run.state}
        parent = client.create_run(experiment, tags=tags, run_name=run.run_id).info.run_id
        for record in overview.records:
            _log_trial(client, experiment, parent, overview, record)
        _log_values(client, parent, {f"test/{name}": [(0, v)] for name, v in run.metrics.items()})
        client.set_terminated(parent, "FINISHED" if run.state == "sealed" else "FAILED")
    except package.exceptions.MlflowException as error:
        raise ClusterError(
            f"the MLflow server at {address} does not take the run",
            str(error).splitlines()[0],
            "the address of a running server, such as http://127.0.0.1:5000",
        ) from error


def _log_trial(
    client: Any,  # noqa: ANN401 - as above
    experiment: str,
    parent: str,
    overview: SearchOverview,
    record: TrialRecord,
) -> None:
    tags = {_PARENT_TAG: parent, "mlops_ray.status": record.status}
    if record.message:
        tags["mlops_ray.reason"] = f"{record.error}: {record.message}"[:_LONGEST_TAG]
    name = f"trial {record.index}"
    trial = client.create_run(experiment, tags=tags, run_name=name).info.run_id
    values = {f"valid/{name}": [(0, value)] for name, value in record.metrics.items()}
    steps, curve = overview.curve_in_steps(record)
    values[f"{steps}/{overview.metric}"] = curve
    _log_values(client, trial, values, record.params)
    client.set_terminated(trial, _STATUS.get(record.status, "FAILED"))


def _log_values(
    client: Any,  # noqa: ANN401 - as above
    run: str,
    values: Mapping[str, list[tuple[int, float]]],
    params: Mapping[str, object] | None = None,
) -> None:
    entities = importlib.import_module("mlflow.entities")
    metrics = [
        entities.Metric(name, value, 0, step)
        for name, points in values.items()
        for step, value in points
    ]
    drawn = [entities.Param(name, str(value)) for name, value in (params or {}).items()]
    client.log_batch(run, metrics=metrics, params=drawn)
