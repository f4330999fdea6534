import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import false_discovery_control

from mlops_ray.config import DriftConfig
from mlops_ray.data.profile import Profile
from mlops_ray.errors import ColumnError
from mlops_ray.monitor.drift import check_drift

SCHEMA = {"age": "float", "city": "string"}


def profile(age, city, schema=SCHEMA):
    table = pa.table({"age": pa.array(age, pa.float64()), "city": pa.array(city, pa.string())})
    return Profile.of(table.select(list(schema)), schema)


def sample(seed, n_rows=2000, shift=0.0, cities=("a", "b")):
    rng = np.random.default_rng(seed)
    return profile(rng.normal(shift, 1.0, n_rows), rng.choice(cities, n_rows))


@pytest.fixture(scope="module")
def baseline():
    return sample(1)


def test_rows_of_one_distribution_pass(baseline):
    report = check_drift(baseline, sample(2), DriftConfig())

    assert report.verdict == "PASS"
    assert [column.verdict for column in report.columns] == ["PASS", "PASS"]


def test_only_the_shifted_column_drifts(baseline):
    report = check_drift(baseline, sample(2, shift=1.0), DriftConfig())

    assert report.verdict == "FAIL"
    assert [column.verdict for column in report.columns] == ["FAIL", "PASS"]
    assert report.columns[0].reason.startswith("psi ")


def test_a_new_category_is_drift(baseline):
    report = check_drift(baseline, sample(2, cities=("a", "b", "c")), DriftConfig())

    assert {c.column: c.verdict for c in report.columns} == {"age": "PASS", "city": "FAIL"}


def test_a_burst_of_nulls_is_drift(baseline):
    rng = np.random.default_rng(3)
    age = [None if i % 4 == 0 else float(x) for i, x in enumerate(rng.normal(0, 1, 2000))]

    report = check_drift(baseline, profile(age, rng.choice(["a", "b"], 2000)), DriftConfig())

    assert report.columns[0].verdict == "FAIL"
    assert report.columns[0].null_share_live == 0.25


def test_a_certain_but_small_difference_is_no_drift(baseline):
    live = sample(2, n_rows=20_000, shift=0.2)

    column = check_drift(baseline, live, DriftConfig(min_psi=0.1)).columns[0]

    assert column.p_adjusted is not None
    assert column.p_adjusted < 0.01
    assert column.verdict == "PASS"


def test_probabilities_are_adjusted_for_the_number_of_columns(baseline):
    report = check_drift(baseline, sample(2, shift=0.05), DriftConfig())

    raw = [column.p_value for column in report.columns]
    adjusted = [column.p_adjusted for column in report.columns]
    assert adjusted == false_discovery_control(raw, method="by").tolist()


def test_too_few_rows_are_no_pass(baseline):
    report = check_drift(baseline, sample(2, n_rows=99), DriftConfig(min_rows=100))

    assert report.verdict == "UNKNOWN"
    assert report.columns[0].reason == "fewer than 100 rows on a side"
    assert report.columns[0].p_value is None


def test_an_absent_column_is_unknown_but_drift_beside_it_is_found(baseline):
    live = profile(np.full(2000, 9.0), ["a"] * 2000, {"age": "float"})

    report = check_drift(baseline, live, DriftConfig())

    assert report.verdict == "FAIL"
    assert [column.verdict for column in report.columns] == ["FAIL", "UNKNOWN"]


def test_a_column_of_another_kind_is_unknown(baseline):
    rng = np.random.default_rng(4)
    table = pa.table({"age": pa.array(rng.choice(["x", "y"], 500)), "city": ["a"] * 500})
    live = Profile.of(table, {"age": "string", "city": "string"})

    column = check_drift(baseline, live, DriftConfig(), ["age"]).columns[0]

    assert column.verdict == "UNKNOWN"
    assert "cannot be compared" in column.reason


@pytest.mark.parametrize(
    ("mean", "odd", "verdict"),
    [(1002, 1002.0, "PASS"), (1005, 1005.0, "FAIL"), (1005, 1e9, "UNKNOWN")],
)
def test_a_small_spread_around_a_large_offset_is_judged_or_unknown(mean, odd, verdict):
    rng = np.random.default_rng(5)
    reference = profile(rng.normal(1002, 0.5, 2000), ["a"] * 2000)
    live = profile([*rng.normal(mean, 0.5, 1999), odd], ["a"] * 2000)

    column = check_drift(reference, live, DriftConfig(), ["age"]).columns[0]

    assert column.verdict == verdict
    assert bool(column.reason) == (verdict != "PASS")


def test_nothing_looked_at_is_no_pass(baseline):
    assert check_drift(baseline, baseline, DriftConfig(), []).verdict == "UNKNOWN"


def test_a_column_that_was_never_profiled_is_an_error(baseline):
    with pytest.raises(ColumnError, match="'wage' is not in the profile"):
        check_drift(baseline, baseline, DriftConfig(), ["wage"])


def test_report_is_a_document(baseline):
    document = check_drift(baseline, sample(2), DriftConfig()).to_json()

    assert document["schema"] == "mlops-ray/drift/v1"
    assert document["columns"][0]["column"] == "age"
    assert document["columns"][0]["n_live"] == 2000
