"""`mlops_ray.pipeline.recorded_environment`: what stops it, each told with the way out."""

import hashlib
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from mlops_ray.errors import ManifestError
from mlops_ray.pipeline.recorded_environment import build_environment
from mlops_ray.storage import ObjectStore

HERE = ".".join(map(str, sys.version_info[:3]))


@dataclass
class Recorded:
    """As much of a run as says in which environment it ran."""

    spec: Any
    envelope: Any
    record: Any
    run_id: str = "20260101t000000-abcdef"


@pytest.fixture
def recorded(spec, envelope, tmp_path):
    store = ObjectStore(tmp_path / "store")

    def run(lock: bytes | None, python: str = HERE) -> Recorded:
        name = None if lock is None else store.put(lock)
        return Recorded(
            spec.model_copy(update={"packages": {"python": python}}),
            envelope.model_copy(update={"lock": name}),
            SimpleNamespace(workspace=SimpleNamespace(store=store)),
        )

    return run


def test_a_run_without_a_lock_cannot_be_rebuilt(recorded, tmp_path) -> None:
    with pytest.raises(ManifestError, match="recorded no lock") as found:
        build_environment(recorded(None), tmp_path / "environment")

    assert "--env current" in found.value.hint


@pytest.mark.parametrize("python", ["2.7.18", "3.110.1", ""])
def test_another_python_is_refused_before_anything_is_made(recorded, tmp_path, python) -> None:
    with pytest.raises(ManifestError, match="another Python") as found:
        build_environment(recorded(b"", python), tmp_path / "environment")

    assert found.value.wanted == python
    assert not (tmp_path / "environment").exists()


@pytest.fixture
def wheel(tmp_path, monkeypatch) -> bytes:
    """A package `one` that pip finds, and nothing else."""
    path = tmp_path / "wheels" / "one-1.0-py3-none-any.whl"
    path.parent.mkdir()
    files = {
        "one.py": "",
        "one-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: one\nVersion: 1.0\n",
        "one-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nTag: py3-none-any\n",
        "one-1.0.dist-info/RECORD": "",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(path.parent))
    return path.read_bytes()


@pytest.mark.slow
def test_the_lock_is_what_is_installed_and_its_hashes_are_held_against(
    recorded, wheel, tmp_path
) -> None:
    lock = b"one==1.0 --hash=sha256:%s\n"
    sound = lock % hashlib.sha256(wheel).hexdigest().encode()

    python = build_environment(recorded(sound), tmp_path / "environment")
    with pytest.raises(ManifestError, match="cannot be built") as found:
        build_environment(recorded(lock % (b"0" * 64)), tmp_path / "other")

    assert [_imports(python, name) for name in ("one", "numpy")] == [0, 1]
    assert "DO NOT MATCH THE HASHES" in found.value.got
    assert "one==1.0" in found.value.got
    assert "--env current" in found.value.hint


def _imports(python, module: str) -> int:
    command = [python, "-I", "-c", f"import {module}"]
    return subprocess.run(command, capture_output=True, check=False).returncode
