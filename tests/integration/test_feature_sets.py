"""A feature set of one run, used as it was fitted by the model of another."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pyarrow as pa
import pytest

import mlops_ray
from mlops_ray.errors import (
    ColumnError,
    ConfigError,
    DataError,
    DigestMismatchError,
    GateError,
    InvalidConfigError,
)
from mlops_ray.features import FeatureState
from mlops_ray.features.matrix_file import matrix_from_bytes
from mlops_ray.manifest import verify_export
from mlops_ray.pipeline import replay, reproduce

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_cluster")]

TOWNS = ["a", "b", None, "c"]
EXAMPLES = [
    {"record": {"x": 1.5, "town": "a", "n": 2**60 + 1}, "outputs": {"x": 0.75, "n": 2**60}},
    {"record": {"x": None, "town": None, "n": None}, "outputs": {"x": None}},
]
CONFIG = {
    "version": 1,
    "name": "maker",
    "objective": {"metric": "rmse"},
    "seed": 3,
    "data": {"task": "regression", "target": "y", "key": ["id"]},
    "split": {"test": {"share": 0.2}, "valid": {"share": 0.2}},
    "features": [
        {"columns": ["x"], "steps": [{"min_max": {"low": 0.0}}]},
        {"columns": ["town"], "steps": [{"target": {"folds": 3}}]},
        {"columns": ["n"]},
    ],
    "model": {"family": "hist_gradient_boosting", "params": {"max_iter": 5}},
}
USER = {**CONFIG, "name": "user", "features": [], "model": {"family": "xgboost"}}


def rows(n=300, seed=1):
    """Numbers from 0 to 2, towns, and integers."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 5, n) / 2
    towns = [TOWNS[at] for at in rng.integers(0, 4, n)]
    return pa.table(
        {"id": np.arange(n), "x": x, "town": towns, "n": rng.integers(0, 9, n), "y": x + 1.0}
    )


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """Makes the pipeline of a configuration; all of them share a project."""
    root = tmp_path_factory.mktemp("sets")
    (root / "pyproject.toml").touch()

    def pipeline(config, data=None, **changes):
        (root / "pipeline.yaml").write_text(json.dumps({**config, **changes}))
        return mlops_ray.Pipeline(root / "pipeline.yaml", data=rows() if data is None else data)

    return pipeline


@pytest.fixture(scope="module")
def made(start):
    """The run that has made version 1."""
    pipeline = start(CONFIG, feature_set={"examples": EXAMPLES})
    run = pipeline.run()
    pipeline.records.register_features(run.run_id, "shared")
    return pipeline.records, run


@pytest.fixture(scope="module")
def used(start, made):  # noqa: ARG001 - has registered the set
    """A run of another model with the same features."""
    return start(USER, feature_set={"use": "shared@1"}).run()


def output(run, stage, name):
    digest = {s.name: s.outputs for s in run.result.stages}[stage][name]
    return digest, run.record.workspace.store.get(digest)


def test_a_set_says_what_it_is_and_the_same_content_is_the_same_version(made):
    records, run = made

    shown = records.find_features("shared").to_json()

    assert shown["known_as"] == ["shared@1"]
    assert shown["inputs"] == {"x": "float", "town": "string", "n": "integer"}
    assert shown["outputs"] == ["x", "town", "n"]
    assert shown["fitted_on"]["fingerprint"] == run.result.data.fingerprint
    assert shown["fitted_on"]["n_rows"] == run.result.split["train"].n_rows
    assert [len(feature["fitted"]) for feature in shown["features"]] == [1, 1, 0]
    assert records.register_features(run.run_id, "shared").version == 1
    by_digest, by_run = (records.feature_set(name) for name in (shown["digest"], run.run_id))
    assert by_digest.to_bytes() == by_run.to_bytes()
    assert records.diff_features("shared@1", run.run_id).is_empty


def test_another_model_takes_it_as_it_was_fitted(made, used):
    records, run = made

    assert used.state == "sealed"
    assert output(used, "features", "state") == output(run, "features", "state")
    # Also the encodings that leave a row's own fold out.
    assert output(used, "features", "train") == output(run, "features", "train")
    assert used.spec.feature_set.used == records.feature_set("shared").digest
    facts = {stage.name: stage.facts for stage in used.envelope.stages}["features"]
    assert facts["passes"] == 1
    verified = records.verify(used.run_id)
    assert verified.is_ok
    assert "feature set" in {item.role for item in used.envelope.objects}
    assert records.find_features(used.run_id).feature_set.digest == used.spec.feature_set.used


@pytest.mark.usefixtures("made")
def test_on_other_rows_nothing_is_fitted_anew(start, used):
    data = rows(500, seed=9)
    absurd = data.set_column(1, "x", pa.array(np.full(500, 1e6)))

    again = start(USER, absurd, feature_set={"use": "shared@1"}).run()

    assert output(again, "features", "state")[0] == output(used, "features", "state")[0]
    learned = matrix_from_bytes(output(again, "features", "train")[1])
    assert (learned.X[:, 0] == np.float32(5e5)).all()


@pytest.fixture
def replayed(monkeypatch):
    """Replays in this process, on the cluster of the session; what was asked."""
    requests = []

    def in_this_process(_interpreter, folder):
        request = json.loads((folder / reproduce.REQUEST_FILE).read_text())
        requests.append(request)
        return replay.replay(request)

    monkeypatch.setattr(reproduce, "answer_of_child", in_this_process)
    return requests


def test_it_is_reproduced_from_its_record_alone(made, used, replayed):
    found = made[0].reproduce(used.run_id)

    assert found.verdict == "IDENTICAL"
    assert len(replayed) == 1


@pytest.mark.parametrize("form", ["folder", "run.tar"])
def test_it_travels_with_its_set_to_where_nobody_knows_the_set(
    made, used, replayed, tmp_path, form
):
    records, digest = made[0], used.spec.feature_set.used
    done = records.export_run(used.run_id, tmp_path / form)
    arrived = mlops_ray.Records(
        tmp_path, store=tmp_path / "store", registry=tmp_path / "registry.db"
    )
    arrived.import_run(done.path)

    assert verify_export(done.path).is_ok
    assert arrived.verify(used.run_id).is_ok
    assert arrived.find_features(used.run_id).feature_set.digest == digest
    assert arrived.find_features(used.run_id).test().is_ok
    assert arrived.reproduce(used.run_id).verdict == "IDENTICAL"
    assert len(replayed) == 1
    version = arrived.register_features(used.run_id, "theirs")
    assert (version.name, version.version) == ("theirs", 1)
    assert arrived.feature_set("theirs").to_bytes() == records.feature_set("shared").to_bytes()


def test_an_export_without_the_set_or_with_another_one_is_not_whole(made, used, tmp_path):
    records, digest = made[0], used.spec.feature_set.used
    records.export_run(used.run_id, tmp_path / "folder")
    (kept,) = (tmp_path / "folder").rglob(digest.removeprefix("sha256:"))
    content = kept.read_bytes()
    assert verify_export(tmp_path / "folder").is_ok

    kept.write_bytes(content.replace(b"town", b"towm", 1))
    changed = verify_export(tmp_path / "folder")
    kept.unlink()
    absent = verify_export(tmp_path / "folder")

    for outcome in (changed, absent):
        (problem,) = outcome.problems
        assert digest in problem.object
    arrived = mlops_ray.Records(tmp_path, store=tmp_path / "store")
    with pytest.raises(DigestMismatchError, match=digest):
        arrived.import_run(tmp_path / "folder")


@pytest.mark.usefixtures("made")
def test_rows_that_the_set_has_seen_may_not_judge_the_model(start):
    with pytest.raises(DataError, match=r"fitted on other rows of this table.*use the seed"):
        start(USER, feature_set={"use": "shared"}, seed=4).run()


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        ({"data": {**CONFIG["data"], "key": ["id", "y"]}}, ConfigError,
         "folds go by another key: got id, y, wanted id"),
        ({"data": {**CONFIG["data"], "key": ["n"]}}, ConfigError,
         "column 'n' is the target, a key"),
        ({"data": {**CONFIG["data"], "columns": {"x": {"cast": "string"}}}},
         ColumnError, r"type of column 'x': got string, wanted float; declare data\.columns"),
        ({"feature_set": {"use": "shared@2"}}, LookupError, "versions 1 to 1"),
        ({"feature_set": {"use": "sharde"}}, LookupError, "no feature set and no run 'sharde'"),
        ({"feature_set": {"use": "shared", "examples": EXAMPLES}}, InvalidConfigError,
         "a set that is used has its own examples"),
        ({"features": CONFIG["features"]}, InvalidConfigError, "keep one of the two"),
        ({"feature_set": {}}, InvalidConfigError, "no features are declared"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("made")
def test_what_does_not_fit_is_told_before_anything_runs(start, changes, kind, message):
    config = {**USER, "feature_set": {"use": "shared"}, **changes}

    with pytest.raises(kind, match=message):
        start(config).check()


def test_examples_are_held_against_the_inputs_with_their_place(start):
    wrong = [{"record": {"x": 1.0, "place": "a", "n": 1}, "outputs": {"x": 0.5}}]

    with pytest.raises(InvalidConfigError) as caught:
        start(CONFIG, feature_set={"examples": wrong}).check()

    found = [(problem.where.key, problem.what) for problem in caught.value.problems]
    assert found == [
        ("feature_set.examples.0.record", "the record lacks column 'town'"),
        ("feature_set.examples.0.record.place", "no feature uses 'place'"),
    ]


def test_a_set_whose_examples_do_not_hold_gets_no_name(start, made):
    records, _ = made
    wrong = [{**EXAMPLES[0], "outputs": {"x": 0.7501}}]
    run = start(CONFIG, feature_set={"examples": wrong}).run()

    message = r"examples\.0, x \(json alone\): got 0\.75, wanted 0\.7501"
    with pytest.raises(GateError, match=message):
        records.register_features(run.run_id, "wrong")

    assert {stage.cache for stage in run.envelope.stages} == {"hit"}  # Examples change no stage.
    assert [version.name for version in records.feature_sets()] == ["shared"]
    differs = records.diff_features("shared", run.run_id).differs
    assert differs.keys() == {"examples"}


def test_the_garbage_collection_keeps_what_the_registry_names(made):
    records, _ = made

    records.collect_garbage(stages_unused_days=0.0)

    assert records.find_features("shared").test().is_ok
    assert records.verify_store().is_ok


def test_a_changed_state_is_noticed_by_its_golden_examples(made):
    records, _ = made
    found = records.find_features("shared")
    state = json.loads(json.dumps(found.feature_set.state.to_json()))
    state["features"][0]["steps"][0]["fitted"][0]["scale"] = 1.0
    other = dataclasses.replace(
        found.feature_set, state=FeatureState.from_json(state), original=None
    )

    assert found.test().is_ok
    tested = dataclasses.replace(found, feature_set=other).test()
    assert not tested.is_ok
    assert {d.output for d in tested.differences} == {"x"}
    assert {d.example.partition(".")[0] for d in tested.differences} == {"examples", "golden"}
