"""Every pipeline file in configs/ loads and fits its data."""

from pathlib import Path

import pytest

from mlops_ray.pipeline.pipeline import Pipeline

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_shipped_config_passes_check(path: Path, request: pytest.FixtureRequest) -> None:
    if "../shared" in path.read_text():
        request.getfixturevalue("census")

    facts = Pipeline(path).check()

    assert facts["name"] == path.stem
    assert facts["features"]
