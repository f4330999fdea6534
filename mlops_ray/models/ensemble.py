"""Estimators that answer together: an ordered list of members and their weights.

The answer is the weighted mean of the members' answers, added in their order, value by value; so a
row's bits do not depend on the rows around it. A member's digest is that of the tree of its files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mlops_ray.errors import ManifestError, ModelError
from mlops_ray.manifest.canonical import canonical_bytes, digest_json, from_canonical
from mlops_ray.models.bundle import tree_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from mlops_ray.config.model import Task
    from mlops_ray.models.estimator import Family, Fitted

__all__ = [
    "ENSEMBLE_FILE",
    "ENSEMBLE_SCHEMA",
    "Ensemble",
    "Member",
    "load_ensemble",
    "mean_of",
    "members_of",
]

ENSEMBLE_FILE: Final = "ensemble.json"
ENSEMBLE_SCHEMA: Final = "mlops-ray/ensemble/v1"


@dataclass(frozen=True, slots=True)
class Member:
    """One estimator of an ensemble.

    Attributes:
        fitted: The estimator.
        weight: How often it counts, at least once.
    """

    fitted: Fitted
    weight: int


def mean_of(answers: Sequence[NDArray[np.float64]], weights: Sequence[int]) -> NDArray[np.float64]:
    """Weighted mean, added in order.

    Example:
        >>> import numpy as np
        >>> mean_of([np.array([1.0]), np.array([4.0])], [2, 1]).tolist()
        [2.0]
    """
    total = answers[0] * float(weights[0])
    for answer, weight in zip(answers[1:], weights[1:], strict=True):
        total += answer * float(weight)
    mean: NDArray[np.float64] = total / float(sum(weights))
    return mean


class Ensemble:
    """Members that answer together; a `Fitted` like each of them.

    Args:
        members: In their order, at least one.
    """

    def __init__(self, members: Sequence[Member]) -> None:
        self.members = tuple(members)

    def predict(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Predict each row; see `estimator.Fitted.predict`."""
        answers = [member.fitted.predict(X) for member in self.members]
        return mean_of(answers, [member.weight for member in self.members])

    def to_files(self) -> dict[str, bytes]:
        """The members' files, each below a folder of its own, and the list of them."""
        files: dict[str, bytes] = {}
        listed: list[dict[str, Any]] = []
        for at, member in enumerate(self.members):
            own = member.fitted.to_files()
            listed.append({"digest": digest_json(tree_of(own)), "weight": member.weight})
            files |= {_path(at, name): data for name, data in own.items()}
        content = {"schema": ENSEMBLE_SCHEMA, "members": listed}
        return {**files, ENSEMBLE_FILE: canonical_bytes(content)}


def load_ensemble(
    files: Mapping[str, bytes], family: Family, *, task: Task, n_classes: int
) -> Ensemble:
    """What `Ensemble.to_files` wrote.

    Raises:
        ManifestError: The list of members cannot be read.
        ModelError: A member is not the one that is listed, or cannot be loaded.
    """
    listed = members_of(files)
    members = []
    for at, (name, weight) in enumerate(listed):
        start = _path(at, "")
        own = {p.removeprefix(start): data for p, data in files.items() if p.startswith(start)}
        found = digest_json(tree_of(own))
        if found != name:
            raise ModelError(
                f"member {at} of the ensemble is not the one that is listed", found, name
            )
        fitted = family.from_files(own, task=task, n_classes=n_classes)
        members.append(Member(fitted, weight))
    return Ensemble(members)


def members_of(files: Mapping[str, bytes]) -> list[tuple[str, int]]:
    """Digest and weight of each member, in their order.

    Raises:
        ManifestError: The list of members cannot be read.
    """
    content = from_canonical(files[ENSEMBLE_FILE])
    if not isinstance(content, dict) or content.get("schema") != ENSEMBLE_SCHEMA:
        raise ManifestError("not an ensemble this version can read", wanted=ENSEMBLE_SCHEMA)
    try:
        found = [(str(item["digest"]), int(item["weight"])) for item in content["members"]]
    except (LookupError, TypeError, ValueError) as error:
        raise ManifestError("the ensemble is malformed", repr(error)) from error
    if not found or any(weight < 1 for _, weight in found):
        raise ManifestError("the ensemble is malformed", "no members, or one without weight")
    return found


def _path(at: int, name: str) -> str:
    return f"members/{at:03}/{name}"
