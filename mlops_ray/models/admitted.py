"""The one way from a stored bundle to a predictor that may be used in this process.

Digests first, then the environment, then the golden examples: an endpoint's replica, a batch
worker and a notebook all come by here, so no model is used anywhere unchecked. Functions of the
project's own are those of the run that made the model.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from mlops_ray.errors import ModelError, UnstableModelError
from mlops_ray.models.bundle import load_bundle
from mlops_ray.models.predictor import Predictor
from mlops_ray.runtime.code import CodeBundle
from mlops_ray.runtime.code_bundle import extracted
from mlops_ray.runtime.recorded_code import importing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_ray.runtime.admission import Admission
    from mlops_ray.runtime.recorded_code import RecordedCode
    from mlops_ray.storage import ObjectStore

__all__ = ["functions_importable", "load_admitted"]


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
        ModelError: This machine computes other answers than were recorded, or the model's own
            functions cannot be imported.
    """
    found = admission.check()
    loaded = load_bundle(store, bundle)
    with functions_importable(store, admission.code):
        predictor = Predictor(loaded, golden_tolerance=admission.tolerance(found))
    try:
        predictor.replay_golden()
    except UnstableModelError:
        raise
    except ModelError as error:
        hint = admission.blame(found)
        raise ModelError(error.what, error.got, error.wanted, hint) from error
    return predictor


@contextmanager
def functions_importable(store: ObjectStore, code: RecordedCode | None) -> Iterator[None]:
    """For a block, import from recorded code; its functions are loaded already.

    Args:
        store: Holds the code.
        code: None where there are no functions.

    Raises:
        DigestMismatchError: The code is missing or damaged.
        ModelError: A function's module cannot be imported, or was loaded from other code.
        StoreError: The code cannot be written beside the store.
    """
    if code is None:
        yield
        return
    bundle = CodeBundle.from_archive(store.get(code.archive), code.tree)
    with importing(extracted(bundle, store.root), bundle.files, code.modules):
        yield
