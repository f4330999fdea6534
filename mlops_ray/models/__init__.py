"""Models: estimator families, bundles and the predictor that answers from a bundle.

Takes feature matrices and a fitted feature state; hands on a `Bundle` (feature state, estimator,
signature and golden examples, none of them pickled) and a `Predictor` that answers a table or a
record with the same bits. Nothing here knows Ray.
"""

from mlops_ray.models.bundle import Bundle, load_bundle
from mlops_ray.models.signature import InputField, Signature

__all__ = ["Bundle", "InputField", "Signature", "load_bundle"]
