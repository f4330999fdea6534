"""What a pipeline refuses before it starts anything."""

from __future__ import annotations

import pytest

from mlops_ray import Pipeline, init_project
from mlops_ray.errors import ConfigError, ResourceError
from mlops_ray.pipeline.threshold import IN_PROCESS_BELOW_BYTES, threshold_bytes

VARIABLE = "MLOPS_RAY_IN_PROCESS_BELOW_BYTES"


@pytest.fixture
def pipeline(tmp_path):
    init_project(tmp_path)
    return Pipeline(tmp_path / "pipeline.yaml")


def test_argument_wins_over_environment_and_that_over_the_default(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    assert threshold_bytes(None) == IN_PROCESS_BELOW_BYTES
    monkeypatch.setenv(VARIABLE, "17")
    assert threshold_bytes(None) == 17
    assert threshold_bytes(0) == 0


@pytest.mark.parametrize("text", ["", "1 GiB", "-1", "1e6"])
def test_a_threshold_that_is_no_number_is_refused_before_anything(pipeline, monkeypatch, text):
    monkeypatch.setenv(VARIABLE, text)

    with pytest.raises(ConfigError, match=rf"{VARIABLE} must be a number of bytes"):
        pipeline.run()

    assert pipeline.project.runs() == []
    assert not pipeline.project.workspace.store_root.exists()


def test_more_threads_than_cpus_asked_for_are_refused_before_anything(pipeline, tmp_path):
    config = (tmp_path / "pipeline.yaml").read_text().replace("xgboost,", "xgboost, threads: 2,")
    (tmp_path / "pipeline.yaml").write_text(config)

    with pytest.raises(ResourceError, match=r"model\.threads = 2, wanted at most 1"):
        Pipeline(tmp_path / "pipeline.yaml").run(num_cpus=1)

    assert pipeline.project.runs() == []


def test_a_check_writes_nothing(pipeline, tmp_path):
    before = sorted(tmp_path.rglob("*"))

    pipeline.check()

    assert sorted(tmp_path.rglob("*")) == before
