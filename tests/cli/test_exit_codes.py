import sys

import pytest

from mlops_ray import errors
from mlops_ray.cli import main as command_line
from mlops_ray.cli.exit_codes import exit_code

# design.md, section 7.
CODES = {
    2: [errors.ConfigError, errors.InvalidConfigError, errors.ResourceError],
    3: [errors.GateError, errors.SearchError, errors.ContractError],
    4: [errors.DigestMismatchError],
    5: [errors.ConflictError, errors.PortInUseError],
    6: [errors.NotFoundError],
    65: [
        errors.DataError,
        errors.SourceError,
        errors.ColumnError,
        errors.RecordError,
        errors.ManifestError,
        errors.ModelError,
        errors.MonitorError,
    ],
    69: [errors.ClusterError, errors.ContainerError, errors.ServeError],
    74: [errors.StoreError, errors.RegistryError],
    75: [errors.BusyError],
    77: [errors.NotPermittedError, errors.UnstableModelError],
    1: [errors.MlopsRayError],
}
CASES = [(kind, code) for code, kinds in CODES.items() for kind in kinds]


def raised(kind):
    if kind is errors.InvalidConfigError:
        return kind((errors.ConfigProblem("unknown key 'trails'"),))
    return kind("it does not work", hint="try this")


@pytest.mark.parametrize(("kind", "code"), CASES, ids=lambda case: getattr(case, "__name__", case))
def test_an_error_ends_a_command_with_its_code(kind, code):
    assert exit_code(raised(kind)) == code


def test_every_error_is_listed():
    listed = {kind for kind, _ in CASES}

    assert listed == {
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.MlopsRayError)
    }


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ZeroDivisionError("surprise"), 1, "this is a bug in mlops-ray"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (errors.BusyError("the registry is locked"), 75, "error: the registry is locked"),
    ],
    ids=["bug", "interrupted", "ours"],
)
def test_whatever_ends_a_command_is_one_json_line(monkeypatch, capfd, error, code, said):
    def fails(**_):
        raise error

    monkeypatch.setattr(command_line, "app", fails)
    monkeypatch.setattr(sys, "argv", ["mlops-ray", "run", "pipeline.yaml", "--json"])

    assert command_line._outcome() == code
    out, err = capfd.readouterr()
    assert out.startswith('{"schema": "mlops-ray/error/v1", "code": "')
    assert out.count("\n") == 1
    assert said in err
    assert ("Traceback" in err) == (code == 1)


def test_a_bug_is_told_with_its_place_and_without_the_value_it_stumbled_over(monkeypatch, capfd):
    def fails(**_):
        return float("O'Neil 4711")

    monkeypatch.setattr(command_line, "app", fails)
    monkeypatch.setattr(sys, "argv", ["mlops-ray", "run", "pipeline.yaml", "--json"])

    assert command_line._outcome() == 1
    out, err = capfd.readouterr()
    assert "ValueError: could not convert string to float: ..." in out
    assert "ValueError: could not convert string to float: ..." in err
    assert "in fails" in err
    assert "4711" not in out
