"""What every estimator family promises, as tests that a plug-in inherits.

A class of tests names a family, and pytest runs each law for each task:

    class TestMyFamily(EstimatorConformance):
        family = MyFamily()
        params = {"subsample": 0.7}
        other_params = ({"max_depth": 2},)

A broken law is an `AssertionError` that says what was got and what is wanted. Parameters that make
the family draw at random, and parameters that use shared rows in another way, are worth naming:
they are what goes wrong first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np

from mlops_ray.config.model import TASKS
from mlops_ray.errors import ModelError
from mlops_ray.models.guidance import Guidance, guided, taken_by
from mlops_ray.testing.estimator_rows import N_CLASSES, estimator_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from mlops_ray.config.model import Task
    from mlops_ray.models.estimator import Family, Fitted, Training

__all__ = ["EstimatorConformance"]

_BATCH_SIZES: Final = (1, 2, 7, 31, 257)
_BATCHES: Final = 40  # Of each size; more find nothing that these do not.
_UNKNOWN: Final = "no_such_parameter"


class EstimatorConformance:
    """The laws of `mlops_ray.models.estimator`, one test each.

    Attributes:
        family: The family that is tried.
        tasks: Tasks that it takes.
        params: Parameters of the fits; small ones make the tests quick.
        other_params: Parameters that replace some of these in fits on the same rows.
        n_rows: Rows of a fit.
    """

    family: ClassVar[Family]
    tasks: ClassVar[Sequence[Task]] = TASKS
    params: ClassVar[Mapping[str, object]] = {}
    other_params: ClassVar[Sequence[Mapping[str, object]]] = ()
    n_rows: ClassVar[int] = 600

    def pytest_generate_tests(self, metafunc: Any) -> None:  # noqa: ANN401 - pytest is no dependency
        """Run each law for each task; pytest calls this."""
        if "task" in metafunc.fixturenames:
            metafunc.parametrize("task", self.tasks)

    def test_a_row_has_the_same_bits_alone_and_among_others(self, task: Task) -> None:
        """Neither the size of a batch nor a row's place in it has a part in its answer."""
        X, _ = self._rows(task)
        fitted = self._fit(task)
        together = fitted.predict(X)
        for size in _BATCH_SIZES:
            for start in range(0, min(len(X) - size + 1, _BATCHES * size), size):
                part = fitted.predict(np.ascontiguousarray(X[start : start + size]))
                wanted = together[start : start + size]
                _equal(part.tobytes(), wanted.tobytes(), f"rows from {start} on, {size} at once")
        backwards = fitted.predict(X[::-1].copy())[::-1]
        _equal(backwards.tobytes(), together.tobytes(), "rows in reversed order")

    def test_answers_are_float64_of_the_declared_shape(self, task: Task) -> None:
        """Probabilities that sum to 1, or one value a row."""
        X, _ = self._rows(task)
        answers, n_classes = self._fit(task).predict(X), N_CLASSES[task]
        _equal(str(answers.dtype), "float64", "type of the answers")
        _equal(answers.shape, (len(X), n_classes) if n_classes else (len(X),), "their shape")
        _hold(bool(np.isfinite(answers).all()), "an answer is not finite")
        if n_classes:
            _hold(float(answers.min()) >= 0, "a probability is below 0")
            _hold(bool(np.allclose(answers.sum(axis=1), 1.0, atol=1e-6)), "they do not sum to 1")

    def test_loading_keeps_every_bit_of_answers_and_files(self, task: Task) -> None:
        """Written, loaded and written again, files are the same bytes."""
        X, _ = self._rows(task)
        fitted = self._fit(task)
        loaded = self.family.from_files(fitted.to_files(), task=task, n_classes=N_CLASSES[task])
        _equal(loaded.predict(X).tobytes(), fitted.predict(X).tobytes(), "answers once loaded")
        _equal(loaded.to_files(), fitted.to_files(), "files once loaded")

    def test_refitting_gives_the_same_files(self, task: Task) -> None:
        """Whatever else ran in the process, and on two threads as on one."""
        first = self._fit(task).to_files()
        self._fit(task, seed=6)
        _equal(self._fit(task).to_files(), first, "files of a second fit")
        _equal(self._fit(task, threads=2).to_files(), first, "files of a fit on two threads")

    def test_a_fit_on_shared_rows_is_the_same_as_one_on_rows_of_its_own(self, task: Task) -> None:
        """Rows made ready once serve many fits, and no fit leaves a trace in another."""
        X, y = self._rows(task)
        shared = self.family.prepare(X, y, task=task, n_classes=N_CLASSES[task], threads=1)
        drawn = [self.params, *({**self.params, **other} for other in self.other_params)]
        for params in (*drawn, *reversed(drawn)):
            got = shared.fit(params, seed=5).to_files()
            _equal(got, self._fit(task, params=params).to_files(), f"files for {dict(params)}")

    def test_a_fit_that_goes_on_is_a_fit_of_so_many_rounds(self, task: Task) -> None:
        """Stops on the way, and other fits between them, leave no trace."""
        rounds, (X, y) = self.family.rounds, self._rows(task)
        training = self.family.prepare(X, y, task=task, n_classes=N_CLASSES[task], threads=1)
        if rounds is None:
            _refused(lambda: training.grow(self.params, seed=5).to(2), "rounds of a family without")
            return
        drawn = [self.params, *({**self.params, **other} for other in self.other_params)]
        growths = [training.grow(params, seed=5) for params in drawn]
        for n_rounds in (1, 3, 6):
            for growth, params in zip(growths, drawn, strict=True):
                grown = growth.to(n_rounds)
                alone = self._fit(task, params={**params, rounds: n_rounds})
                what = f"{n_rounds} rounds with {dict(params)}"
                _equal(grown.predict(X).tobytes(), alone.predict(X).tobytes(), what)
                held = getattr(growth, "held_bytes", None)
                _hold(isinstance(held, int) and held >= 0, "a growth tells no 'held_bytes'")
                if n_rounds != 3:  # Looking at a model must not be what keeps it right.
                    _equal(grown.to_files(), alone.to_files(), what)

    def test_weights_have_a_part_in_a_fit_and_leave_it_the_same_every_time(
        self, task: Task
    ) -> None:
        """For families that take weights: also on shared rows, and on two threads as on one."""
        if "weight" not in taken_by(self.family):
            return
        X, y = self._rows(task)
        weights = np.random.default_rng(6).gamma(2.0, size=len(y))
        options: dict[str, Any] = {"task": task, "n_classes": N_CLASSES[task]}

        def prepared(weights: NDArray[np.float64], threads: int) -> Training:
            guidance = Guidance(weights=weights)
            return guided(self.family, X, y, guidance, threads=threads, **options)

        shared = prepared(weights, 1)
        first = shared.fit(self.params, seed=5).to_files()
        _equal(shared.fit(self.params, seed=5).to_files(), first, "files of a second weighted fit")
        on_two = prepared(weights, 2).fit(self.params, seed=5).to_files()
        _equal(on_two, first, "files of a weighted fit on two threads")
        other = prepared(np.ones(len(y)), 1).fit(self.params, seed=5).to_files()
        _hold(other != first, "weights have no part in the fit")

    def test_fitting_does_not_touch_its_inputs(self, task: Task) -> None:
        """Rows that may not be written, as Ray's object store hands them out, are taken."""
        X, y = self._rows(task)
        before = X.tobytes(), y.tobytes()
        X.flags.writeable = y.flags.writeable = False
        answers = self._fit_on(X, y, task).predict(X)
        _equal(len(answers), len(X), "answers to rows that may not be written")
        _equal((X.tobytes(), y.tobytes()), before, "rows after a fit")

    def test_files_of_another_kind_are_refused(self, task: Task) -> None:
        """Other files, damaged ones and none are a `ModelError`."""
        files = self._fit(task).to_files()
        for wrong in ({}, {"model.pkl": b""}, dict.fromkeys(files, b"not a model")):
            _refused(
                lambda wrong=wrong: self.family.from_files(  # type: ignore[misc]
                    wrong, task=task, n_classes=N_CLASSES[task]
                ),
                f"files {sorted(wrong)} of something else",
            )

    def test_rows_that_cannot_be_learned_from_are_refused(self, task: Task) -> None:
        """Infinities, no rows, and targets of another number are a `ModelError`."""
        X, y = self._rows(task)
        infinite = X.copy()
        infinite[3, 3] = np.inf
        for rows, targets, name in (
            (infinite, y, "an infinity"),
            (X[:0], y[:0], "no rows"),
            (X, y[:-1], "a target too few"),
        ):
            _refused(
                lambda rows=rows, targets=targets: self._fit_on(rows, targets, task),  # type: ignore[misc]
                name,
            )

    def test_parameters_are_refused_by_name(self, task: Task) -> None:
        """Before a fit and at a fit; what is resolved once stays as it is."""
        wrong = {**self.params, _UNKNOWN: 1}
        problems = self.family.check_params(wrong, task)
        named = [_UNKNOWN in problem for problem in problems]
        _equal(named, [True], "one problem, which names the parameter")
        _refused(lambda: self._fit(task, params=wrong), "an unknown parameter")
        resolved = self.family.resolve_params(self.params, task)
        _equal(self.family.check_params(resolved, task), [], "problems of resolved parameters")
        _equal(self.family.resolve_params(resolved, task), resolved, "parameters resolved twice")
        _equal(list(resolved), sorted(resolved), "order of resolved parameters")

    def _rows(self, task: Task) -> tuple[NDArray[np.float32], NDArray[Any]]:
        return estimator_rows(task, self.n_rows, with_missing=self.family.accepts_missing)

    def _fit(
        self,
        task: Task,
        *,
        params: Mapping[str, object] | None = None,
        seed: int = 5,
        threads: int = 1,
    ) -> Fitted:
        chosen = self.params if params is None else params
        X, y = self._rows(task)
        options: dict[str, Any] = {"task": task, "n_classes": N_CLASSES[task]}
        return self.family.fit(X, y, chosen, seed=seed, threads=threads, **options)

    def _fit_on(self, X: NDArray[np.float32], y: NDArray[Any], task: Task) -> Fitted:
        options: dict[str, Any] = {"task": task, "n_classes": N_CLASSES[task]}
        return self.family.fit(X, y, self.params, seed=5, threads=1, **options)


def _equal(got: object, wanted: object, what: str) -> None:
    if got != wanted:
        raise AssertionError(f"{what}: got {_short(got)}, wanted {_short(wanted)}")


def _hold(is_so: bool, otherwise: str) -> None:
    if not is_so:
        raise AssertionError(otherwise)


def _refused(attempt: Callable[[], object], what: str) -> None:
    try:
        attempt()
    except ModelError:
        return
    raise AssertionError(f"{what}: taken, and a ModelError is wanted")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}..."
