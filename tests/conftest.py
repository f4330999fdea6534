"""Fixtures that all tests share: one Ray cluster a session, a home and a store of their own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

# Ray reads this when it is imported, which test modules do before any fixture runs.
os.environ["RAY_AUTH_MODE"] = "token"

from mlops_ray.runtime.cluster import connect

REPOSITORY = Path(__file__).parent.parent
CENSUS = REPOSITORY.parent / "shared" / "data" / "employment_ma"


@pytest.fixture(scope="session", autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing a test does may touch the user's home, store, registry or Ray cluster."""
    patch = pytest.MonkeyPatch()
    patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
    patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    patch.setenv("RAY_AUTH_MODE", "token")
    for variable in ("RAY_ADDRESS", "MLOPS_RAY_STORE", "MLOPS_RAY_REGISTRY"):
        patch.delenv(variable, raising=False)
    # Every Ray worker would compile every module again.
    patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    yield
    patch.undo()


@pytest.fixture(scope="session")
def ray_cluster(_own_home: None) -> Iterator[None]:
    """The one local cluster of the session, with two CPUs; nothing else is joined or stopped."""
    with connect(address="local", num_cpus=2):
        yield


@pytest.fixture(scope="session")
def census() -> Path:
    """Folder of the census table, which the project does not contain."""
    if not CENSUS.is_dir():
        pytest.skip(f"LEFT OUT: the census table is not at {CENSUS.relative_to(REPOSITORY.parent)}")
    return CENSUS


@pytest.fixture
def clean_environment() -> dict[str, str]:
    """Environment for processes that a test starts."""
    return {k: v for k, v in os.environ.items() if not k.startswith("MLOPS_RAY_")}
