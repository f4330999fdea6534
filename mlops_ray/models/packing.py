"""Packing a fitted model into a bundle, golden examples included."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_ray.features import CompiledTransform
from mlops_ray.manifest.canonical import canonical_bytes
from mlops_ray.models.bundle import FEATURES_FILE, GOLDEN_FILE, SIGNATURE_FILE, Bundle
from mlops_ray.models.golden import golden_examples
from mlops_ray.models.predictor import Predictor
from mlops_ray.models.signature import Signature

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mlops_ray.config.model import Task
    from mlops_ray.features import FeatureState
    from mlops_ray.models.estimator import Family, Fitted
    from mlops_ray.models.signature import ClassLabel

__all__ = ["pack_bundle", "signature_of"]


def signature_of(
    state: FeatureState, family: Family, task: Task, classes: Iterable[ClassLabel]
) -> Signature:
    """Signature of a model: a null is answered where a step or the estimator takes care of it."""
    transform = CompiledTransform(state, accepts_missing=family.accepts_missing)
    refused = transform.refused_nulls()
    inputs = [(column, dtype, column not in refused) for column, dtype in state.inputs.items()]
    return Signature.of(family, task, classes, inputs)


def pack_bundle(
    state: FeatureState,
    signature: Signature,
    fitted: Fitted,
    examples: Sequence[Mapping[str, Any]],
) -> Bundle:
    """Bundle a model; the golden answers come from the *loaded* estimator, not from `fitted`.

    Args:
        state: Feature state the estimator was fitted on.
        signature: From `signature_of`.
        fitted: The estimator.
        examples: A few records to become golden examples, at least one.

    Raises:
        DataError: An example does not fit the signature.
        ModelError: The estimator cannot be saved, or there are no examples.
    """
    files = {
        FEATURES_FILE: canonical_bytes(state.to_json()),
        SIGNATURE_FILE: signature.to_bytes(),
        **fitted.to_files(),
    }
    golden = golden_examples(Predictor(Bundle(files)), examples)
    return Bundle({**files, GOLDEN_FILE: golden})
