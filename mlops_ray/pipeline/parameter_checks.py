"""Holds the parameters of a pipeline file against the estimator that it names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_ray.errors import ConfigProblem, InvalidConfigError, ModelError
from mlops_ray.pipeline.model_checks import untaken_guidance

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_ray.config.loader import LoadedConfig

__all__ = ["check_parameters", "parameter_problems"]


def check_parameters(loaded: LoadedConfig) -> None:
    """Hold every parameter of the file against the estimator.

    Raises:
        InvalidConfigError: The estimator does not know a parameter or cannot take a value.
    """
    problems = tuple(parameter_problems(loaded))
    if problems:
        raise InvalidConfigError(problems)


def parameter_problems(loaded: LoadedConfig) -> Iterator[ConfigProblem]:
    """Names and values of parameters that the estimator does not take, each with its place.

    A family of the project is asked later, when its code has been captured, by `own_family`.
    """
    if loaded.config.model.own_class is None:
        yield from _problems_of_ours(loaded)


def _problems_of_ours(loaded: LoadedConfig) -> Iterator[ConfigProblem]:
    # Imported here: the model libraries take a second, which `plan` does not have.
    from mlops_ray.models.families import family_named  # noqa: PLC0415
    from mlops_ray.search.space import check_space  # noqa: PLC0415

    config = loaded.config
    unfit = _unfit_estimator(loaded)
    if unfit is not None:
        yield unfit
        return
    family = family_named(config.model.family_name)
    yield from untaken_guidance(loaded, family)
    for name, value in config.model.params.items():
        for problem in family.check_params({name: value}, config.data.task):
            yield ConfigProblem(problem, where=loaded.document.where(("model", "params", name)))
    if not family.check_params(config.model.params, config.data.task):
        yield from _unfit_rounds(loaded)
    for name, dimension in config.search.space.items():
        for problem in check_space(family, {name: dimension}, config.data.task):
            yield ConfigProblem(problem, where=loaded.document.where(("search", "space", name)))


def _unfit_rounds(loaded: LoadedConfig) -> Iterator[ConfigProblem]:
    """What counts rounds of an estimator that has none, or too few."""
    from mlops_ray.search.unfit_rounds import unfit_rounds  # noqa: PLC0415 - as above

    config = loaded.config
    found = unfit_rounds(config.search, config.model, config.data.task, config.objective.mode)
    if found is not None:
        name, error = found
        where = loaded.document.where(("search", name))
        yield ConfigProblem(error.what, error.got, error.wanted, error.hint, where)


def _unfit_estimator(loaded: LoadedConfig) -> ConfigProblem | None:
    from mlops_ray.models.families import family_named  # noqa: PLC0415 - as above

    model, task = loaded.config.model, loaded.config.data.task
    where = loaded.document.where(("model", "estimator"))
    try:
        family = family_named(model.family_name)
    except ModelError as error:
        return ConfigProblem(error.what, error.got, error.wanted, error.hint, where)
    if task in family.tasks:
        return None
    what = f"{model.estimator} does not predict a {task} target"
    return ConfigProblem(what, wanted=f"task {' or '.join(family.tasks)}", where=where)
