"""Every error class answers the same questions and survives a trip between processes."""

import pickle

import pytest

from mlops_ray import errors
from mlops_ray.errors import (
    ConfigError,
    ConfigProblem,
    InvalidConfigError,
    MlopsRayError,
    Where,
)


def _classes() -> list[type[MlopsRayError]]:
    found = [getattr(errors, name) for name in errors.__all__]
    return [kind for kind in found if isinstance(kind, type) and issubclass(kind, MlopsRayError)]


@pytest.mark.parametrize("kind", [k for k in _classes() if k is not InvalidConfigError])
def test_an_error_keeps_every_field_through_pickle(kind: type[MlopsRayError]) -> None:
    error = kind("a thing is wrong", "1", "2", "do that", Where("f.yaml", 3, 4, "a.b"))

    copy = pickle.loads(pickle.dumps(error))

    assert type(copy) is kind
    assert (copy.what, copy.got) == ("a thing is wrong", "1")
    assert (copy.wanted, copy.hint) == ("2", "do that")
    assert copy.where == Where("f.yaml", 3, 4, "a.b")
    assert str(copy) == "f.yaml:3:4: a.b: a thing is wrong: got 1, wanted 2; do that"


def test_a_list_of_config_problems_survives_pickle() -> None:
    problems = (ConfigProblem("first"), ConfigProblem("second", hint="mend it"))

    copy = pickle.loads(pickle.dumps(InvalidConfigError(problems)))

    assert copy.problems == problems
    assert str(copy).splitlines() == ["first", "second; mend it"]


def test_codes_are_distinct_and_the_tree_in_the_docstring_is_complete() -> None:
    codes = [kind.code for kind in _classes()]

    assert len(set(codes)) == len(codes)
    assert all(kind.__name__ in (errors.__doc__ or "") for kind in _classes())


def test_a_sentence_does_not_repeat_values_of_any_length():
    long, whole = "x" * 10_000, "y" * 500

    error = ConfigError(f"{long} is unknown", whole)

    assert str(error) == f"{'x' * 500}... (10011 characters): got {whole}"
    assert error.what == f"{long} is unknown"
