import importlib.util
import sys

import pytest

from mlops_ray.config.code import CodeConfig
from mlops_ray.errors import ConfigError
from mlops_ray.pipeline.capture import captured, facts_of
from mlops_ray.runtime.code import code_files


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with one module that this process has loaded."""
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "prices.py").write_text("def price():\n    return 1\n")
    spec = importlib.util.spec_from_file_location("prices", tmp_path / "prices.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "prices", module)
    spec.loader.exec_module(module)
    return tmp_path


def test_a_process_that_was_not_started_from_a_bundle_captures_the_project(project):
    bundle = captured(project, CodeConfig())

    assert bundle.files.keys() - code_files().keys() == {"prices.py"}
    assert facts_of(bundle).tree == bundle.digest
    assert facts_of(bundle).n_files == len(bundle.files)


def test_a_file_that_was_edited_after_it_was_loaded_is_refused(project):
    (project / "prices.py").write_text("def price():\n    return 2\n")

    with pytest.raises(ConfigError, match=r"prices\.py.*edited after.*restart the notebook"):
        captured(project, CodeConfig())


def test_a_file_that_nobody_has_loaded_may_be_edited(project):
    (project / "other.py").write_text("X = 1\n")
    before = captured(project, CodeConfig())
    (project / "other.py").write_text("X = 2\n")

    assert captured(project, CodeConfig()).digest != before.digest


def test_the_declared_limits_hold(project):
    (project / "large.py").write_text("#" * 2**20)

    with pytest.raises(ConfigError, match=r"too large.*large\.py \(1 MiB\)"):
        captured(project, CodeConfig(max_mib=1.0))
    assert "large.py" not in captured(project, CodeConfig(exclude=["large.py"])).files


def test_the_store_is_no_part_of_the_project(project):
    (project / "store/code").mkdir(parents=True)
    (project / "store/code/x.py").write_text("")

    assert "store/code/x.py" in captured(project, CodeConfig()).files
    assert "store/code/x.py" not in captured(project, CodeConfig(), project / "store").files
