"""Fitting: from the training rows' profile to the feature state, in as few passes as it takes.

Each feature is fitted step by step until it wants to know what the profile does not say. What all
features want then is looked up in one further pass, and so on; no row is read here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

from mlops_ray.errors import ColumnError
from mlops_ray.features.fit_categories import fit_categories
from mlops_ray.features.fitted import Feature, FittedStep
from mlops_ray.features.state import FeatureState, first_double
from mlops_ray.features.statistics import Numbers
from mlops_ray.features.steps.step import JointStep, NumberStep, TimeStep
from mlops_ray.features.wanted import Answer, ValueBuckets, ValueStatistics, Wanted

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from mlops_ray.data.profile import Profile
    from mlops_ray.features.plan import FeatureSpec
    from mlops_ray.features.steps.step import Step

__all__ = ["LookUp", "fit_features"]

_Fitting: TypeAlias = "Generator[list[Wanted], list[Answer], Feature]"


class LookUp(Protocol):
    """One further pass over the training rows."""

    def __call__(self, wanted: Sequence[Wanted]) -> list[Answer]:
        """What is wanted, in the same order."""


def fit_features(
    specs: Sequence[FeatureSpec], train: Profile, look_up: LookUp | None = None
) -> FeatureState:
    """The fitted state of the declared features.

    Means and variances come from exact sums and are rounded once, so they do not depend on how the
    rows were grouped. Standardizing after imputing counts the filled values, as
    ``sklearn.preprocessing.StandardScaler`` on imputed data does; a constant column gets scale 1.

    Args:
        specs: From `resolve_features`.
        train: Profile of the training rows and of no others.
        look_up: Makes a further pass, called `plan.further_passes` times at most.

    Raises:
        ColumnError: A column cannot be fitted: no values, no frequent category, or too many.
        TypeError: A further pass is needed and cannot be made.
    """
    fittings = [_fit(spec, train) for spec in specs]
    found: list[Feature | None] = [None] * len(specs)
    wanted = {at: _advanced(fitting, None, found, at) for at, fitting in enumerate(fittings)}
    while wanted := {at: asked for at, asked in wanted.items() if asked}:
        if look_up is None:
            raise TypeError("a further pass over the training rows is needed")
        answers = iter(look_up([item for asked in wanted.values() for item in asked]))
        wanted = {
            at: _advanced(fittings[at], [next(answers) for _ in asked], found, at)
            for at, asked in wanted.items()
        }
    state = FeatureState(tuple(feature for feature in found if feature is not None))
    _check_names(state.outputs)
    return state


def _advanced(
    fitting: _Fitting, answers: list[Answer] | None, found: list[Feature | None], at: int
) -> list[Wanted]:
    """What a feature wants next; nothing once it is fitted, and `found` then holds it."""
    try:
        return next(fitting) if answers is None else fitting.send(answers)
    except StopIteration as end:
        found[at] = end.value
        return []


def _check_names(names: Sequence[str]) -> None:
    double = first_double(names)
    if double is not None:
        hint = "rename one of the input columns"
        raise ColumnError("two features get one name", repr(double), hint=hint)


def _fit(spec: FeatureSpec, train: Profile) -> _Fitting:
    numbers = _Numbers(spec)
    steps = list(spec.steps)
    if spec.kind == "number":
        pairs = zip(spec.columns, spec.columns, strict=True)
        numbers.lanes = [(name, Numbers.of(train.columns[c], name)) for name, c in pairs]
    elif spec.kind == "time":
        numbers.time(steps.pop(0))
    else:
        name = spec.column
        fitted = yield from fit_categories(spec, train.columns[name])
        numbers.fitted, numbers.lanes = fitted.steps, fitted.lanes
        steps = steps[len(fitted.steps) :]
    for step in steps:
        yield from numbers.step(step)
    return numbers.feature


class _Numbers:
    """The numbers of one feature on their way through its steps.

    `lanes` are the numbers that the next step takes: name, and statistics where they are known.
    """

    def __init__(self, spec: FeatureSpec) -> None:
        self.spec = spec
        self.fitted: list[FittedStep] = []
        self.lanes: list[tuple[str, Numbers | None]] = []

    @property
    def feature(self) -> Feature:
        """What is fitted so far."""
        spec = self.spec
        return Feature(spec.columns, spec.dtypes, spec.kind, tuple(self.fitted))

    def time(self, step: Step) -> None:
        if not isinstance(step, TimeStep):
            raise TypeError(f"{step.step} does not take times")
        fitted = step.fit(self.spec.dtype, self.spec.column)
        self.fitted.append(FittedStep(step.step, (fitted,)))
        self.lanes = [(name, None) for name, _, _ in step.lanes(self.spec.column, fitted)]

    def step(self, step: Step) -> Generator[list[Wanted], list[Answer], None]:
        if isinstance(step, JointStep):
            names = [name for name, _ in self.lanes]
            joint = step.fit(names)
            self.fitted.append(FittedStep(step.step, (joint,)))
            self.lanes = [(name, None) for name in step.names(names, joint)]
            return
        if not isinstance(step, NumberStep):
            raise TypeError(f"{step.step} does not take numbers")
        yield from self._learn(step)
        fitted = [step.fit(found or _nothing(name)) for name, found in self.lanes]
        lanes: list[tuple[str, Numbers | None]] = []
        for (name, found), item in zip(self.lanes, fitted, strict=True):
            after = step.after(found, item) if found is not None else None
            lanes += [(made, after) for made in step.names(name, item)]
        self.fitted.append(FittedStep(step.step, tuple(fitted)))
        self.lanes = lanes

    def _learn(self, step: NumberStep) -> Generator[list[Wanted], list[Answer], None]:
        """Ask for what the step needs and is not known."""
        feature = self.feature
        needs = step.needs_statistics or bool(step.exact_quantiles)
        unknown = [at for at, (_, found) in enumerate(self.lanes) if needs and found is None]
        if unknown:
            answers = yield [ValueStatistics(feature, at, self.lanes[at][0]) for at in unknown]
            for at, answer in zip(unknown, answers, strict=True):
                if isinstance(answer, Numbers):
                    self.lanes[at] = (self.lanes[at][0], answer)
        asked = [
            (at, ValueBuckets.of(feature, at, found, step.exact_quantiles))
            for at, (_, found) in enumerate(self.lanes)
            if found is not None and _lacks(found, step.exact_quantiles)
        ]
        if asked:
            answers = yield [item for _, item in asked]
            for (at, item), answer in zip(asked, answers, strict=True):
                name, found = self.lanes[at]
                if found is not None:
                    self.lanes[at] = (name, item.told(found, step.exact_quantiles, answer))


def _lacks(found: Numbers, quantiles: Sequence[float]) -> bool:
    return bool(found.n) and any(found.exact_quantile(q) is None for q in quantiles)


def _nothing(name: str) -> Numbers:
    return Numbers.of_counts({}, 0, name)
