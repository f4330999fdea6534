"""Where two environments differ, and whether a difference can change an answer of a model.

What can: the behaviour-relevant packages, Python, and the kind of machine, by which numeric
libraries choose their kernels. What cannot, or only while a model is fitted: thread settings, which
order sums of several threads, and all other packages. Nothing heavy is imported to find out.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from mlops_ray.config.environment import OnDifference as Policy
from mlops_ray.runtime.environment import behaviour_packages, platform_facts

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "Difference",
    "EnvironmentDifference",
    "Policy",
    "RecordedEnvironment",
    "compare_environments",
    "environment_here",
]

Kind = Literal["package", "machine", "threads", "other"]
_MACHINE: Final = ("cpu_level", "implementation", "libc", "machine", "system")


@dataclass(frozen=True, slots=True)
class RecordedEnvironment:
    """An environment as far as it is known.

    Attributes:
        packages: Versions of Python and of the behaviour-relevant packages, by name.
        platform: The kind of machine, as `platform_facts` names it, and the ``implementation`` of
            Python where it was recorded.
        threads: Thread variables with their values; None where they were not recorded.
        others: Versions of all other packages; None where they were not recorded.
    """

    packages: Mapping[str, str] = field(hash=False)
    platform: Mapping[str, str] = field(hash=False)
    threads: Mapping[str, str] | None = field(default=None, hash=False)
    others: Mapping[str, str] | None = field(default=None, hash=False)


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not the same in two environments.

    Attributes:
        kind: What sort of thing.
        name: Name of the package, of the fact of the machine or of the variable.
        recorded: Its value in the record; None where the record does not have it.
        here: Its value here; None where it is not installed or not set.

    Example:
        >>> str(Difference("package", "scipy", "1.17.0", "1.17.1"))
        'scipy 1.17.0 -> 1.17.1'
    """

    kind: Kind
    name: str
    recorded: str | None
    here: str | None

    def __str__(self) -> str:
        absent = "not installed" if self.kind in {"package", "other"} else "unset"
        return f"{self.name} {self.recorded or 'not recorded'} -> {self.here or absent}"


@dataclass(frozen=True, slots=True)
class EnvironmentDifference:
    """How an environment differs from a recorded one.

    Attributes:
        relevant: Packages and facts of the machine that can change an answer of a model.
        threads: Thread variables; they can change what is fitted, not what a model answers.
        others: Packages that change nothing.
    """

    relevant: tuple[Difference, ...] = ()
    threads: tuple[Difference, ...] = ()
    others: tuple[Difference, ...] = ()

    def __str__(self) -> str:
        return ", ".join(map(str, self.relevant)) or "none"

    def to_json(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Each part as a mapping from the name to ``{"recorded": ..., "here": ...}``."""
        parts = {"relevant": self.relevant, "threads": self.threads, "others": self.others}
        return {
            part: {item.name: {"recorded": item.recorded, "here": item.here} for item in found}
            for part, found in parts.items()
        }


def compare_environments(
    recorded: RecordedEnvironment, here: RecordedEnvironment
) -> EnvironmentDifference:
    """Tell what differs, the behaviour-relevant apart from the rest.

    What a record does not know of packages and machine counts as different: a refusal names it and
    can be lifted with one option, while other bits that nobody expected would go unseen. Threads
    and other packages, which decide nothing here, are compared where both sides know them.

    Args:
        recorded: The environment of a run.
        here: The one to be judged, see `environment_here`.

    Example:
        >>> machine = {"cpu_level": "x86-64-v3"}
        >>> old, new = ({"scipy": "1.17.0"}, {"scipy": "1.17.1"})
        >>> print(
        ...     compare_environments(
        ...         RecordedEnvironment(old, machine), RecordedEnvironment(new, machine)
        ...     )
        ... )
        scipy 1.17.0 -> 1.17.1
    """
    machines = [
        {name: value for name, value in side.platform.items() if name in _MACHINE}
        for side in (recorded, here)
    ]
    return EnvironmentDifference(
        relevant=(
            *_differences("package", recorded.packages, here.packages),
            *_differences("machine", *machines),
        ),
        threads=_known_differences("threads", recorded.threads, here.threads),
        others=_known_differences("other", recorded.others, here.others),
    )


def environment_here(recorded: RecordedEnvironment) -> RecordedEnvironment:
    """This process's environment, in the terms of a recorded one.

    Args:
        recorded: Which packages and variables are asked for beside the behaviour-relevant ones.
    """
    packages = _behaviour_packages()
    for name in recorded.packages:
        version = _version(name)
        if version is not None:
            packages[name] = version
    threads = recorded.threads
    set_here = {name: os.environ[name] for name in threads or () if name in os.environ}
    machine = platform_facts()
    if "implementation" in recorded.platform:
        machine["implementation"] = sys.implementation.name
    return RecordedEnvironment(
        packages,
        machine,
        None if threads is None else set_here,
        None if recorded.others is None else _other_packages(packages),
    )


def _differences(
    kind: Kind, recorded: Mapping[str, str], here: Mapping[str, str]
) -> tuple[Difference, ...]:
    return tuple(
        Difference(kind, name, recorded.get(name), here.get(name))
        for name in sorted({*recorded, *here})
        if recorded.get(name) != here.get(name)
    )


def _known_differences(
    kind: Kind, recorded: Mapping[str, str] | None, here: Mapping[str, str] | None
) -> tuple[Difference, ...]:
    return () if recorded is None or here is None else _differences(kind, recorded, here)


def _behaviour_packages() -> dict[str, str]:
    try:
        return behaviour_packages()
    except importlib.metadata.PackageNotFoundError:
        # One is missing; those that the record names are looked up one by one.
        return {"python": platform.python_version()}


def _version(name: str) -> str | None:
    if name == "python":
        return platform.python_version()
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _other_packages(packages: Mapping[str, str]) -> dict[str, str]:
    others: dict[str, str] = {}
    for item in importlib.metadata.distributions():
        # The first of a name on the path is the one that is imported.
        others.setdefault(re.sub(r"[-_.]+", "-", item.name).lower(), item.version)
    return {name: version for name, version in others.items() if name not in packages}
