import threading
from pathlib import Path

import pytest

from mlops_ray.data.thread_map import ThreadMap
from mlops_ray.data.unit import Unit
from mlops_ray.data.unit_map import map_in_process
from mlops_ray.errors import ColumnError

UNITS = [Unit(at, Path("nowhere"), "parquet", f"u{at}", 0) for at in range(40)]


def name_of(unit):
    return unit.name.encode()


@pytest.mark.parametrize("n_cpus", [1, 2, 3, 100])
def test_answers_come_in_unit_order(n_cpus):
    assert ThreadMap(n_cpus)(name_of, UNITS) == map_in_process(name_of, UNITS)


@pytest.mark.parametrize(("n_cpus", "n_answers"), [(2, 6), (3, 9), (100, 12)])
def test_neighbours_are_combined_in_their_thread(n_cpus, n_answers):
    answers = ThreadMap(n_cpus)(name_of, UNITS, b" ".join)

    assert len(answers) == n_answers
    assert b" ".join(answers) == b" ".join(map(name_of, UNITS))


@pytest.mark.parametrize(("n_cpus", "wanted"), [(1, 1), (2, 2), (100, 4)])
def test_so_many_units_are_worked_on_at_once(n_cpus, wanted):
    together, seen = threading.Barrier(wanted, timeout=60), threading.local()

    def wait(_):
        if not hasattr(seen, "it"):
            together.wait()  # Breaks where fewer threads come.
            seen.it = True
        return str(threading.get_ident()).encode()

    assert len(set(ThreadMap(n_cpus)(wait, UNITS))) == wanted


def test_the_first_failing_units_error_is_told_though_another_failed_before():
    second_failed = threading.Event()

    def fail(unit):
        if unit.index > 0:  # Of another run of units.
            second_failed.set()
        else:
            assert second_failed.wait(60)
        raise ColumnError("bad", unit.name)

    with pytest.raises(ColumnError) as caught:
        ThreadMap(2)(fail, UNITS)

    assert caught.value.got == "u0"
