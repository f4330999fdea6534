"""Documents of a small run, and a listener that remembers what it was told."""

from __future__ import annotations

import pytest

from mlops_ray.config.model import (
    ModelConfig,
    MonitorConfig,
    ObjectiveConfig,
    ServeConfig,
    SplitConfig,
)
from mlops_ray.config.search import SearchConfig
from mlops_ray.manifest import (
    DataFacts,
    Envelope,
    GateFacts,
    MetricFacts,
    ModelFacts,
    Result,
    SearchFacts,
    Spec,
    SpecData,
    StageFacts,
    StageOutputs,
)
from mlops_ray.manifest.spec import CodeFacts

D = {letter: f"sha256:{letter * 64}" for letter in "0123456789abcdef"}


@pytest.fixture
def spec() -> Spec:
    shares = {"test": {"share": 0.2}, "valid": {"share": 0.2}}
    return Spec(
        name="demand",
        owner="",
        objective=ObjectiveConfig(metric="rmse"),
        seed=1,
        seeds={"split": "3", "search": "4"},
        data=SpecData(
            inputs=[],
            columns={"x": "float", "y": "float"},
            task="regression",
            target="y",
            key=["x"],
            order_by=[],
        ),
        split=SplitConfig.model_validate(shares),
        features=[],
        model=ModelConfig(family="linear"),
        search=SearchConfig(),
        gates=[],
        serve=ServeConfig(),
        monitor=MonitorConfig(),
        code=CodeFacts(tree=D["c"], n_files=1),
        packages={"numpy": "2"},
    )


@pytest.fixture
def result() -> Result:
    return Result(
        determinism="deterministic",
        data=DataFacts(fingerprint=D["1"], n_rows=10, columns={"x": "float", "y": "float"}),
        split={},
        search=SearchFacts(
            trials=D["2"],
            n_finished=2,
            n_failed=1,
            best_index=1,
            best_params={"alpha": 0.5},
            best_value=2.5,
        ),
        model=ModelFacts(bundle=D["b"], family="linear"),
        metrics=[
            MetricFacts(name="rmse", value=2.0, split="test", n=2),
            MetricFacts(name="rmse", value=2.5, split="valid", n=2),
        ],
        gates=[
            GateFacts(
                metric="rmse",
                comparator="<=",
                threshold=3.0,
                value=2.0,
                verdict="PASS",
                evidence=D["3"],
            )
        ],
        baseline=D["4"],
        stages=[StageOutputs(name="ingest", outputs={"fingerprint": D["1"]})],
    )


@pytest.fixture
def envelope(spec: Spec, result: Result) -> Envelope:
    return Envelope(
        run_id="20260101t000000-abcdef",
        name="demand",
        state="sealed",
        spec_id=spec.digest,
        result_id=result.digest,
        actor="ann",
        trigger="manual",
        started_at="2026-01-01T00:00:00.000Z",
        finished_at="2026-01-01T00:00:09.000Z",
        origins={},
        source="data",
        git={},
        platform={},
        cluster={"cpus": 2},
        stages=[
            StageFacts(name="ingest", key=D["5"], cache="miss", wall_s=0.5, engine="ray_data"),
            StageFacts(name="split", key=D["6"], cache="miss", wall_s=0.0, engine="driver"),
        ],
        wall_s=8.5,
        ray_start_s=0.5,
        log=D["7"],
        objects=[],
    )


class Listener:
    """Remembers which stages it was told of."""

    def __init__(self) -> None:
        self.told: list[tuple[object, ...]] = []

    def stage_started(self, name: str, index: int, n: int) -> None:
        self.told.append(("started", name, index, n))

    def stage_finished(self, name: str, wall_s: float) -> None:
        self.told.append(("finished", name, wall_s >= 0))


@pytest.fixture
def listener() -> Listener:
    return Listener()
