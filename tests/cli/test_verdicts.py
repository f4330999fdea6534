"""Commands that look and find something: a gate that rejects, data that drifted."""

import csv
from concurrent.futures import ThreadPoolExecutor

import pytest

pytestmark = [pytest.mark.ray, pytest.mark.slow]

HARD_GATE = "gates=[{metric: rmse, at_most: 0.001}]"
MONITOR = ["monitor", "check", "demand@1"]
CASES = {
    "rejected": ["run", "pipeline.yaml", "--set", HARD_GATE, "--set", "search.trials=1"],
    "same": [*MONITOR, "data/bikes.csv"],
    "warmer": [*MONITOR, "warmer.csv"],
}


@pytest.fixture(scope="module")
def shells(empty_store_of, first_day):
    """The project, with a store of its own for what is rejected."""
    folder = empty_store_of.folder
    with (folder / "data/bikes.csv").open(newline="") as stream:
        header, *rows = list(csv.reader(stream))
    at = header.index("temperature_c")
    with (folder / "warmer.csv").open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(header)
        for row in rows:
            table.writerow([*row[:at], f"{float(row[at] or 0) + 15:.1f}", *row[at + 1 :]])
    places = {"rejected": empty_store_of, "same": first_day.shell, "warmer": first_day.shell}
    return {case: shell.at(folder) for case, shell in places.items()}


@pytest.fixture(scope="module")
def outcomes(shells):
    """All of them at once, each on a private cluster of one CPU."""

    def outcome(case):
        return case, shells[case].mlops_ray(*CASES[case], "--num-cpus", "1", "--json")

    with ThreadPoolExecutor(len(CASES)) as pool:
        return dict(pool.map(outcome, CASES))


def test_a_rejected_run_ends_with_3_is_kept_and_registers_nothing(outcomes, shells):
    done = outcomes["rejected"]

    assert done.code == 3, done
    assert (done.line["schema"], done.line["code"]) == ("mlops-ray/error/v1", "gate")
    assert " where its gate wants <= 0.001; nothing was registered" in done.line["message"]
    assert (done.line["run"]["state"], done.line["run"]["model"]) == ("rejected", None)
    assert [gate["verdict"] for gate in done.line["run"]["gates"]] == ["FAIL"]
    kept = shells["rejected"].mlops_ray("runs", "ls", "--json").line["runs"]
    assert [run["state"] for run in kept] == ["rejected"]
    assert shells["rejected"].mlops_ray("verify", "latest", "--json").line["ok"]
    assert shells["rejected"].mlops_ray("models", "ls", "--json").line["versions"] == []
    refused = shells["rejected"].mlops_ray("models", "register", "latest", "--json")
    assert (refused.code, refused.line["got"]) == (3, "rejected")


def test_monitor_ends_with_0_where_nothing_drifted_and_4_where_something_did(outcomes):
    same, warmer = outcomes["same"], outcomes["warmer"]

    assert (same.code, same.line["verdict"]) == (0, "PASS"), same
    assert (warmer.code, warmer.line["verdict"]) == (4, "FAIL"), warmer
    for done in (same, warmer):
        assert done.line["schema"] == "mlops-ray/drift/v1"
        assert {column["column"] for column in done.line["columns"]} == {
            "temperature_c",
            "hour",
            "weather",
        }
    failed = [c["column"] for c in warmer.line["columns"] if c["verdict"] == "FAIL"]
    assert failed == ["temperature_c"]
