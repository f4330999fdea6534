from __future__ import annotations

import pytest

from mlops_ray.registry import Registry


def registration(tag: str = "0", **changes):
    """Keywords of `Registry.register` for a bundle that passed its gate."""
    return {
        "bundle": f"sha256:{tag:0>64}",
        "run_id": f"run-{tag}",
        "spec_id": "sha256:" + "1" * 64,
        "result_id": "sha256:" + "2" * 64,
        "metrics": {"roc_auc": 1.0},
        "gates": [{"metric": "roc_auc", "verdict": "PASS"}],
        "actor": "ann",
        **changes,
    }


@pytest.fixture
def new_version():
    return registration


@pytest.fixture
def registry(tmp_path):
    return Registry(tmp_path / "deep" / "registry.db")
