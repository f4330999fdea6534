"""A model family of a project's own: each class has its mean; nearer means are more probable.

An example of what ``model: {family: "centroids:Centroids"}`` names. It imports what the package
offers to families, and keeps the three laws of `mlops_ray.models.estimator`.
"""

from __future__ import annotations

import json

import numpy as np

from mlops_ray.errors import ModelError
from mlops_ray.models.guidance import NO_GUIDANCE
from mlops_ray.models.params import Number, ParameterTable
from mlops_ray.models.plain_training import PlainTraining
from mlops_ray.models.rowwise import linear_margins, softmax_probabilities
from mlops_ray.models.training_checks import check_class_indices, check_training_inputs

_FILE = "centroids.json"
_SHARED = {"sharpness": Number(1.0, 0, 1000, above_low=True)}
_PARAMETERS = ParameterTable("centroids", {"binary": _SHARED, "multiclass": _SHARED})


class FittedCentroids:
    """One mean a class.

    Args:
        means: Shape ``(n_classes, n_features)``.
        sharpness: How fast probabilities fall with the distance.
    """

    def __init__(self, means, sharpness):
        self._means, self._sharpness = means, sharpness

    def predict(self, X):
        """Softmax of the negative squared distances; what all classes share falls out."""
        lengths = np.add.accumulate(self._means**2, axis=1)[:, -1]
        margins = linear_margins(X, 2 * self._sharpness * self._means, -self._sharpness * lengths)
        return softmax_probabilities(margins)

    def to_files(self):
        """Every bit of every number, as JSON."""
        means = [[value.hex() for value in mean] for mean in self._means.tolist()]
        content = {"means": means, "sharpness": self._sharpness.hex()}
        return {_FILE: json.dumps(content, sort_keys=True).encode()}


class Centroids:
    """The family."""

    name = "centroids"
    tasks = ("binary", "multiclass")
    platform = "centroids_json"
    accepts_missing = False
    rounds = None
    takes = frozenset({"weight"})

    def check_params(self, params, task=None):
        """Mistakes, as sentences."""
        return _PARAMETERS.check(params, task)

    def resolve_params(self, params, task):
        """With defaults."""
        return _PARAMETERS.resolve(params, task)

    def fit(self, X, y, params, *, task, n_classes, seed, threads, weights=None):  # noqa: ARG002
        """Means of the classes; nothing is drawn, so the seed has no say."""
        check_training_inputs(X, y)
        check_class_indices(y, n_classes)
        if np.isnan(X).any():
            raise ModelError("centroids need a value in each cell", hint="add an impute step")
        mass = np.ones(len(y)) if weights is None else weights
        means = [
            np.average(X[y == k].astype(float), axis=0, weights=mass[y == k])
            for k in range(n_classes)
        ]
        return FittedCentroids(np.array(means), self.resolve_params(params, task)["sharpness"])

    def prepare(self, X, y, *, task, n_classes, threads, guidance=NO_GUIDANCE):
        """Each fit starts from the rows."""
        return PlainTraining(self, X, y, task, n_classes, threads, guidance.weights)

    def from_files(self, files, *, task, n_classes):  # noqa: ARG002 - the classes say it
        """Read what was written."""
        try:
            content = json.loads(files[_FILE])
            means = [[float.fromhex(value) for value in mean] for mean in content["means"]]
            sharpness = float.fromhex(content["sharpness"])
        except (KeyError, ValueError, TypeError) as error:
            raise ModelError("the centroids cannot be read", repr(error)) from error
        if len(means) != n_classes:
            raise ModelError("another number of classes", str(len(means)), str(n_classes))
        return FittedCentroids(np.array(means), sharpness)
