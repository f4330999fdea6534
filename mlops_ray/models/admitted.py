"""The one way from a stored bundle to a predictor that may be used in this process.

Digests first, then the environment, then the golden examples: an endpoint's replica, a batch
worker and a notebook all come by here, so no model is used anywhere unchecked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_ray.errors import ModelError, UnstableModelError
from mlops_ray.models.bundle import load_bundle
from mlops_ray.models.predictor import Predictor

if TYPE_CHECKING:
    from mlops_ray.runtime.admission import Admission
    from mlops_ray.storage import ObjectStore

__all__ = ["load_admitted"]


def load_admitted(store: ObjectStore, bundle: str, admission: Admission) -> Predictor:
    """Load a bundle if this environment may use it and computes its golden answers.

    Args:
        store: Holds the bundle.
        bundle: Its digest.
        admission: What has to hold here.

    Raises:
        NotPermittedError: The environment differs, and the policy is to refuse.
        DigestMismatchError: An object is missing or damaged.
        ManifestError: The bundle cannot be read by this version.
        UnstableModelError: Answers depend on the rows around them.
        ModelError: This machine computes other answers than were recorded.
    """
    found = admission.check()
    loaded = load_bundle(store, bundle)
    predictor = Predictor(loaded, golden_tolerance=admission.tolerance(found))
    try:
        predictor.replay_golden()
    except UnstableModelError:
        raise
    except ModelError as error:
        hint = admission.blame(found)
        raise ModelError(error.what, error.got, error.wanted, hint) from error
    return predictor
