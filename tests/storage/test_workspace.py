"""`mlops_ray.storage.workspace`: arguments win over the environment, that over the default."""

from pathlib import Path

import pytest

from mlops_ray.storage import find_workspace, project_root


def test_the_default_lies_in_the_project_root_and_ignores_itself(tmp_path: Path) -> None:
    workspace = find_workspace(tmp_path)
    workspace.prepare()

    assert workspace.store_root == tmp_path / ".mlops_ray" / "store"
    assert workspace.registry == str(tmp_path / ".mlops_ray" / "registry.db")
    assert (tmp_path / ".mlops_ray" / ".gitignore").read_text() == "*\n"


def test_environment_and_arguments_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_RAY_STORE", str(tmp_path / "env"))
    monkeypatch.setenv("MLOPS_RAY_REGISTRY", "sqlite:////tmp/x.db")

    from_environment = find_workspace(tmp_path)
    from_arguments = find_workspace(tmp_path, tmp_path / "arg", tmp_path / "r.db")

    assert from_environment.store_root == tmp_path / "env"
    assert from_environment.registry == "sqlite:////tmp/x.db"
    assert from_arguments.store_root == tmp_path / "arg"
    assert from_arguments.registry == str(tmp_path / "r.db")


def test_the_root_is_the_nearest_marked_parent(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "a" / "pyproject.toml").touch()

    assert project_root(inner) == tmp_path / "a"
