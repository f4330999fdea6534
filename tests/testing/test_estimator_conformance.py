"""The laws catch a family that breaks them, each beside the same family unbroken."""

# ruff: noqa: ARG002 - a family takes what others need

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest

from mlops_ray.errors import ModelError
from mlops_ray.models.guidance import NO_GUIDANCE
from mlops_ray.models.params import Number, ParameterTable
from mlops_ray.models.plain_training import PlainTraining
from mlops_ray.models.training_checks import check_training_inputs
from mlops_ray.testing import EstimatorConformance

_TABLE = {"n_rounds": Number(4, 1, 9, is_integer=True), "shift": Number(0.0, -1.0, 1.0)}
_PARAMETERS = ParameterTable("mean", {"regression": _TABLE})
_CALLS = itertools.count()
_WEIGHTS = "test_weights_have_a_part_in_a_fit_and_leave_it_the_same_every_time"


class Mean:
    """Answers the mean target and what the row's first feature adds."""

    def __init__(self, mean):
        self.mean = mean

    def predict(self, X):
        return self.mean + X[:, 0].astype(np.float64)

    def to_files(self):
        return {"mean.json": json.dumps(self.mean.hex()).encode()}


class MeanFamily:
    name, tasks, platform, accepts_missing = "mean", ("regression",), "json", False
    rounds = "n_rounds"
    fitted = Mean

    def check_params(self, params, task=None):
        return _PARAMETERS.check(params, task)

    def resolve_params(self, params, task):
        return _PARAMETERS.resolve(params, task)

    def fit(self, X, y, params, *, task, n_classes, seed, threads):
        check_training_inputs(X, y)
        settings = self.resolve_params(params, task)
        return self.fitted(float(y.mean()) + settings["shift"] + 0.5 ** settings["n_rounds"])

    def prepare(self, X, y, *, task, n_classes, threads):
        return PlainTraining(self, X, y, task, n_classes, threads)

    def from_files(self, files, *, task, n_classes):
        try:
            return self.fitted(float.fromhex(json.loads(files["mean.json"])))
        except (KeyError, ValueError) as error:
            raise ModelError("no mean", repr(error)) from error


class Company(Mean):
    def predict(self, X):
        return super().predict(X) + len(X) * 1e-9


class Place(Mean):
    def predict(self, X):
        return super().predict(X) + np.arange(len(X)) * 1e-12


class Narrow(Mean):
    def predict(self, X):
        return super().predict(X).astype(np.float32)


class Endless(Mean):
    def predict(self, X):
        return super().predict(X) * np.inf


class Counting(Mean):
    def to_files(self):
        return {**super().to_files(), "count": str(next(_CALLS)).encode()}


class Forgetful(Mean):
    def to_files(self):
        return {"mean.json": json.dumps(round(self.mean, 3).hex()).encode()}


class Drawing(MeanFamily):
    def fit(self, X, y, params, **options):
        fitted = super().fit(X, y, params, **options)
        fitted.mean += next(_CALLS)
        return fitted


class Threaded(MeanFamily):
    def fit(self, X, y, params, *, threads, **options):
        fitted = super().fit(X, y, params, threads=threads, **options)
        fitted.mean += threads
        return fitted


class Writing(MeanFamily):
    def fit(self, X, y, params, **options):
        fitted = super().fit(X, y, params, **options)
        X[0, 0] = 0.0
        return fitted


class Remembering(MeanFamily):
    """Its shared rows keep the parameters of the fit before."""

    def prepare(self, X, y, **options):
        training, kept = super().prepare(X, y, **options), {}

        class Rows:
            def fit(self, params, *, seed):
                kept.update(params)
                return training.fit(kept, seed=seed)

            def grow(self, params, *, seed):
                return training.grow(params, seed=seed)

        return Rows()


class Stopping(MeanFamily):
    """Each stop on the way to a number of rounds leaves its trace."""

    def prepare(self, X, y, **options):
        training = super().prepare(X, y, **options)

        class Growth:
            n_stops = 0
            held_bytes = 0

            def __init__(self, params, seed):
                self.growth = training.grow(params, seed=seed)

            def to(self, n_rounds):
                fitted = self.growth.to(n_rounds)
                self.n_stops += 1
                fitted.mean += self.n_stops
                return fitted

        class Rows:
            def fit(self, params, *, seed):
                return training.fit(params, seed=seed)

            def grow(self, params, *, seed):
                return Growth(params, seed)

        return Rows()


class Weightless(MeanFamily):
    """Its live fits do not say what memory they take."""

    def prepare(self, X, y, **options):
        training = MeanFamily().prepare(X, y, **options)

        class Growth:
            def __init__(self, params, seed):
                self.to = training.grow(params, seed=seed).to

        class Rows:
            def fit(self, params, *, seed):
                return training.fit(params, seed=seed)

            def grow(self, params, *, seed):
                return Growth(params, seed)

        return Rows()


class Roundless(MeanFamily):
    """Says that it has no rounds, and goes on with one that has."""

    rounds = None

    def prepare(self, X, y, **options):
        return MeanFamily().prepare(X, y, **options)


class Taking(MeanFamily):
    def from_files(self, files, *, task, n_classes):
        return (
            Mean(0.0)
            if "mean.json" not in files
            else super().from_files(files, task=task, n_classes=n_classes)
        )


class Trusting(MeanFamily):
    def fit(self, X, y, params, *, task, **options):
        return self.fitted(float(np.sum(y)) + self.resolve_params(params, task)["shift"])


class Lenient(MeanFamily):
    def check_params(self, params, task=None):
        return []


class Growing(MeanFamily):
    def resolve_params(self, params, task):
        resolved = super().resolve_params(params, task)
        return {**resolved, "shift": resolved["shift"] / 2}


class Weighing(MeanFamily):
    """Takes weights, as it should."""

    takes = frozenset({"weight"})

    def fit(self, X, y, params, *, weights=None, **options):
        return super().fit(X, y if weights is None else y * weights, params, **options)

    def prepare(self, X, y, *, task, n_classes, threads, guidance=NO_GUIDANCE):
        return PlainTraining(self, X, y, task, n_classes, threads, guidance.weights)


class Deaf(Weighing):
    def prepare(self, X, y, *, task, n_classes, threads, guidance=NO_GUIDANCE):
        return PlainTraining(self, X, y, task, n_classes, threads)


class Fickle(Weighing):
    def fit(self, X, y, params, *, weights=None, **options):
        fitted = super().fit(X, y, params, weights=weights, **options)
        fitted.mean += 0 if weights is None else next(_CALLS)
        return fitted


def with_fitted(cls):
    return type(cls.__name__, (MeanFamily,), {"fitted": cls})()


def broken_laws(family):
    """Names of the laws that a family breaks."""
    tests = type(
        "Suite",
        (EstimatorConformance,),
        {
            "family": family,
            "tasks": ("regression",),
            "params": {"shift": 0.5},
            "other_params": ({}, {"shift": 0.25}),
        },
    )()
    if isinstance(family, Remembering):
        type(tests).params, type(tests).other_params = {}, ({"shift": 0.25},)
    names = [name for name in dir(tests) if name.startswith("test_")]
    assert len(names) == 11
    return {name for name in names if _is_broken(getattr(tests, name))}


def _is_broken(law):
    try:
        law("regression")
    except (AssertionError, ValueError):  # numpy's, where rows may not be written.
        return True
    return False


@pytest.mark.parametrize("family", [MeanFamily(), Weighing()])
def test_a_family_that_keeps_the_laws_breaks_none(family):
    assert broken_laws(family) == set()


@pytest.mark.parametrize(
    ("family", "law"),
    [
        (with_fitted(Company), "test_a_row_has_the_same_bits_alone_and_among_others"),
        (with_fitted(Place), "test_a_row_has_the_same_bits_alone_and_among_others"),
        (with_fitted(Narrow), "test_answers_are_float64_of_the_declared_shape"),
        (with_fitted(Endless), "test_answers_are_float64_of_the_declared_shape"),
        (with_fitted(Counting), "test_loading_keeps_every_bit_of_answers_and_files"),
        (with_fitted(Forgetful), "test_loading_keeps_every_bit_of_answers_and_files"),
        (Drawing(), "test_refitting_gives_the_same_files"),
        (Threaded(), "test_refitting_gives_the_same_files"),
        (
            Remembering(),
            "test_a_fit_on_shared_rows_is_the_same_as_one_on_rows_of_its_own",
        ),
        (Stopping(), "test_a_fit_that_goes_on_is_a_fit_of_so_many_rounds"),
        (Weightless(), "test_a_fit_that_goes_on_is_a_fit_of_so_many_rounds"),
        (Roundless(), "test_a_fit_that_goes_on_is_a_fit_of_so_many_rounds"),
        (Deaf(), _WEIGHTS),
        (Fickle(), _WEIGHTS),
        (Writing(), "test_fitting_does_not_touch_its_inputs"),
        (Taking(), "test_files_of_another_kind_are_refused"),
        (Trusting(), "test_rows_that_cannot_be_learned_from_are_refused"),
        (Lenient(), "test_parameters_are_refused_by_name"),
        (Growing(), "test_parameters_are_refused_by_name"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, MeanFamily) else "",
)
def test_a_family_that_breaks_a_law_is_caught_by_it(family, law):
    assert law in broken_laws(family)
