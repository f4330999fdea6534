"""Fitting the first steps of a category feature: those on categories, up to numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from mlops_ray.errors import ColumnError, Where
from mlops_ray.features.fitted import FittedStep
from mlops_ray.features.statistics import Categories, Numbers, TargetSums
from mlops_ray.features.steps.step import Odd
from mlops_ray.features.wanted import Answer, TargetCounts, Wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from mlops_ray.data.counts import Value
    from mlops_ray.data.profile import ColumnProfile
    from mlops_ray.features.plan import FeatureSpec

__all__ = ["FittedCategories", "fit_categories"]


@dataclass(frozen=True, slots=True)
class FittedCategories:
    """What came of the steps on categories.

    Attributes:
        steps: The fitted steps.
        lanes: The numbers that come out: name, and statistics where they are known.
    """

    steps: list[FittedStep] = field(default_factory=list)
    lanes: list[tuple[str, Numbers | None]] = field(default_factory=list)


def fit_categories(
    spec: FeatureSpec, profile: ColumnProfile
) -> Generator[list[Wanted], list[Answer], FittedCategories]:
    """Fit steps as long as they take categories.

    Raises:
        ColumnError: A step cannot be fitted.
    """
    name, done = spec.column, FittedCategories()
    steps = spec.category_steps
    needed = any(step.needs_counts for step in steps)
    found = Categories.of(profile, name) if needed else Categories(name, {}, 0)
    raw, changes = found, list[Any]()
    for step in steps:
        target = None
        if step.needs_target:
            change = _composed(changes)
            (answer,) = yield [TargetCounts(name, spec.dtype, tuple(raw.counts), step.n_folds)]
            target = _changed(answer, change)
        fitted = step.fit_categories(found, target)
        done.steps.append(FittedStep(step.step, (fitted,)))
        encode = step.encoder(fitted, None)
        gives = step.gives("category")
        if gives == "category":
            found = found.mapped(encode)
            changes.append(encode)
        elif gives == "number":
            # Training rows of a target encoding have numbers of their own.
            known = None if step.needs_target else found
            is_last = len(done.steps) == len(spec.steps)
            _lanes(done, step.names(name, fitted), known, encode, is_last=is_last)
    return done


def _lanes(
    done: FittedCategories,
    names: list[str],
    found: Categories | None,
    encode: Callable[[Any], Any],
    *,
    is_last: bool,
) -> None:
    """Numbers that categories become; behind the last step nobody asks for their statistics."""
    for at, name in enumerate(names):

        def number(value: Value | None, at: int = at, name: str = name) -> float:
            answer = encode(value)
            if answer is Odd.REFUSED:
                hint = "choose another policy, or drop these rows"
                what = f"training rows hold {'nulls' if value is None else 'categories'} "
                raise ColumnError(f"{what}that the step refuses", "", "", hint, Where(key=name))
            return float(answer[at])

        known = None if found is None or is_last else found.numbers(number)
        if found is not None and is_last:
            refused = (value for value in found.values() if encode(value) is Odd.REFUSED)
            for value in islice(refused, 1):
                number(value)  # Says so.
        done.lanes.append((name, known))


def _composed(changes: list[Any]) -> Callable[[Value | None], Value | None]:
    def change(value: Value | None) -> Value | None:
        for encode in changes:
            value = encode(value)
        return value

    return change


def _changed(sums: Any, change: Callable[[Value | None], Value | None]) -> TargetSums:  # noqa: ANN401 - an answer
    """Sums of the categories that came of the first steps."""
    if not isinstance(sums, TargetSums):
        raise TypeError(f"no sums: {type(sums).__name__}")
    rows: dict[tuple[int, Value | None], int] = {}
    totals: dict[tuple[int, Value | None], Any] = {}
    for (fold, value), n in sums.rows.items():
        key = (fold, change(value))
        rows[key] = rows.get(key, 0) + n
        added = sums.sums[fold, value]
        before = totals.get(key)
        pairs = zip(before, added, strict=True) if before else ()
        totals[key] = tuple(a + b for a, b in pairs) if before else added
    return TargetSums(sums.labels, sums.n_folds, rows, totals)
