"""A family of the project's own keeps the laws, and is found under the name of its place."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from sklearn.neighbors import NearestCentroid

from mlops_ray.errors import ModelError
from mlops_ray.models.families import family_named
from mlops_ray.models.guidance import Guidance, guided
from mlops_ray.testing import EstimatorConformance
from mlops_ray.testing.estimator_rows import N_CLASSES, estimator_rows

sys.path.append(str(Path(__file__).parent))

from centroids import Centroids

NAME = "centroids:Centroids"


class TestCentroids(EstimatorConformance):
    family = Centroids()
    tasks: ClassVar = ("binary", "multiclass")
    other_params: ClassVar = ({"sharpness": 0.1},)


class TestByName(EstimatorConformance):
    family = family_named(NAME)
    tasks: ClassVar = ("binary", "multiclass")


def test_it_has_the_name_of_its_place_and_what_the_class_says():
    family = family_named(NAME)

    assert family.name == NAME
    assert (family.platform, family.accepts_missing) == ("centroids_json", False)
    assert family.takes == {"weight"}


def test_the_example_tells_the_nearest_mean_as_scikit_learn_does():
    X, y = estimator_rows("multiclass")
    options = {"task": "multiclass", "n_classes": N_CLASSES["multiclass"], "threads": 1}

    fitted = family_named(NAME).fit(X, y, {"sharpness": 0.1}, seed=0, **options)

    oracle = NearestCentroid().fit(X.astype(float), y)
    assert (fitted.predict(X).argmax(axis=1) == oracle.predict(X.astype(float))).mean() > 0.999


def test_it_is_given_weights_and_refused_what_it_does_not_take():
    X, y = estimator_rows("binary")
    options = {"task": "binary", "n_classes": 2, "threads": 1}
    weights = np.where(np.arange(len(y)) % 2, 3.0, 1.0)
    family = family_named(NAME)

    def files(guidance):
        return guided(family, X, y, guidance, **options).fit({}, seed=0).to_files()

    assert files(Guidance(weights=weights)) != files(Guidance())
    with pytest.raises(ModelError, match="centroids:Centroids takes no monotone"):
        files(Guidance(monotone=(1, *[0] * 22)))


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("no_such_module_here:Family", "No module named"),
        ("centroids:Other", "no attribute 'Other'"),
        ("centroids:FittedCentroids", "missing 2 required positional arguments"),
        ("pathlib:Path", "no tasks, no platform"),
    ],
)
def test_what_is_no_family_is_refused(name, says):
    with pytest.raises(ModelError, match=says):
        family_named(name)
