"""From fitted features to one graph of values: sources, tables, steps, and what comes out.

A value is one number a row, named by a whole number. Sources are number columns and tables that
codes are looked up in; each step on numbers is a node. All steps on categories of a feature are
functions of one value, so together they are one table.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import reduce
from typing import TYPE_CHECKING, Any, Self

from mlops_ray.features.codes import CalendarField, Coder, Hashed, Vocabulary
from mlops_ray.features.steps import STEPS
from mlops_ray.features.steps.step import CategoryStep, JointStep, NumberStep, Odd, TimeStep
from mlops_ray.features.values import Indicator, Node, Output, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mlops_ray.data.schema import LogicalType
    from mlops_ray.features.fitted import Feature, FittedStep
    from mlops_ray.features.steps.step import Code, Fitted, Kernel

__all__ = ["Graph"]


@dataclass
class Graph:
    """Values of all features.

    Attributes:
        numbers: Number columns, by name: logical type and value.
        tables: Values that are looked up.
        indicators: Outputs that are looked up.
        nodes: Steps, each after those it needs.
        outputs: The columns of the matrix.
    """

    numbers: dict[str, tuple[LogicalType, int]] = field(default_factory=dict)
    tables: list[Table] = field(default_factory=list)
    indicators: list[Indicator] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    _n_refs: int = 0

    @classmethod
    def of(cls, features: Sequence[Feature]) -> Self:
        """The graph of some features."""
        graph = cls()
        for feature in features:
            _Walk(graph, feature).add()
        return graph

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the matrix' columns."""
        return tuple(output.name for output in self.outputs)

    def new_ref(self) -> int:
        """A value that nothing else names."""
        self._n_refs += 1
        return self._n_refs - 1


class _Walk:
    """Adds one feature to a graph, step by step.

    The values that the next step takes are `lanes`: pairs of name and value.
    """

    def __init__(self, graph: Graph, feature: Feature) -> None:
        self.graph = graph
        self.feature = feature
        self.lanes: list[tuple[str, int]] = []
        self.beside: list[tuple[str, int]] = []

    def add(self) -> None:
        steps = list(self.feature.steps)
        if self.feature.kind == "number":
            self.lanes = [self._source(at) for at in range(len(self.feature.columns))]
        elif self.feature.kind == "time":
            self._times(steps.pop(0))
        else:
            n = next((at for at, s in enumerate(steps) if not _takes_categories(s)), len(steps))
            if self._categories(steps[:n]):
                return
            steps = steps[n:]
        for step in steps:
            self._numbers(step)
        for name, ref in [*self.lanes, *self.beside]:
            self.graph.outputs.append(Output(name, ref, self.feature.columns))

    def _source(self, at: int) -> tuple[str, int]:
        column, dtype = self.feature.columns[at], self.feature.dtypes[at]
        if column not in self.graph.numbers:
            self.graph.numbers[column] = (dtype, self.graph.new_ref())
        return column, self.graph.numbers[column][1]

    def _numbers(self, step: FittedStep) -> None:
        cls = STEPS[step.name]
        if issubclass(cls, JointStep):
            self._joint(cls, step)
            return
        if not issubclass(cls, NumberStep):
            raise TypeError(f"{step.name} does not take numbers")
        lanes: list[tuple[str, int]] = []
        for (name, ref), fitted in zip(self.lanes, step.fitted, strict=True):
            lanes += zip(*self._unary(cls, fitted, ref, cls.names(name, fitted)), strict=True)
            for beside, other, of_other in cls.beside(name, fitted):
                extra = STEPS[other]
                if issubclass(extra, NumberStep):
                    self.beside += zip(*self._unary(extra, of_other, ref, [beside]), strict=True)
        self.lanes = lanes

    def _unary(
        self, cls: type[NumberStep], fitted: Fitted, ref: int, names: list[str]
    ) -> tuple[list[str], tuple[int, ...]]:
        outputs = tuple(self.graph.new_ref() for _ in names)
        refuses = fitted.get("out_of_range") == "error"
        key = (cls.__name__, cls.batch_key(fitted), len(names), refuses)
        self.graph.nodes.append(
            Node(
                key,
                cls.kernel,
                fitted,
                refuses,
                cls.only_fills,
                (ref,),
                outputs,
                self.feature.columns,
            )
        )
        return names, outputs

    def _joint(self, cls: type[JointStep], step: FittedStep) -> None:
        names, inputs = zip(*self.lanes, strict=True)
        (fitted,) = step.fitted
        made = cls.names(names, fitted)
        outputs = tuple(self.graph.new_ref() for _ in made)
        refuses = fitted.get("out_of_range") == "error"
        key = (cls.__name__, outputs)  # Never in one call with another.

        def kernel(fitted: Sequence[Fitted]) -> Kernel:
            return cls.kernel(names, fitted[0])

        self.graph.nodes.append(
            Node(
                key,
                kernel,
                fitted,
                refuses,
                False,
                inputs,
                outputs,
                self.feature.columns,
            )
        )
        self.lanes = list(zip(made, outputs, strict=True))

    def _times(self, step: FittedStep) -> None:
        cls = STEPS[step.name]
        if not issubclass(cls, TimeStep):
            raise TypeError(f"{step.name} does not take times")
        column, dtype = self.feature.columns[0], self.feature.dtypes[0]
        for name, part, value in cls.lanes(column, step.fitted[0]):
            coder = CalendarField(column, dtype, part)
            way = [float("nan") if code is None else value(code) for code in coder.meanings]
            self._table(name, coder, [way], frozenset())

    def _table(self, name: str, coder: Coder, ways: list[list[float]], no: frozenset[int]) -> None:
        ref = self.graph.new_ref()
        self.graph.tables.append(Table(coder, ways, no, ref))
        self.lanes.append((name, ref))

    def _categories(self, steps: list[FittedStep]) -> bool:
        """Tables or an indicator of all steps together; whether it was an indicator."""
        column, dtype = self.feature.columns[0], self.feature.dtypes[0]
        classes = [_category_class(step) for step in steps]
        names = classes[-1].names(column, steps[-1].fitted[0])
        encode = _composed(classes, steps, None)
        known = [cls.known(step.fitted[0]) for cls, step in zip(classes, steps, strict=True)]
        if None in known:
            key = json.dumps([[s.name, *s.fitted] for s in steps], sort_keys=True)
            hashed = Hashed(column, dtype, len(names), key, encode)
            self._indicator(names, hashed, hashed.meanings)
            return True
        kind = {"string": str, "boolean": bool}.get(dtype, int)
        values = {v for found in known for v in found or () if type(v) is kind}
        coder = Vocabulary(column, dtype, tuple(sorted(values)))
        if classes[-1].result == "indicator":
            self._indicator(names, coder, [encode(meaning) for meaning in coder.meanings])
            return True
        n_folds = max(int(step.fitted[0].get("n_folds", 0)) for step in steps)
        ways = [_composed(classes, steps, fold) for fold in range(n_folds)] + [encode]
        answers = [[way(meaning) for meaning in coder.meanings] for way in ways]
        for at, name in enumerate(names):
            numbers = [[_number(answer, at) for answer in way] for way in answers]
            self._table(name, coder, numbers, _refused(answers[-1]))
        return False

    def _indicator(self, names: list[str], coder: Coder, answers: Sequence[Any]) -> None:
        pairs = [answer if isinstance(answer, tuple) else (None, 0.0) for answer in answers]
        places, weights = [at for at, _ in pairs], [weight for _, weight in pairs]
        start = len(self.graph.outputs)
        self.graph.indicators.append(Indicator(coder, places, weights, _refused(answers), start))
        for name in names:
            self.graph.outputs.append(Output(name, None, self.feature.columns))


def _takes_categories(step: FittedStep) -> bool:
    cls, fitted = STEPS[step.name], step.fitted[0]
    # A step that takes both, such as impute, was fitted with categories if it took them.
    return issubclass(cls, CategoryStep) and (
        not issubclass(cls, NumberStep) or "categories" in fitted
    )


def _category_class(step: FittedStep) -> type[CategoryStep]:
    cls = STEPS[step.name]
    if not issubclass(cls, CategoryStep):
        raise TypeError(f"{step.name} does not take categories")
    return cls


def _composed(
    classes: Sequence[type[CategoryStep]], steps: Sequence[FittedStep], fold: int | None
) -> Callable[[Code], Any]:
    encoders = [cls.encoder(step.fitted[0], fold) for cls, step in zip(classes, steps, strict=True)]
    if len(encoders) == 1:
        return encoders[0]
    return lambda value: reduce(lambda found, encode: encode(found), encoders, value)


def _refused(answers: Sequence[Any]) -> frozenset[int]:
    return frozenset(at for at, answer in enumerate(answers) if answer is Odd.REFUSED)


def _number(answer: Any, at: int) -> float:  # noqa: ANN401 - a list of numbers, or refused
    return float("nan") if answer is Odd.REFUSED else float(answer[at])
