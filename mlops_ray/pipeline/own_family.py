"""Holds a pipeline file against an estimator family of the project, whose code was captured.

Families of ours are asked before a run begins. One of the project is asked when its code has been
captured and imported from there, which is before Ray starts, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_ray.errors import ConfigProblem, InvalidConfigError, ModelError, Where
from mlops_ray.models.families import family_named
from mlops_ray.models.guidance import taken_by
from mlops_ray.search.space import check_space
from mlops_ray.search.unfit_rounds import unfit_rounds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_ray.manifest import Spec
    from mlops_ray.models.estimator import Family

__all__ = ["check_own_family"]


def check_own_family(spec: Spec) -> None:
    """Ask the class for its tasks, and for mistakes in parameters and space.

    Raises:
        InvalidConfigError: Something does not fit; all of it is listed.
    """
    problems = tuple(_problems(spec))
    if problems:
        raise InvalidConfigError(problems)


def _problems(spec: Spec) -> Iterator[ConfigProblem]:
    try:
        family = family_named(spec.model.family_name)
    except ModelError as error:
        where = Where(key="model.family")
        yield ConfigProblem(error.what, error.got, error.wanted, error.hint, where)
        return
    task = spec.data.task
    if task not in family.tasks:
        wanted, where = f"task {' or '.join(family.tasks)}", Where(key="data.task")
        yield ConfigProblem(
            f"{family.name} does not predict a {task} target", "", wanted, "", where
        )
        return
    yield from _untaken(spec, family)
    mistakes = family.check_params(spec.model.params, task)
    for mistake in mistakes:
        yield ConfigProblem(mistake, where=Where(key="model.params"))
    for mistake in check_space(family, spec.search.space, task):
        yield ConfigProblem(mistake, where=Where(key="search.space"))
    if not mistakes:
        yield from _unfit_rounds(spec)


def _unfit_rounds(spec: Spec) -> Iterator[ConfigProblem]:
    found = unfit_rounds(spec.search, spec.model, spec.data.task, spec.objective.mode)
    if found is not None:
        name, error = found
        where = Where(key=f"search.{name}")
        yield ConfigProblem(error.what, error.got, error.wanted, error.hint, where)


def _untaken(spec: Spec, family: Family) -> Iterator[ConfigProblem]:
    asked = [*spec.model.guided_aspects, *(["weight"] if spec.data.weight is not None else [])]
    for aspect in asked:
        if aspect not in taken_by(family):
            key = "data.weight" if aspect == "weight" else f"model.{aspect}"
            yield ConfigProblem(f"{family.name} takes no {aspect}", where=Where(key=key))
