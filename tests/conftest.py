"""Fixtures that all tests share: one Ray cluster a session, a home and a store of their own."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

# Ray reads this when it is imported, which test modules do before any fixture runs.
os.environ["RAY_AUTH_MODE"] = "token"

from mlops_ray.config.model import SplitConfig
from mlops_ray.data.source import FoundFile
from mlops_ray.data.split import SplitRows
from mlops_ray.data.unit import Unit, list_units
from mlops_ray.data.unit_schema import read_schema
from mlops_ray.features import FeatureState, number_feature, one_hot_feature
from mlops_ray.features.compiled import CompiledTransform
from mlops_ray.features.unit_rows import MatrixPlan
from mlops_ray.runtime.cluster import connect

REPOSITORY = Path(__file__).parent.parent
OTHER_SKOPS = "0.0.1.post7"
READ_BY = "what read the data"
CENSUS = REPOSITORY.parent / "shared" / "data" / "employment_ma"


class OtherEnvironment(NamedTuple):
    """This environment but for the version of one package.

    Attributes:
        folder: What to put on PYTHONPATH.
        difference: How a refusal names it.
        recorded: The version of skops that is installed here.
    """

    folder: Path
    difference: str
    recorded: str


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where several processes share the files: those on Ray, the long ones, come first."""
    if hasattr(config, "workerinput"):
        on_ray = {item.path for item in items if item.get_closest_marker("ray")}
        items.sort(key=lambda item: item.path not in on_ray)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print what read the data of each run of the integration tests."""
    lines = [
        str(line)
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", "") == "teardown"
        for name, line in report.user_properties
        if name == READ_BY
    ]
    if lines:
        terminalreporter.section("what read the data of the pipelines, by result_id")
        for line in sorted(lines):
            terminalreporter.write_line(line)


class UnitRows(NamedTuple):
    """A small table in units, and what its rows are made of.

    Attributes:
        plan: Of the parts train and valid, a binary target.
        units: The table, in the order of its rows.
    """

    plan: MatrixPlan
    units: list[Unit]


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
def unit_rows(tmp_path: Path) -> UnitRows:
    """600 rows with a missing number here and there, in two files of three row groups each."""
    rng, n_rows = np.random.default_rng(12), 600
    x = rng.normal(size=(n_rows, 3))
    word = rng.choice(["a", "b"], n_rows)
    is_one = x[:, 0] + x[:, 1] ** 2 + (word == "a") + rng.normal(0, 0.5, n_rows) > 1
    columns = {f"x{at}": pa.array(x[:, at], mask=rng.random(n_rows) < 0.05) for at in range(3)}
    table = pa.table({"k": np.arange(n_rows), **columns, "s": word, "y": is_one.astype(int)})
    files = []
    for at in range(2):
        path = tmp_path / f"unit-rows-{at}.parquet"
        pq.write_table(table.slice(at * 300, 300), path, row_group_size=100)
        files.append(FoundFile(path.name, path, "parquet", path.stat().st_size))
    state = FeatureState(
        (
            *(number_feature(f"x{at}", "float", None, None, None) for at in range(3)),
            one_hot_feature("s", "string", ("a", "b")),
        )
    )
    rule = SplitConfig.model_validate({"test": {"share": 0.2}, "valid": {"share": 0.3}})
    plan = MatrixPlan(
        schema=read_schema(files),
        transform=CompiledTransform(state),
        split=SplitRows(rule, ("k",), None, 1),
        target="y",
        labels=(0, 1),
        order_by=(),
        parts=("train", "valid"),
    )
    return UnitRows(plan, list_units(files))


@pytest.fixture(scope="session")
def postgresql(_own_home: None) -> Iterator[str]:
    """The SQLAlchemy URL of a PostgreSQL server of this session's own."""
    tools = _postgresql_tools()
    folder = tools.binaries()
    if folder is None:
        pytest.skip("LEFT OUT: PostgreSQL is not installed (Debian: apt-get install postgresql)")
    with tools.running(folder) as url:
        yield url


def _postgresql_tools() -> ModuleType:
    """The module beside this one; tests are no package."""
    path = Path(__file__).parent / "postgresql.py"
    spec = importlib.util.spec_from_file_location("postgresql_server", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def clean_environment() -> dict[str, str]:
    """Environment for processes that a test starts."""
    return {k: v for k, v in os.environ.items() if not k.startswith("MLOPS_RAY_")}


@pytest.fixture(scope="session")
def other_environment(tmp_path_factory: pytest.TempPathFactory) -> OtherEnvironment:
    """A folder that, first on PYTHONPATH, makes this environment one with another skops."""
    found = importlib.metadata.distribution("skops")
    (facts,) = (path for path in found.files or () if path.name == "METADATA")
    source, folder = Path(str(facts.locate())), tmp_path_factory.mktemp("other")
    shutil.copytree(source.parent.parent / "skops", folder / "skops")
    copy = folder / f"skops-{OTHER_SKOPS}.dist-info"
    shutil.copytree(source.parent, copy)
    text = source.read_text(encoding="utf-8")
    (copy / "METADATA").write_text(
        text.replace(f"\nVersion: {found.version}\n", f"\nVersion: {OTHER_SKOPS}\n"),
        encoding="utf-8",
    )
    return OtherEnvironment(folder, f"skops {found.version} -> {OTHER_SKOPS}", found.version)
