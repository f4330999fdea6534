"""A project with everything that can be asked of it: records, predictions, endpoints, drift."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_ray.models.admitted import load_admitted
from mlops_ray.pipeline.admission import admission_of
from mlops_ray.pipeline.drift import drift_of_table
from mlops_ray.pipeline.prediction import Predictions, predict_table_to_file
from mlops_ray.pipeline.records import Records, actor
from mlops_ray.pipeline.run import run_of_version
from mlops_ray.pipeline.serving import Endpoint, deploy, serving, status, take_down
from mlops_ray.runtime.doctor import examine

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from mlops_ray.config.environment import OnDifference
    from mlops_ray.models.predictor import Predictor
    from mlops_ray.monitor.drift import DriftReport
    from mlops_ray.runtime.doctor import Check

__all__ = ["Project"]


class Project(Records):
    """Runs, models and endpoints of one store and registry; see `Records` for the arguments."""

    def predictor(self, reference: str, *, on_difference: OnDifference | None = None) -> Predictor:
        """A version's predictor, from a bundle whose every digest was checked.

        Args:
            reference: ``MODEL@ALIAS`` or ``MODEL@VERSION``.
            on_difference: What happens where packages or CPU class are not those of the run;
                else what the pipeline file declared. A difference that is let through is told by
                a `UserWarning`.

        Raises:
            NotFoundError: There is no such version, or the store does not hold its run.
            NotPermittedError: The environment is another one, and the policy is to refuse.
            ModelError: The golden answers are others here.
            DigestMismatchError: A file of the bundle is missing or damaged.
        """
        version = self.version(reference)
        admission = admission_of(run_of_version(self.workspace, version), on_difference)
        found = admission.check()
        predictor = load_admitted(self.workspace.store, version.bundle, admission)
        if found.relevant:
            warnings.warn(f"{reference} was made in another environment: {found}", stacklevel=2)
        return predictor

    def predict(
        self,
        reference: str,
        data: str,
        out: str | Path,
        *,
        num_cpus: int | None = None,
        address: str | None = None,
        on_difference: OnDifference | None = None,
    ) -> Predictions:
        """Predict a table on Ray Data; see `pipeline.prediction`."""
        return predict_table_to_file(
            self.workspace,
            self.version(reference),
            data,
            Path(out),
            num_cpus=num_cpus,
            address=address,
            on_difference=on_difference,
        )

    def check_drift(
        self,
        reference: str,
        data: str,
        *,
        num_cpus: int | None = None,
        address: str | None = None,
    ) -> DriftReport:
        """Compare a table with a version's training rows; see `pipeline.drift`."""
        version = self.version(reference)
        return drift_of_table(self.workspace, version, data, num_cpus=num_cpus, address=address)

    def serving(
        self,
        reference: str,
        *,
        host: str = "127.0.0.1",
        port: int = 8000,
        num_cpus: int | None = None,
        on_difference: OnDifference | None = None,
    ) -> AbstractContextManager[Endpoint]:
        """An endpoint on a local cluster of its own, for the length of a ``with`` block."""
        return serving(
            self.workspace,
            self.registry,
            reference,
            host=host,
            port=port,
            num_cpus=num_cpus,
            actor=actor(),
            on_difference=on_difference,
        )

    def deploy(
        self,
        reference: str,
        *,
        address: str | None = None,
        host: str = "127.0.0.1",
        port: int = 8000,
        on_difference: OnDifference | None = None,
    ) -> Endpoint:
        """Put a version on a running cluster and leave it there."""
        return deploy(
            self.workspace,
            self.registry,
            reference,
            address=address,
            host=host,
            port=port,
            actor=actor(),
            on_difference=on_difference,
        )

    def endpoint_status(self, *, address: str | None = None) -> dict[str, Any]:
        """What a running cluster serves."""
        return status(address)

    def undeploy(self, *, address: str | None = None) -> str | None:
        """Take the endpoint off a running cluster; returns the model's name."""
        return take_down(address)

    def doctor(self) -> list[Check]:
        """Look at the machine, the store and the registry."""
        return examine(self.workspace.store_root, self.workspace.registry)
