"""Profiles with what the pass counted beside the target: associations, and hints of leaks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mlops_ray.data.association import associate
from mlops_ray.data.leakage import column_hints, id_hints, shared_row_hints

if TYPE_CHECKING:
    from mlops_ray.data.leakage import Hint
    from mlops_ray.data.profile import Profile
    from mlops_ray.data.scan_result import Scan
    from mlops_ray.data.supervision import Supervision

__all__ = ["described", "hints_of"]


def described(found: Scan, roles: Supervision, group: str) -> Profile:
    """The profile of a group of rows with its associations, which depend on no other rows.

    Args:
        found: From a pass that was given these roles.
        roles: Target and features.
        group: Such as ``train``.
    """
    profile = found.profiles[group]
    target = profile.columns[roles.target]
    joints = found.beside[group].joints
    associations = {
        name: associate(joints[name], column, target)
        for name, column in profile.columns.items()
        if name in joints
    }
    return replace(profile, target=roles.target, associations=associations)


def hints_of(found: Scan, learned_from: Profile) -> tuple[Hint, ...]:
    """What in a table looks like a leak or tells nothing; no stage that fits may read it.

    Args:
        found: From a pass that was given roles.
        learned_from: The rows that a model learns from, as `described` has them.
    """
    associations = learned_from.associations
    columns = {name: learned_from.columns[name] for name in associations}
    samples = {part: counts.sample for part, counts in found.beside.items()}
    return (
        *column_hints(columns, associations),
        *id_hints(found.ids, found.n_rows),
        *shared_row_hints(samples),
    )
