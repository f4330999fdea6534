"""Whether the declared family takes what fits are to be told, and the features have these names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mlops_ray.config.mistakes import nearest
from mlops_ray.errors import ConfigProblem, InvalidConfigError
from mlops_ray.pipeline.own_classes import check_own_class

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from mlops_ray.config.loader import LoadedConfig
    from mlops_ray.features.plan import FeatureSpec
    from mlops_ray.models.estimator import Family

__all__ = ["check_family_source", "check_feature_names", "untaken_guidance"]


def check_feature_names(loaded: LoadedConfig, features: Sequence[FeatureSpec]) -> None:
    """Hold the features that ``model`` names against those that are declared.

    What categories a feature has is not known yet: of ``city=Bern`` the part ``city`` is held
    against them, the rest where the features are fitted.

    Raises:
        InvalidConfigError: There is no such feature, or it has no categories; all are listed.
    """
    problems = tuple(_name_problems(loaded, features))
    if problems:
        raise InvalidConfigError(problems)


def _name_problems(
    loaded: LoadedConfig, features: Sequence[FeatureSpec]
) -> Iterator[ConfigProblem]:
    model = loaded.config.model
    names = dict.fromkeys(name for spec in features for name in (spec.name, *spec.columns))
    steps = {spec.name: spec.steps[-1].step if spec.steps else "" for spec in features}
    for path, name in model.named_features:
        where = loaded.document.where(("model", *path))
        if not any(_may_be_made_of(name, known) for known in names):
            what, got = f"no feature has the name {name!r}", f"{len(names)} names"
            yield ConfigProblem(what, got, hint=nearest(name, names), where=where)
        elif path[0] == "categories" and steps.get(name) != "ordinal":
            what = f"the codes of {name!r} are no categories"
            got = f"last step {steps.get(name) or 'none'}"
            hint = f"declare {{columns: [{name}], steps: [ordinal]}}"
            yield ConfigProblem(what, got, "the step ordinal as the last", hint, where)


def _may_be_made_of(name: str, known: str) -> bool:
    """Whether it is that name, or starts with it, as the names of outputs do.

    Example:
        >>> _may_be_made_of("city=Bern", "city"), _may_be_made_of("cityBern", "city")
        (True, False)
    """
    return name == known or re.match(rf"{re.escape(known)}\W", name) is not None


def untaken_guidance(loaded: LoadedConfig, family: Family) -> Iterator[ConfigProblem]:
    """What is declared for fits, and the family does not take."""
    from mlops_ray.models.guidance import taken_by  # noqa: PLC0415 - numpy takes its time

    taken = taken_by(family)
    paths = {aspect: ("model", aspect) for aspect in loaded.config.model.guided_aspects}
    if loaded.config.data.weight is not None:
        paths["weight"] = ("data", "weight")
    for aspect, path in paths.items():
        if aspect not in taken:
            what, hint = f"{family.name} takes no {aspect}", "leave it out, or take xgboost"
            where = loaded.document.where(path)
            yield ConfigProblem(what, ".".join(path), hint=hint, where=where)


def check_family_source(loaded: LoadedConfig, root: Path) -> None:
    """Look for an estimator family of the project in its source; none of it is run.

    Raises:
        ConfigError: The project has no such module or class.
    """
    own = loaded.config.model.own_class
    if own is not None:
        hint = "write a class that follows mlops_ray.models.estimator.Family; see the guide"
        check_own_class(root, own, "model family", hint, loaded.document.where(("model", "family")))
