"""Parameters of scikit-learn's estimators, held against its own constraints before a fit."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from sklearn.utils._param_validation import (  # The only place that says what is allowed.
    Hidden,
    Interval,
    Options,
    make_constraint,
)

from mlops_ray.config.secret_formats import shown
from mlops_ray.errors import ModelError
from mlops_ray.models.params import way_out

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlops_ray.models.sklearn_catalogue import SklearnEntry

__all__ = ["SklearnParams"]

_BOOLEAN: Final = "true or false"
_PLAIN: Final = ("boolean", None)  # Lists, mappings and functions have no place in a search space.


class SklearnParams:
    """The parameters of one estimator.

    Args:
        entry: The estimator.
    """

    def __init__(self, entry: SklearnEntry) -> None:
        self._entry = entry

    @cached_property
    def _constraints(self) -> dict[str, list[Any]]:
        declared = self._entry.load()._parameter_constraints  # noqa: SLF001 - see the imports
        return {name: _plain(declared[name]) for name in sorted(self._entry.params)}

    @cached_property
    def _defaults(self) -> dict[str, object]:
        known = self._entry.load()().get_params()
        return {name: known[name] for name in self._constraints} | dict(self._entry.defaults)

    def check(self, params: Mapping[str, object]) -> list[str]:
        """Mistakes in names and values, one sentence each, in the order of `params`."""
        return [p for name, value in params.items() for p in self._problems(name, value)]

    def resolve(self, params: Mapping[str, object]) -> dict[str, object]:
        """All parameters with defaults filled in, sorted by name.

        Raises:
            ModelError: A name or a value cannot be used.
        """
        problems = self.check(params)
        if problems:
            raise ModelError("; ".join(problems))
        given = {name: self._resolved(name, value) for name, value in params.items()}
        return {name: given.get(name, default) for name, default in self._defaults.items()} | given

    def _resolved(self, name: str, value: object) -> object:
        whole = isinstance(value, int) and not isinstance(value, bool)
        if whole and self._takes_reals(name) and not self._takes_integers(name):
            return float(value)  # type: ignore[arg-type]
        return value

    def _problems(self, name: str, value: object) -> list[str]:
        who = self._entry.name
        if name not in self._constraints:
            return [f"{who} has no parameter {name!r}; {way_out(self._constraints, name)}"]
        why = self._entry.refused_values.get(f"{name}={value!r}")
        if why is not None:
            return [f"{who} parameter {name!r} may not be {value!r}: {why}"]
        both = self._takes_integers(name) and self._takes_reals(name)
        if both and isinstance(value, float) and value.is_integer():
            return [
                f"{who} parameter {name!r} may be a number or a share, and {value!r} could be "
                "either; give a whole number without a point, a share below 1, or null for all"
            ]
        if not self._is_taken(name, value):
            wanted = " or ".join(_text(constraint) for constraint in self._constraints[name])
            return [f"{who} parameter {name!r} must be {wanted}, got {shown(value)}"]
        return []

    def _is_taken(self, name: str, value: object) -> bool:
        constraints = self._constraints[name]
        if isinstance(value, bool):  # To Python, and so to an interval, True is the number 1.
            return any(_text(constraint) == _BOOLEAN for constraint in constraints)
        return any(constraint.is_satisfied_by(value) for constraint in constraints)

    def _takes_integers(self, name: str) -> bool:
        return any("int" in str(c).split() for c in self._intervals(name))

    def _takes_reals(self, name: str) -> bool:
        return any("float" in str(c).split() for c in self._intervals(name))

    def _intervals(self, name: str) -> list[Any]:
        return [c for c in self._constraints[name] if isinstance(c, Interval)]


def _plain(declared: list[Any]) -> list[Any]:
    """Those of scikit-learn's constraints that a JSON number, text, boolean or null can meet."""
    return [
        make_constraint(constraint)
        for constraint in declared
        if constraint in _PLAIN or _is_option(constraint)
    ]


def _text(constraint: Any) -> str:  # noqa: ANN401 - no stubs
    """A constraint in the words of a pipeline file."""
    if constraint.is_satisfied_by(None):
        return "null"
    return _BOOLEAN if type(constraint) is type(make_constraint("boolean")) else str(constraint)


def _is_option(constraint: object) -> bool:
    return isinstance(constraint, Interval | Options) and not isinstance(constraint, Hidden)
