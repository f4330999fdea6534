"""A drafted contract: its bounds are made by the rules that stand beside them."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest
from ruamel.yaml import YAML

from mlops_ray.config.contract import ContractConfig
from mlops_ray.data.learn_contract import Roles, draft_contract, key_candidates
from mlops_ray.data.profile import Profile
from mlops_ray.data.schema import ARROW_TYPES, schema_of

N = 1000
RNG = np.random.default_rng(5)
TABLE = pa.table(
    {
        "id": np.arange(N),
        "code": [f"c{at}" for at in range(N)],
        "age": pa.array(np.linspace(10, 60, N), mask=np.arange(N) < 30),
        "balance": np.linspace(-100, 300, N),
        "n": np.linspace(5, 505, N).astype(int),
        "tiny": np.linspace(0, 1e-30, N),
        "city": RNG.choice(['Bern "A"', "tab\there", "\x07", "yes"], N),
        "flag": RNG.random(N) < 0.5,
        "seen": pa.array([dt.date(2018, 12, 1)] * N),
        "yes": np.arange(N) % 2,
    }
)


@pytest.fixture(scope="module")
def profile():
    schema = schema_of([("", TABLE.schema)])
    canonical = TABLE.cast(pa.schema([(name, ARROW_TYPES[t]) for name, t in schema.items()]))
    return Profile.of(canonical, schema)


def drafted(profile, roles):
    text = draft_contract(profile, roles, "people.parquet")
    value = YAML(typ="safe", pure=True).load(text)["data"]["contract"]
    return text, ContractConfig.model_validate(value)


def test_each_bound_is_made_by_its_stated_rule(profile):
    roles = Roles([["id"]], {"id", "seen"}, {"code"}, "yes", "seen", "2018-12-31")

    text, contract = drafted(profile, roles)

    columns = contract.columns
    assert columns["age"].nulls.max_share == 0.06  # Twice the 3 % seen.
    assert columns["id"].nulls.max_share == 0
    assert (columns["n"].range.min, columns["n"].range.max) == (0, 555)  # Not across zero.
    assert (columns["balance"].range.min, columns["balance"].range.max) == (-140, 340)
    assert columns["tiny"].range.max == pytest.approx(1.1e-30)
    assert sorted(columns["city"].values.allowed) == sorted(set(TABLE["city"].to_pylist()))
    assert columns["flag"].values.allowed == [False, True]
    assert columns["id"].range is columns["id"].values is columns["seen"].range is None
    assert columns["code"].model_dump(exclude_none=True).keys() == {"type", "nulls"}
    assert contract.unique[0].columns == ["id"]
    assert (contract.rows.min, contract.rows.max) == (500, 2000)
    assert contract.freshness.max_age_days == 60
    assert contract.labels.classes.allowed == [0, 1]
    assert contract.labels.balance.min_share == 0.25
    for line in text.splitlines():
        if any(f"{kind}: " in line for kind in ("nulls", "range", "values", "rows", "balance")):
            assert "# " in line


def test_columns_that_may_be_keys_have_no_value_twice(profile):
    assert key_candidates(profile) == ["id", "code"]


def test_without_roles_every_column_is_bounded_and_nothing_else_is_said(profile):
    _, contract = drafted(profile, Roles())

    assert contract.columns["id"].range.max == 1099
    assert contract.unique == []
    assert contract.freshness is contract.labels is None
