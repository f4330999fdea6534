"""Whether a model may be used in this environment, by the policy that its run declared.

=============  ========================  ===========================================
environment    policy                    the model is used if its golden answers
=============  ========================  ===========================================
the recorded   any                       match bit for bit
another        ``refuse``                (it is not)
another        ``warn``                  match bit for bit
another        ``allow``                 match within the declared tolerance
=============  ========================  ===========================================
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mlops_ray.config.environment import EnvironmentConfig
from mlops_ray.errors import NotPermittedError
from mlops_ray.runtime.environment_difference import compare_environments, environment_here

if TYPE_CHECKING:
    from mlops_ray.runtime.environment_difference import (
        EnvironmentDifference,
        RecordedEnvironment,
    )
    from mlops_ray.runtime.recorded_code import RecordedCode

__all__ = ["Admission"]


@dataclass(frozen=True, slots=True)
class Admission:
    """What has to hold where a model is used; travels to each process that loads the model.

    Attributes:
        recorded: Environment of the run that made the model.
        policy: What happens in another one.
        run_id: That run, for the way out.
        code: Where the model's own functions are imported from; None where it has none.
    """

    recorded: RecordedEnvironment
    policy: EnvironmentConfig = field(default_factory=EnvironmentConfig)
    run_id: str = "RUN"
    code: RecordedCode | None = None

    def check(self) -> EnvironmentDifference:
        """Compare this process's environment with the recorded one.

        Raises:
            NotPermittedError: It differs in what can change an answer, and the policy is to refuse.
        """
        found = compare_environments(self.recorded, environment_here(self.recorded))
        if found.relevant and self.policy.on_difference == "refuse":
            raise NotPermittedError(
                "the model was made in another environment",
                f"{found} (recorded -> here)",
                "the recorded one",
                self._ways_out(found),
            )
        return found

    def tolerance(self, found: EnvironmentDifference) -> float:
        """Largest relative difference of a golden answer; 0 where every bit has to match."""
        is_loose = bool(found.relevant) and self.policy.on_difference == "allow"
        return self.policy.tolerance if is_loose else 0.0

    def blame(self, found: EnvironmentDifference) -> str:
        """Why golden answers may not match here, and what can be done."""
        if not found.relevant:
            threads = f" ({', '.join(map(str, found.threads))})" if found.threads else ""
            return (
                "packages and CPU class are those of the run, so another environment is no excuse: "
                f"the machine, its libraries or their settings are damaged or different{threads}"
            )
        if self.policy.on_difference == "allow":
            limit = f"more than the tolerance of {self.policy.tolerance:g} allows"
            return f"the environment differs ({found}), and by {limit}; {_install(found)}"
        allow = f"--on-difference allow accepts a relative difference of {self.policy.tolerance:g}"
        return f"the environment differs ({found}); {_install(found)}; or {allow}"

    def _ways_out(self, found: EnvironmentDifference) -> str:
        return (
            f"{_install(found)}; or `mlops-ray reproduce {self.run_id} --env build` builds the "
            "recorded environment; or --on-difference warn goes on if the golden answers match "
            f"bit for bit, allow if within {self.policy.tolerance:g}"
        )


def _install(found: EnvironmentDifference) -> str:
    packages = [item for item in found.relevant if item.kind == "package" and item.recorded]
    pinned = [f"{item.name}=={item.recorded}" for item in packages if item.name != "python"]
    steps = [f"pip install {' '.join(pinned)}"] if pinned else []
    steps += [f"use Python {item.recorded}" for item in packages if item.name == "python"]
    if len(packages) < len(found.relevant):
        steps.append("use a machine and packages of the recorded kind")
    return ", ".join(steps)
