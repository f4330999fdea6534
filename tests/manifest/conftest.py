"""Small runs whose documents are written by hand, in a store and as exports."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
    CodeFacts,
    DataFacts,
    Envelope,
    GateFacts,
    InputFacts,
    MetricFacts,
    ModelFacts,
    ObjectFacts,
    Result,
    RunRecord,
    SearchFacts,
    Spec,
    SpecData,
    StageFacts,
    StageOutputs,
    canonical_bytes,
)
from mlops_ray.manifest.archive import export_run
from mlops_ray.storage import Workspace, digest, find_workspace

RUN_ID = "20260101t000000-abcdef"
OPENSSL = shutil.which("openssl") or "openssl"
CODE = {"mlops_ray/__init__.py": b'"""Code."""\n', "mlops_ray/stage.py": b"VALUE = 1\n"}
CITED = "sha256:" + "0" * 64  # An input that was too large for the store.


@dataclass
class SmallRun:
    """A run in a store, put there object by object."""

    workspace: Workspace
    run_id: str = RUN_ID
    seed: int = 1

    def __post_init__(self) -> None:
        self.facts: dict[str, ObjectFacts] = {}

    code = CODE

    @property
    def record(self) -> RunRecord:
        return RunRecord(self.workspace, self.run_id)

    def put(self, role: str, data: bytes, **more: Any) -> str:
        name = self.workspace.store.put(data)
        self.facts[name] = ObjectFacts(role=role, sha256=name, size_bytes=len(data), **more)
        return name

    def tree(self, role: str, schema: str, files: dict[str, bytes]) -> str:
        entries = [{"path": p, "size": len(d), "sha256": digest(d)} for p, d in files.items()]
        return self.put(role, canonical_bytes({"schema": schema, "files": entries}))

    def spec(self) -> Spec:
        shares = {"test": {"share": 0.2}, "valid": {"share": 0.2}}
        rows = f"x,y\n{self.seed},2\n".encode()
        small = InputFacts(
            name="small.csv", format="csv", sha256=self.put("input", rows), size_bytes=len(rows)
        )
        big = InputFacts(name="big.csv", format="csv", sha256=CITED, size_bytes=1 << 40)
        return Spec(
            name="demand",
            owner="",
            objective=ObjectiveConfig(metric="rmse"),
            seed=self.seed,
            seeds={"split": "3", "search": "4"},
            data=SpecData(
                inputs=[small, big],
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
            code=CodeFacts(tree=self.tree("code tree", "mlops-ray/code/v1", CODE), n_files=2),
            packages={"numpy": "2"},
        )

    def result(self) -> Result:
        model = {"model.json": f'{{"seed": {self.seed}}}'.encode(), "signature.json": b"{}"}
        for path, data in model.items():
            self.put(f"bundle {path}", data)
        metrics = self.put("metrics", f"[{self.seed}.5]".encode())
        matrix = self.put("matrix train", b"\x01" * 5000, intermediate=True)
        return Result(
            determinism="deterministic",
            data=DataFacts(fingerprint=digest(b"f"), n_rows=10, columns={"x": "float"}),
            split={},
            search=SearchFacts(
                trials=self.put("trials", b"trials"),
                n_finished=2,
                n_failed=1,
                best_index=1,
                best_params={"alpha": 0.5},
                best_value=2.5,
            ),
            model=ModelFacts(
                bundle=self.tree("bundle", "mlops-ray/bundle/v1", model), family="linear"
            ),
            metrics=[MetricFacts(name="rmse", value=2.0, split="test", n=2)],
            gates=[
                GateFacts(
                    metric="rmse",
                    comparator="<=",
                    threshold=3.0,
                    value=2.0,
                    verdict="PASS",
                    evidence=metrics,
                )
            ],
            baseline=self.put("profile train", b"profile"),
            stages=[
                StageOutputs(name="ingest", outputs={"fingerprint": digest(b"f")}),
                StageOutputs(name="features", outputs={"train": matrix, "note": "no digest"}),
            ],
        )

    def archive(self, files: dict[str, bytes]) -> str:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for path, data in files.items():
                archive.writestr(zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0)), data)
        return self.put("code archive", buffer.getvalue())

    def envelope(self, **changes: Any) -> Envelope:
        """Put every object there is and list it."""
        self.facts = {}
        spec, result = self.spec(), self.result()
        self.archive(CODE)
        fields: dict[str, Any] = {
            "run_id": self.run_id,
            "name": "demand",
            "state": "sealed",
            "spec_id": self.put("spec", spec.to_bytes()),
            "result_id": self.put("result", result.to_bytes()),
            "actor": "ann",
            "trigger": "manual",
            "started_at": "2026-01-01T00:00:00.000Z",
            "finished_at": "2026-01-01T00:00:09.000Z",
            "origins": {},
            "source": "data",
            "git": {},
            "platform": {},
            "cluster": {"cpus": 2},
            "stages": [
                StageFacts(name="ingest", key=CITED, cache="miss", wall_s=0.5, engine="driver")
            ],
            "wall_s": 8.5,
            "ray_start_s": 0.5,
            "log": self.put("log", b'{"event":"run_ended"}\n'),
        }
        return Envelope(**(fields | changes), objects=[self.facts[k] for k in sorted(self.facts)])

    def seal(self, envelope: Envelope | None = None) -> SmallRun:
        self.record.folder.mkdir(parents=True, exist_ok=True)
        self.record.seal(envelope or self.envelope())
        return self


@pytest.fixture
def small(tmp_path: Path) -> SmallRun:
    """A sealed run that is whole."""
    return SmallRun(find_workspace(tmp_path, tmp_path / "store")).seal()


@pytest.fixture
def other(tmp_path: Path) -> SmallRun:
    """Another sealed run, in a store of its own."""
    workspace = find_workspace(tmp_path, tmp_path / "other-store")
    return SmallRun(workspace, run_id="20260202t000000-fedcba", seed=2).seal()


@pytest.fixture
def folder(small: SmallRun, tmp_path: Path) -> Path:
    """The small run as a folder whose files can be written."""
    path = export_run(small.record, tmp_path / "exported").path
    for file in path.rglob("*"):
        file.chmod(0o755 if file.is_dir() else 0o644)
    return path


@pytest.fixture
def tar(small: SmallRun, tmp_path: Path) -> Path:
    """The small run as a tar."""
    path = export_run(small.record, tmp_path / "exported.tar").path
    path.chmod(0o644)
    return path


Keys = Callable[..., tuple[Path, Path]]


@pytest.fixture(scope="session")
def make_keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """Makes a private and a public key with openssl, as a user does."""
    root = tmp_path_factory.mktemp("keys")

    def made(name: str, *options: str) -> tuple[Path, Path]:
        private, public = root / f"{name}.pem", root / f"{name}.pub.pem"
        kind = options or ("-algorithm", "ed25519")
        subprocess.run(
            [OPENSSL, "genpkey", *kind, "-out", private], check=True, capture_output=True
        )
        secret = ["-passin", f"pass:{os.environ['PHRASE']}"] if "-aes256" in kind else []
        subprocess.run(
            [OPENSSL, "pkey", "-in", private, *secret, "-pubout", "-out", public], check=True
        )
        private.chmod(0o600)
        return private, public

    return made


@pytest.fixture(scope="session")
def ann(make_keys: Keys) -> tuple[Path, Path]:
    """Ann's private and public key."""
    return make_keys("ann")


@pytest.fixture(scope="session")
def bob(make_keys: Keys) -> tuple[Path, Path]:
    """Bob's private and public key."""
    return make_keys("bob")
