"""The scikit-learn estimators that a pipeline file may name, and why others are refused.

An estimator is here if its answer to a row depends on that row alone and it is written and loaded
without pickle as the same bytes. Where scikit-learn adds in an order that depends on the number of
rows, `how` says which of our kernels answers instead.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

from mlops_ray.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlops_ray.config.model import Task

__all__ = ["CATALOGUE", "SklearnEntry", "entry_named"]

_CLASSES: Final[tuple[Task, ...]] = ("binary", "multiclass")
_VALUES: Final[tuple[Task, ...]] = ("regression",)


@dataclass(frozen=True, slots=True)
class SklearnEntry:
    """One estimator of scikit-learn.

    Attributes:
        name: Name of its class.
        module: Where the class stands.
        tasks: What it can predict.
        how: ``own``: scikit-learn's answers; ``joint``: our softmax over its joint log-likelihoods;
            ``linear``: our sum from left to right over its coefficients.
        params: Parameters that may be given.
        fixed: Parameters that are the same in each fit.
        defaults: Instead of scikit-learn's, where that one has two meanings in JSON.
        accepts_missing: Whether NaN in a feature is a value like others.
        refused_values: ``name=value`` -> why it may not be given.
        takes_weights: Whether a fit takes a weight for each row.
    """

    name: str
    module: str
    tasks: tuple[Task, ...]
    how: Literal["own", "joint", "linear"]
    params: tuple[str, ...]
    fixed: Mapping[str, object] = field(default_factory=dict)
    defaults: Mapping[str, object] = field(default_factory=dict)
    accepts_missing: bool = False
    refused_values: Mapping[str, str] = field(default_factory=dict)
    takes_weights: bool = True

    def load(self) -> type[Any]:
        """The class."""
        found: type[Any] = getattr(import_module(self.module), self.name)
        return found


_TREE: Final = (
    "ccp_alpha",
    "criterion",
    "max_depth",
    "max_features",
    "max_leaf_nodes",
    "min_impurity_decrease",
    "min_samples_leaf",
    "min_samples_split",
    "min_weight_fraction_leaf",
)
_FOREST: Final = (*_TREE, "bootstrap", "max_samples", "n_estimators")
_NO_MISSING: Final = {"criterion='absolute_error'": "with it a tree takes no missing values"}
_QUIET: Final = {"n_jobs": 1, "verbose": 0}


def _trees(name: str, module: str, params: tuple[str, ...]) -> tuple[SklearnEntry, ...]:
    """A tree or a forest, for classes and for values."""
    fixed = _QUIET if "n_estimators" in params else {}
    return tuple(
        SklearnEntry(
            f"{name}{kind}",
            module,
            tasks,
            "own",
            (*params, *more),
            fixed,
            # 1.0 is all features and 1 is one feature, but a manifest writes both as 1.
            {} if kind == "Classifier" else {"max_features": None},
            accepts_missing=True,
            refused_values={} if kind == "Classifier" else _NO_MISSING,
        )
        for kind, tasks, more in (
            ("Classifier", _CLASSES, ("class_weight",)),
            ("Regressor", _VALUES, ()),
        )
    )


_NEIGHBORS: Final = ("leaf_size", "n_neighbors", "p", "weights")
_BY_TREE: Final = {"algorithm": "kd_tree", "n_jobs": 1}  # A product of matrices would be faster.
_DESCENT: Final = ("alpha", "fit_intercept", "max_iter", "positive", "selection", "tol")

CATALOGUE: Final[Mapping[str, SklearnEntry]] = MappingProxyType(
    {
        entry.name: entry
        for entry in (
            *_trees("DecisionTree", "sklearn.tree", (*_TREE, "splitter")),
            *_trees("ExtraTrees", "sklearn.ensemble", _FOREST),
            *_trees("RandomForest", "sklearn.ensemble", _FOREST),
            *(
                SklearnEntry(
                    f"KNeighbors{kind}",
                    "sklearn.neighbors",
                    tasks,
                    "own",
                    _NEIGHBORS,
                    _BY_TREE,
                    takes_weights=False,
                )
                for kind, tasks in (("Classifier", _CLASSES), ("Regressor", _VALUES))
            ),
            SklearnEntry(
                "GaussianNB", "sklearn.naive_bayes", _CLASSES, "joint", ("var_smoothing",)
            ),
            SklearnEntry("Lasso", "sklearn.linear_model", _VALUES, "linear", _DESCENT),
            SklearnEntry(
                "ElasticNet", "sklearn.linear_model", _VALUES, "linear", (*_DESCENT, "l1_ratio")
            ),
            SklearnEntry(
                "DummyClassifier",
                "sklearn.dummy",
                _CLASSES,
                "own",
                (),
                {"strategy": "prior"},
                accepts_missing=True,
            ),
            SklearnEntry(
                "DummyRegressor",
                "sklearn.dummy",
                _VALUES,
                "own",
                ("quantile", "strategy"),
                accepts_missing=True,
                refused_values={"strategy='constant'": "it says nothing of the data"},
            ),
        )
    }
)

_PRODUCT: Final = "its answers are products of matrices, whose bits depend on the rows around a row"
_REFUSED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "HistGradientBoostingClassifier": "it is the family 'hist_gradient_boosting'",
        "HistGradientBoostingRegressor": "it is the family 'hist_gradient_boosting'",
        "LogisticRegression": "it is the family 'linear'",
        "Ridge": "it is the family 'linear'",
        "AdaBoostClassifier": "its votes are added in an order that depends on the number of rows",
        "BayesianRidge": _PRODUCT,
        "HuberRegressor": _PRODUCT,
        "LinearRegression": f"{_PRODUCT}; the family 'linear' with a small alpha is near it",
        "LinearDiscriminantAnalysis": _PRODUCT,
        "MLPClassifier": _PRODUCT,
        "MLPRegressor": _PRODUCT,
        "PoissonRegressor": _PRODUCT,
        "SVC": _PRODUCT,
        "SVR": _PRODUCT,
    }
)


def entry_named(name: str) -> SklearnEntry:
    """The estimator of that name.

    Raises:
        ModelError: It is not on the list; the message says why, where that is known.

    Example:
        >>> entry_named("GaussianNB").tasks
        ('binary', 'multiclass')
    """
    if name in CATALOGUE:
        return CATALOGUE[name]
    if name in _REFUSED:
        raise ModelError(f"scikit-learn's {name} is not taken: {_REFUSED[name]}")
    near = difflib.get_close_matches(name, CATALOGUE, n=1)
    raise ModelError(
        f"unknown estimator {name!r}",
        wanted=", ".join(CATALOGUE),
        hint=f"did you mean {near[0]!r}?" if near else "",
    )
