"""What has to hold where a registered version is used, read from the run that made it. Ray-free."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from mlops_ray.config.environment import EnvironmentConfig
from mlops_ray.manifest.named_objects import CODE_ARCHIVE
from mlops_ray.pipeline.own_code import family_modules, function_modules
from mlops_ray.runtime.admission import Admission
from mlops_ray.runtime.environment_difference import RecordedEnvironment
from mlops_ray.runtime.recorded_code import RecordedCode

if TYPE_CHECKING:
    from mlops_ray.config.environment import OnDifference
    from mlops_ray.pipeline.run import Run

__all__ = ["admission_of", "recorded_code", "recorded_environment"]

_PINNED: Final = re.compile(r"^([a-z0-9-]+)==([^\s;\\]+)", re.MULTILINE)


def recorded_environment(run: Run, *, with_others: bool = False) -> RecordedEnvironment:
    """The environment a run was made in, as far as its record knows it.

    Args:
        run: The run.
        with_others: Whether to read the list of all packages too, if the run has one.

    Raises:
        DigestMismatchError: That list is missing or damaged.
    """
    packages, facts = run.spec.packages, run.spec.environment
    machine = {name: str(value) for name, value in run.envelope.platform.items()}
    if facts is not None:
        machine["implementation"] = facts.implementation
    others = None
    if with_others and run.envelope.lock is not None:
        lock = run.record.workspace.store.get(run.envelope.lock).decode()
        others = {n: v for n, v in _PINNED.findall(lock) if n not in packages}
    return RecordedEnvironment(packages, machine, facts.threads if facts else None, others)


def admission_of(run: Run, on_difference: OnDifference | None = None) -> Admission:
    """What the run's model demands of the environments that use it.

    Args:
        run: The run that made the model.
        on_difference: Instead of what the pipeline file declared; the tolerance stays.
    """
    policy = run.spec.environment_policy or EnvironmentConfig()
    if on_difference is not None:
        policy = EnvironmentConfig(on_difference=on_difference, tolerance=policy.tolerance)
    return Admission(recorded_environment(run), policy, run.run_id, recorded_code(run))


def recorded_code(run: Run) -> RecordedCode | None:
    """The code that a run's own functions and family are part of; None where it has none."""
    modules = tuple(sorted({*function_modules(run.spec), *family_modules(run.spec)}))
    archives = [item.sha256 for item in run.envelope.objects if item.role == CODE_ARCHIVE]
    if not modules or not archives:
        return None
    return RecordedCode(archives[0], run.spec.code.tree, modules)
