"""`mlops_ray.manifest.diff`: a change stands under the one member it belongs to, and alone."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlops_ray.manifest import (
    Envelope,
    Result,
    RunDocuments,
    Spec,
    canonical_bytes,
    diff_runs,
    digest_json,
    find_run,
    load_documents,
    new_run,
)
from mlops_ray.storage import digest, find_workspace

GOLDEN = Path(__file__).parents[1] / "golden" / "manifests" / "1.0" / "sealed"
ASKED = ("data", "code", "environment", "config", "features")
OTHER = digest(b"other")
PARTS = {"split.test", "split.train", "split.valid"}
STATE = {"features": {"state"}}


class Recorded:
    """The content of a run's records, to be changed before it is read."""

    def __init__(self) -> None:
        self.spec, self.result, self.envelope = (
            json.loads((GOLDEN / f"{kind}.json").read_bytes())
            for kind in ("spec", "result", "envelope")
        )
        self.spec["environment"] = {
            "implementation": "cpython",
            "threads": {"OMP_NUM_THREADS": "1"},
        }
        self.code = {"mlops_ray/models/params.py": digest(b"a"), "prep/clean.py": digest(b"b")}
        self.trials = {"0": digest(b"0"), "1": digest(b"1")}
        self.locked = {"numpy": "2.4.6", "tqdm": "4.1"}

    def output(self, stage: str, name: str, value: str) -> None:
        next(s for s in self.result["stages"] if s["name"] == stage)["outputs"][name] = value

    def read(self) -> RunDocuments:
        return RunDocuments(
            envelope=Envelope.from_bytes(canonical_bytes(self.envelope)),
            spec=Spec.from_bytes(canonical_bytes(self.spec)),
            result=Result.from_bytes(canonical_bytes(self.result)) if self.result else None,
            code=self.code,
            trials=self.trials,
            locked=self.locked,
        )


def difference(change: Callable[[Recorded], None]) -> Any:
    plain, changed = Recorded(), Recorded()
    change(changed)
    return diff_runs(plain.read(), changed.read())


def asked(found: Any) -> dict[str, set[str]]:
    return {member: set(found.differs[member]) for member in ASKED if found.differs[member]}


def change_byte(run: Recorded) -> None:
    run.spec["data"]["inputs"][0]["sha256"] = OTHER
    run.result["data"]["fingerprint"] = OTHER
    run.output("features", "state", OTHER)


def change_seed(run: Recorded) -> None:
    run.spec["seed"] = 8
    run.spec["seeds"] = {"split": "1", "search": "2"}
    for part in run.result["split"].values():
        part["membership"] = OTHER
    run.output("features", "state", OTHER)
    run.result["search"]["best_params"]["max_depth"] = 5
    run.result["search"]["trials"] = OTHER
    run.trials = {"0": OTHER, "1": run.trials["1"]}
    run.result["model"]["bundle"] = OTHER


def change_default(run: Recorded) -> None:
    run.spec["search"]["generation"] = 8


def change_step(run: Recorded) -> None:
    run.spec["features"][0]["steps"] = [{"step": "impute", "strategy": "constant", "value": 0}]
    run.output("features", "state", OTHER)


def change_package(run: Recorded) -> None:
    run.spec["packages"]["xgboost"] = "3.3.0"


def change_source(run: Recorded) -> None:
    run.spec["code"]["tree"] = OTHER
    run.code["prep/clean.py"] = digest(b"edited")


def add_source(run: Recorded) -> None:
    run.spec["code"]["tree"] = OTHER
    run.code["prep/new.py"] = digest(b"new")


def change_threads(run: Recorded) -> None:
    run.spec["environment"]["threads"]["OMP_NUM_THREADS"] = "8"


def change_machine(run: Recorded) -> None:
    run.envelope["platform"]["cpu_level"] = "x86-64-v2"


def change_other_package(run: Recorded) -> None:
    run.locked["tqdm"] = "4.2"


def add_feature(run: Recorded) -> None:
    more = {"column": "worst area", "kind": "number", "steps": []}
    run.spec["features"].append(more)
    run.spec["data"]["columns"]["worst area"] = "float"
    run.result["data"]["fingerprint"] = OTHER
    for part in run.result["split"].values():
        part["membership"] = OTHER


def change_space(run: Recorded) -> None:
    run.spec["search"]["space"]["max_depth"]["values"] = [2, 9]


def change_policy(run: Recorded) -> None:
    run.spec["environment_policy"] = {"on_difference": "warn"}


def change_gate(run: Recorded) -> None:
    run.spec["gates"][0]["at_least"] = 0.9


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        (change_byte, {"data": {"inputs.breast_cancer.parquet", "fingerprint"}}),
        (change_seed, {"config": {"seed", *PARTS}}),
        (change_default, {"config": {"search.generation"}}),
        (change_space, {"config": {"search.space.max_depth.values"}}),
        (change_policy, {"config": {"environment.on_difference"}}),
        (change_gate, {"config": {"gates.0.at_least"}}),
        (change_step, {"features": {"declared.mean radius", "state"}}),
        (add_feature, {"features": {"declared.worst area"}}),
        (change_package, {"environment": {"packages.xgboost"}}),
        (change_threads, {"environment": {"threads.OMP_NUM_THREADS"}}),
        (change_machine, {"environment": {"platform.cpu_level"}}),
        (change_other_package, {"environment": {"other_packages.tqdm"}}),
        (change_source, {"code": {"prep/clean.py"}}),
        (add_source, {"code": {"prep/new.py"}}),
    ],
)
def test_a_change_is_named_by_its_own_member_alone(change, wanted) -> None:
    found = difference(change)
    followed = {change_byte: {"features": {"state"}}, change_seed: STATE}

    assert asked(found) == {**followed.get(change, {}), **wanted}


def test_runs_of_the_same_content_do_not_differ() -> None:
    found = difference(lambda _: None)

    assert found.is_empty
    assert found.is_comparable
    assert set(found.to_json()["differs"]) == {*ASKED, "search", "metrics", "model"}
    assert not any(found.to_json()["differs"].values())


def test_another_seed_names_both_values_and_what_followed() -> None:
    content = difference(change_seed).to_json()

    assert content["differs"]["search"] == {
        "best.params.max_depth": {"a": 3, "b": 5},
        "trials": {"a": Recorded().result["search"]["trials"], "b": OTHER},
    }
    parts = {
        f"split.{name}": part["membership"] for name, part in Recorded().result["split"].items()
    }
    assert content["differs"]["data"] == {}
    assert content["differs"]["config"] == {
        "seed": {"a": 7, "b": 8},
        **{name: {"a": membership, "b": OTHER} for name, membership in parts.items()},
    }
    assert content["differs"]["model"]["bundle"]["b"] == OTHER
    assert content["comparable"] is False
    assert "the test rows differ, because the split differs" in content["reason"]


def test_trials_that_only_one_run_has_are_counted() -> None:
    def more(run: Recorded) -> None:
        run.result["search"]["trials"] = OTHER
        run.trials["2"] = digest(b"2")

    found = difference(more).to_json()["differs"]["search"]

    assert set(found) == {"trials", "unshared_trials"}
    assert found["unshared_trials"] == {"a": 0, "b": 1}


def test_rows_of_another_column_are_no_other_rows_unless_the_split_is_another() -> None:
    def both(run: Recorded) -> None:
        add_feature(run)
        change_seed(run)

    assert asked(difference(add_feature)) == {"features": {"declared.worst area"}}
    assert asked(difference(both)) == {
        "config": {"seed", *PARTS},
        "features": {"declared.worst area", "state"},
    }


def test_metrics_are_comparable_as_long_as_the_test_rows_are_the_same() -> None:
    def better(run: Recorded) -> None:
        run.result["metrics"][0]["value"] = 0.99
        run.result["gates"][0]["verdict"] = "FAIL"

    found = difference(better)

    assert found.is_comparable
    assert found.to_json()["differs"]["metrics"] == {
        "test.accuracy": {"a": 0.9318181818181818, "b": 0.99},
        "verdict.roc_auc >= 0.5": {"a": "PASS", "b": "FAIL"},
    }
    assert asked(found) == {}


def other_test_rows(run: Recorded) -> None:
    run.spec["data"]["inputs"][0]["sha256"] = OTHER
    run.result["split"]["test"] = {"membership": OTHER, "n_rows": 131}


def other_target(run: Recorded) -> None:
    run.spec["data"]["target"] = "mean radius"


def failed(run: Recorded) -> None:
    run.result = None
    run.envelope["state"] = "failed"
    del run.envelope["result_id"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (other_test_rows, "the test rows differ, because the data differs: 132 rows and 131 rows"),
        (other_target, "the two runs predict different targets"),
        (failed, "has no metrics: it is failed"),
    ],
)
def test_metrics_are_not_comparable_where_the_test_rows_are_not_the_same(change, reason) -> None:
    found = difference(change)

    assert not found.is_comparable
    assert reason in found.reason


def change_training_row(run: Recorded) -> None:
    change_byte(run)
    run.result["split"]["train"]["membership"] = OTHER


def add_feature_of_other_rows(run: Recorded) -> None:
    add_feature(run)
    run.spec["data"]["inputs"][0]["sha256"] = OTHER


def test_metrics_stay_comparable_where_other_columns_or_training_rows_are_read() -> None:
    assert difference(add_feature).is_comparable
    assert difference(change_training_row).is_comparable
    assert not difference(add_feature_of_other_rows).is_comparable


def test_a_run_that_failed_lacks_an_outcome_but_asked_for_the_same() -> None:
    found = difference(failed)

    assert asked(found) == {}
    assert found.differs["model"]["bundle"].b is None


def test_without_the_list_of_files_the_digests_of_the_code_are_compared() -> None:
    def lost(run: Recorded) -> None:
        change_source(run)
        run.code = None

    assert asked(difference(lost)) == {"code": {"tree"}}


def test_a_document_of_an_earlier_version_differs_by_what_it_says_alone() -> None:
    def earlier(run: Recorded) -> None:
        del run.spec["environment"]
        del run.spec["search"]["generation"]  # As if it had been added later, with a default.
        run.locked = None

    assert difference(earlier).is_empty


def test_records_are_read_from_the_store_with_all_that_tells_more(tmp_path) -> None:
    run = Recorded()
    workspace = find_workspace(tmp_path)
    store = workspace.store
    trial = {"schema": "mlops-ray/trial/v1", "index": 0, "value": 0.5}
    files = [{"path": "prep/clean.py", "size": 1, "sha256": OTHER}]
    tree = canonical_bytes({"schema": "mlops-ray/code/v1", "files": files})
    run.spec["code"]["tree"] = store.put(tree)
    run.result["search"]["trials"] = store.put(canonical_bytes(trial) + b"\n")
    lock = "# a comment\nnumpy==2.4.6 \\\n    --hash=sha256:0\ntqdm==4.1 ; python_version > '3'\n"
    run.envelope["lock"] = store.put(lock.encode())
    run.envelope["spec_id"] = store.put(canonical_bytes(run.spec))
    run.envelope["result_id"] = store.put(canonical_bytes(run.result))
    record = new_run(workspace)
    record.seal(Envelope.from_bytes(canonical_bytes(run.envelope)))

    found = load_documents(find_run(workspace, "latest"))

    assert found.code == {"prep/clean.py": OTHER}
    assert found.trials == {"0": digest_json(trial)}
    assert found.locked == {"numpy": "2.4.6", "tqdm": "4.1"}
    assert found.spec.digest == found.envelope.spec_id

    store.path(run.spec["code"]["tree"]).unlink()
    without = load_documents(record)

    assert without.code is None
    assert diff_runs(found, without).is_empty


def test_a_difference_can_be_said_in_json() -> None:
    content = copy.deepcopy(difference(change_package).to_json())

    assert json.loads(json.dumps(content)) == content
    assert content["a"]["state"] == "sealed"
    assert content["differs"]["environment"] == {"packages.xgboost": {"a": "3.2.0", "b": "3.3.0"}}


def declare_contract(run: Recorded) -> None:
    run.spec["data"]["contract"] = {"columns": {"a": {"range": {"max": 5}}}}


def lose_rows(run: Recorded) -> None:
    run.result["contract"] = {
        "verdict": "WARN",
        "outcome": OTHER,
        "set_aside": {"train": 3},
        "quarantined": [{"rule": "columns.a.range", "counts": {"train": 3}}],
    }


def test_another_contract_is_another_declaration_and_rows_set_aside_are_of_the_data() -> None:
    declared, lost = difference(declare_contract), difference(lose_rows)

    assert asked(declared) == {
        "config": {
            "data.contract.columns.a.range.max",
            "data.contract.columns.a.range.on_violation",
        }
    }
    assert asked(lost) == {"data": {"set_aside.train"}}
