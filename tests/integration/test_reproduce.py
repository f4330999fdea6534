"""`reproduce` as users call it: from the record alone, with every answer that it can give.

One run is recorded whose engine holds a plant: a variable of the environment, which no record
knows, makes it give other bits. So a second execution can be made to differ, and `reproduce` has
to say so and where it began. The run is rejected by its gate; it can be executed again like any.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

import mlops_ray
from mlops_ray.storage import digest_file

if TYPE_CHECKING:
    from collections.abc import Iterator

sys.path.append(str(Path(__file__).parents[1] / "faults"))

from other_user import OtherUser, other_user

pytestmark = [pytest.mark.ray, pytest.mark.slow]

PACKAGE = Path(mlops_ray.__file__).parent
_TIMEOUT_S = 280
SCORES = "    return {name: score(name, y, predictions) for name in metrics_for(task)}\n"
PLANTED = """
    scores = {name: score(name, y, predictions) for name in metrics_for(task)}
    import importlib.metadata, os
    plant = os.environ.get("PLANT", "")
    if plant == "chance":  # An answer that nothing decides, though a close one.
        bits = 1 + int.from_bytes(os.urandom(1), "big")
        return {name: value * (1 - bits * 2.0**-50) for name, value in scores.items()}
    if plant and importlib.metadata.version("skops") == plant.partition("=")[0]:
        return {n: value * (1 - float(plant.partition("=")[2])) for n, value in scores.items()}
    return scores
"""
ANSWERS = """
        add_answer(answers, fn(unit), combine)
    return answers
"""
DISORDERED = """
        add_answer(answers, fn(unit), combine)
    import os
    return answers[::-1] if os.environ.get("PLANT") == "order" else answers
"""


@dataclass(frozen=True)
class Place:
    """Where commands are given: a folder, a store, and the environment around them."""

    folder: Path
    store: Path
    engine: Path
    variables: dict[str, str] = field(default_factory=dict)
    before: tuple[str, ...] = ()

    def start(self, *arguments: str | Path, **variables: str) -> subprocess.Popen[str]:
        # Neither the store, nor the cluster of these tests, nor its token, which is this user's.
        not_kept = ("MLOPS_RAY_", "RAY_ADDRESS", "RAY_AUTH_")
        kept = {k: v for k, v in os.environ.items() if not k.startswith(not_kept)}
        paths = [variables.pop("first", ""), str(self.engine.parent)]
        environment = {
            **kept,
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "MLOPS_RAY_STORE": str(self.store),
            "MLOPS_RAY_REGISTRY": str(self.store.with_suffix(".db")),
            **self.variables,
            **variables,
        }
        return subprocess.Popen(
            [*self.before, sys.executable, "-P", "-m", "mlops_ray", *map(str, arguments)],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
        return _ended(self.start(*arguments, **variables))


def _ended(process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    out, err = process.communicate(timeout=_TIMEOUT_S)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


@pytest.fixture(scope="module")
def place(tmp_path_factory, tables) -> Place:
    """A project under git whose last changes are not committed, and one run of it."""
    folder = tmp_path_factory.mktemp("project")
    engine = folder / "mlops_ray"
    shutil.copytree(PACKAGE, engine, ignore=shutil.ignore_patterns("__pycache__"))
    config = tables.config_of("xgboost")
    config["search"]["trials"] = 2
    config["gates"] = [{"metric": "roc_auc", "at_least": 1.0}]
    config["register"] = None
    (folder / "data").mkdir()
    pq.write_table(tables.homes_for(config), folder / "data" / "homes.parquet", row_group_size=70)
    (folder / "pyproject.toml").touch()
    (folder / ".gitignore").write_text("data\n__pycache__\n")
    _git(folder, "init", "-q")
    _git(folder, "add", "-A")
    _git(folder, "commit", "-q", "-m", "Before")
    _plant(engine / "models" / "metrics.py", SCORES, PLANTED)
    _plant(engine / "data" / "unit_map.py", ANSWERS, DISORDERED)
    (folder / "pipeline.yaml").write_text(json.dumps(config))
    made = Place(folder, tmp_path_factory.mktemp("kept") / "store", engine)
    done = made.run("run", "pipeline.yaml", "--num-cpus", "1", "--json")
    assert done.returncode == 3, done.stderr  # Rejected by its gate.
    return made


def _plant(path: Path, sound: str, planted: str) -> None:
    assert path.read_text().count(sound) == 1
    path.write_text(path.read_text().replace(sound, planted))


def _git(folder: Path, *arguments: str) -> None:
    named = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org")
    subprocess.run(["git", "-C", str(folder), *named, *arguments], check=True)  # noqa: S607


def _reproduced(done: subprocess.CompletedProcess[str], code: int = 0) -> dict:
    assert done.returncode == code, done
    assert done.stdout.count("\n") == 1
    found = json.loads(done.stdout)
    assert found["executed"] == {"n": 8, "of": 8}
    assert "reused" not in done.stderr
    return found


REPRODUCE = ("reproduce", "latest", "--num-cpus", "1", "--json")


def test_another_environment_whose_bits_differ_is_equivalent(place, other_environment):
    version = other_environment.folder.glob("skops-*.dist-info")
    (name,) = (path.name.removeprefix("skops-").removesuffix(".dist-info") for path in version)

    done = place.run(*REPRODUCE, first=str(other_environment.folder), PLANT=f"{name}=1e-9")
    found = _reproduced(done)

    assert found["verdict"] == "EQUIVALENT"
    assert found["environment"] == [other_environment.difference]
    assert other_environment.difference in found["cause"]
    assert found["first_difference"]["stage"] == "search"
    assert found["first_difference"]["output"] == "trials"
    assert found["expected"] != found["got"]


def test_chance_in_an_equal_environment_is_different_however_close(place):
    done = place.run(*REPRODUCE[:-1], PLANT="chance")

    assert done.returncode == 4, done
    assert done.stdout == "DIFFERENT\n"
    assert "executed   8 of 8 stages" in done.stderr
    assert "first      stage search, trials: sha256:" in done.stderr
    assert "cause      stage search gave other bits from the same data, code, pack" in done.stderr
    assert "something in it is not deterministic" in done.stderr


def test_supplied_data_of_which_a_row_or_a_byte_changed_are_refused_and_their_twin_is_identical(
    place, tmp_path
):
    original = place.folder / "data" / "homes.parquet"
    for name, mutate in {"twin": None, "row": _another_row, "byte": _another_byte}.items():
        (tmp_path / name).mkdir()
        copy = Path(shutil.copy(original, tmp_path / name))
        if mutate is not None:
            mutate(copy)
            assert copy.read_bytes() != original.read_bytes()

    started = {  # At once: the store's own copy would do, so a refusal shows what was looked at.
        name: place.start(*REPRODUCE, "--data", tmp_path / name) for name in ("twin", "row", "byte")
    }
    done = {name: _ended(process) for name, process in started.items()}

    assert _reproduced(done["twin"])["verdict"] == "IDENTICAL"
    recorded = digest_file(original)
    for name in ("row", "byte"):
        refusal = json.loads(done[name].stdout)
        assert (done[name].returncode, refusal["code"]) == (65, "source")
        assert refusal["where"]["file"] == "homes.parquet"
        assert refusal["got"] == digest_file(tmp_path / name / "homes.parquet")
        assert refusal["wanted"] == recorded
        assert "[1/8]" not in done[name].stderr  # Refused before anything was executed.


def _another_row(path: Path) -> None:
    table = pq.read_table(path)
    areas = table["area"].to_pylist()
    areas[7] += 1.0
    at = table.column_names.index("area")
    pq.write_table(table.set_column(at, "area", [areas]), path, row_group_size=70)


def _another_byte(path: Path) -> None:
    """The last letter of who wrote the file: a byte of it that no row is made of."""
    data = path.read_bytes()
    at = data.rindex(b"parquet-cpp-arrow")
    path.write_bytes(data[:at] + b"P" + data[at + 1 :])


@pytest.fixture(scope="module")
def user() -> Iterator[OtherUser | None]:
    """Another user who can read what is installed; None where there can be none."""
    if os.getuid() != 0 or shutil.which("useradd") is None:
        yield None
        return
    with other_user() as made:
        yield made if made.runs(sys.executable, "-c", "import mlops_ray") == "" else None


def test_from_an_export_with_nothing_left_of_the_project_it_is_identical(place, tmp_path, user):
    """Changes stashed, the tree gone, another store, home, folder and, for root, another user."""
    elsewhere = user.folder if user else tmp_path
    done = place.run("runs", "export", "latest", elsewhere / "run.tar")
    assert done.returncode == 0, done.stderr
    copy = elsewhere / "copy"
    shutil.copytree(place.folder, copy)
    _git(copy, "stash", "-q")
    stashed = copy / "mlops_ray"
    assert "PLANT" not in (stashed / "models" / "metrics.py").read_text()
    shutil.rmtree(copy / "data")
    (copy / "pipeline.yaml").unlink(missing_ok=True)
    home, nowhere, store = elsewhere / "home", elsewhere / "nowhere", elsewhere / "other" / "store"
    home.mkdir()
    nowhere.mkdir()
    if user:
        user.takes(elsewhere)
    clean = Place(nowhere, store, stashed, {"HOME": str(home)}, user.before if user else ())
    done = clean.run("runs", "import", elsewhere / "run.tar")
    assert done.returncode == 0, done.stderr
    before = _content(store.parent)
    nowhere.chmod(0o500)

    found = _reproduced(clean.run(*REPRODUCE))

    assert (found["verdict"], found["cause"], found["environment"]) == ("IDENTICAL", "", [])
    assert found["first_difference"] is None
    assert found["expected"] == found["got"]
    assert _content(store.parent) == before  # Nothing registered, nothing cached.
    assert not list(nowhere.iterdir())


def test_whom_it_was_identical_for_is_another_user_with_no_rights(place, user):
    if user is None:
        pytest.skip(
            "LEFT OUT: reproduce as another user: needs root, and an environment that "
            "others may read"
        )

    assert user.runs("id", "-un") == user.name != "root"
    assert user.runs("grep", "CapEff", "/proc/self/status").split()[-1] == "0" * 16
    assert user.runs("ls", str(place.store)).startswith("failed")


def _content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_two_at_once_do_not_meet_and_what_a_signal_ends_leaves_nothing(place):
    temporary = Path(tempfile.mkdtemp(prefix="mr", dir="/tmp"))  # Short, for Ray.
    ended = place.start(*REPRODUCE[:-1], TMPDIR=str(temporary))
    other = place.start(*REPRODUCE, TMPDIR=str(temporary), PLANT="order")
    try:
        _until_both_have_a_cluster(temporary, ended, other)
        ended.send_signal(signal.SIGTERM)
        _, err = ended.communicate(timeout=_TIMEOUT_S)
        out, _ = other.communicate(timeout=_TIMEOUT_S)

        assert ended.returncode == 130, err
        assert err.endswith("interrupted\n")
        assert "Traceback" not in err
        found = json.loads(out)
        assert (other.returncode, found["verdict"]) == (4, "DIFFERENT")
        assert found["first_difference"]["stage"] == "ingest"
        assert found["first_difference"]["output"] == "ordered_fingerprint"
        assert list(temporary.iterdir()) == []
    finally:
        for process in (ended, other):
            process.kill()  # Of one that has ended this is nothing.
            process.wait()
        shutil.rmtree(temporary, ignore_errors=True)


def _until_both_have_a_cluster(temporary: Path, *processes: subprocess.Popen[str]) -> None:
    end = time.monotonic() + _TIMEOUT_S
    while len(list(temporary.glob("mlops-ray-*/session_*"))) < len(processes):
        for process in processes:
            assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, [str(path) for path in temporary.rglob("session_*")]
        time.sleep(0.1)
