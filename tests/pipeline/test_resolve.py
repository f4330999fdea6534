"""A pipeline file against its data, before Ray starts: every mistake with its place."""

from __future__ import annotations

import io
import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlops_ray import exit_code
from mlops_ray.config.loader import load_config
from mlops_ray.errors import ColumnError, ConfigError, InvalidConfigError, SourceError
from mlops_ray.pipeline.parameter_checks import check_parameters, parameter_problems
from mlops_ray.pipeline.resolve import resolve
from mlops_ray.storage import ObjectStore

TEXT = """\
version: 1
name: homes
objective: {metric: rmse}
data:
  source: rows.csv
  task: regression
  target: price
  key: [id]
split: {test: {share: 0.2}, valid: {share: 0.2}}
features:
  - {columns: [area], steps: [standardize]}
  - {columns: ["*"], steps: [one_hot]}
model: {family: xgboost, params: {n_estimators: 5}}
search:
  space: {max_depth: {int: [2, 4]}}
"""


@pytest.fixture
def resolved(tmp_path):
    """Resolves the file above with one text replaced by another."""
    (tmp_path / "rows.csv").write_text("id,area,price,city\n1,2.5,3.5,Bern\n2,1.5,2.5,Genf\n")

    def run(old="", new="", without=""):
        assert old in TEXT
        text = TEXT.replace(without, "") if without else TEXT
        (tmp_path / "p.yaml").write_text(text.replace(old, new) if old else text)
        loaded = load_config(tmp_path / "p.yaml")
        check_parameters(loaded)
        return resolve(loaded, tmp_path, ObjectStore(tmp_path / "store"))

    return run


def test_files_schema_and_features_are_found(resolved):
    found = resolved()

    assert [file.name for file in found.files] == ["rows.csv"]
    assert found.schema == {"id": "integer", "area": "float", "price": "float", "city": "string"}
    assert [(spec.column, spec.kind) for spec in found.features] == [
        ("area", "number"),
        ("city", "category"),
    ]
    assert found.has_files
    assert found.to_json()["target"] == "price"


def test_columns_that_nothing_uses_are_left_out(resolved):
    found = resolved('  - {columns: ["*"], steps: [one_hot]}\n')

    assert list(found.schema) == ["id", "area", "price"]


def test_a_bundled_table_becomes_a_snapshot_of_equal_bytes(tmp_path):
    text = TEXT.replace("rows.csv", "sklearn:diabetes").replace("price", "target")
    text = text.replace("[id]", "[row]").replace("[area]", "[bmi]").replace('["*"]', "[sex]")
    (tmp_path / "p.yaml").write_text(text.replace("one_hot", "standardize"))

    loaded, store = load_config(tmp_path / "p.yaml"), ObjectStore(tmp_path / "store")

    looked = resolve(loaded, tmp_path, store)
    assert not store.has(looked.files[0].sha256)

    kept = [resolve(loaded, tmp_path, store, keep=True) for _ in range(2)]

    assert [r.files for r in kept] == [looked.files, looked.files]
    assert not kept[0].has_files
    data = store.get(looked.files[0].sha256)
    assert pq.read_table(io.BytesIO(data)).num_rows == 442


@pytest.mark.parametrize(
    ("old", "new", "kind", "message"),
    [
        ("target: price", "target: pryce", ColumnError, r"p\.yaml:7:3: data\.target: .*'price'"),
        ("key: [id]", "key: [id, ide]", ColumnError, r"p\.yaml:8:1\d: data\.key\.1: .*'ide'.*'id'"),
        ("columns: [area]", "columns: [aera]", ConfigError, r"p\.yaml:11:.*'aera'.*'area'"),
        ("columns: [area]", "columns: [price]", ConfigError, r"p\.yaml:11:.*'price' is the target"),
        ("task: regression", "task: binary", InvalidConfigError, r"p\.yaml:\d"),
        ("max_depth: {int", "max_dept: {int", InvalidConfigError, r"p\.yaml:15:\d+: .*max_depth"),
        ("n_estimators: 5", "n_estimators: 0", InvalidConfigError, r"p\.yaml:13:\d+: .*n_estim"),
        ("n_estimators: 5", "seed: 5", InvalidConfigError, r"p\.yaml:13:\d+: .*seed"),
        (
            "family: xgboost",
            "family: sklearn, estimator: RandomForest",
            InvalidConfigError,
            r"p\.yaml:13:\d+: .*unknown estimator 'RandomForest'.*did you mean",
        ),
        (
            "family: xgboost",
            "family: sklearn, estimator: MLPRegressor",
            InvalidConfigError,
            r"p\.yaml:13:\d+: .*MLPRegressor is not taken: its answers are products",
        ),
        (
            "family: xgboost",
            "family: sklearn, estimator: GaussianNB",
            InvalidConfigError,
            r"p\.yaml:13:\d+: .*GaussianNB does not predict a regression target",
        ),
        (
            "xgboost, params: {n_estimators: 5}",
            "linear, estimator: Lasso",
            InvalidConfigError,
            r"'estimator' names a class of scikit-learn",
        ),
        ("family: xgboost", "family: sklearn", InvalidConfigError, r"p\.yaml:13.*'estimator'"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_the_nearest_name(resolved, old, new, kind, message):
    with pytest.raises(kind, match=message):
        resolved(old, new)


def test_all_wrong_parameters_are_told_at_once(resolved):
    with pytest.raises(InvalidConfigError) as caught:
        resolved("n_estimators: 5", "n_estimator: 5, gama: 1")

    assert [problem.where.line for problem in caught.value.problems] == [13, 13]


def test_contradictions_and_wrong_parameters_are_told_at_once(tmp_path):
    text = TEXT.replace("n_estimators: 5", "n_estimator: 5").replace("key: [id]", "key: [id, id]")
    (tmp_path / "p.yaml").write_text(text)

    with pytest.raises(InvalidConfigError) as caught:
        load_config(tmp_path / "p.yaml", (), parameter_problems)

    assert [problem.where.key for problem in caught.value.problems] == [
        "data.key.1",
        "model.params.n_estimator",
    ]


@pytest.mark.parametrize(("at", "column"), [(1, "area"), (2, "price")])
def test_a_number_column_without_a_value_is_all_null(resolved, tmp_path, at, column):
    rows = [["1", "2.5", "3.5", "Bern"] for _ in range(300)]
    for row in rows[1:]:
        row[at] = ""
    lines = [",".join(row) for row in rows]
    (tmp_path / "rows.csv").write_text("\n".join(["id,area,price,city", *lines, ""]))
    assert resolved().schema[column] == "float"

    lines[0] = lines[1]
    (tmp_path / "rows.csv").write_text("\n".join(["id,area,price,city", *lines, ""]))

    with pytest.raises(ColumnError, match=f"^{column}: .*all null: got 300 nulls in 300") as caught:
        resolved()
    assert exit_code(caught.value) == 65


def test_a_header_without_rows_is_no_rows(resolved, tmp_path):
    (tmp_path / "rows.csv").write_text("id,area,price,city\n")

    with pytest.raises(SourceError, match="hold no rows: got 0 rows in 1") as caught:
        resolved()
    assert exit_code(caught.value) == 65


def test_a_file_or_a_column_named_like_a_secret_is_refused(resolved, tmp_path):
    token = "hf_" + "a1" * 17
    assert resolved()
    (tmp_path / "more").mkdir()
    (tmp_path / f"more/{token}.csv").write_text((tmp_path / "rows.csv").read_text())

    with pytest.raises(ConfigError, match=r"name of a file of the input.*Hugging Face") as caught:
        resolved("rows.csv", "more")
    assert token not in str(caught.value)

    (tmp_path / "rows.csv").write_text(f"id,area,price,city,{token}\n1,2.5,3.5,Bern,a\n")
    with pytest.raises(ConfigError, match=r"name of a column of the input.*Hugging Face") as caught:
        resolved()
    assert token not in str(caught.value)


@pytest.mark.parametrize(
    ("new", "place"),
    [
        ("key: [id, tags]", "data.key.1"),
        ("key: [id]\n  order_by: [tags]", "data.order_by.0"),
        ("key: [id]\n  time: tags", "data.time"),
    ],
)
def test_a_list_is_carried_along_but_is_no_key_order_or_time(resolved, tmp_path, new, place):
    table = pa.table({"id": [1, 2], "area": [2.5, 1.5], "price": [3.5, 2.5], "tags": [[1], []]})
    pq.write_table(table, tmp_path / "rows.parquet")
    data = "source: rows.parquet\n  task: regression\n  target: price\n  "
    given = data.replace("parquet", "csv") + "key: [id]"
    globbed = '  - {columns: ["*"], steps: [one_hot]}\n'

    assert "tags" not in resolved(given, data + "key: [id]", without=globbed).schema
    with pytest.raises(ColumnError, match="'tags' holds lists") as caught:
        resolved(given, data + new, without=globbed)
    assert (caught.value.where.key, caught.value.got) == (place, "list<integer>")


GUIDED = "model: {family: xgboost, params: {n_estimators: 5}"


@pytest.mark.parametrize(
    "more",
    [
        "monotone: {area: increasing}",
        "monotone: {city=Bern: decreasing}",
        "interactions: [[area], [city]]",
        "device: cuda",
    ],
)
def test_features_that_fits_are_told_of_are_known_by_output_or_column(resolved, more):
    assert resolved(GUIDED, f"{GUIDED}, {more}").loaded.config.model.family == "xgboost"


@pytest.mark.parametrize(
    ("more", "key", "says"),
    [
        ("monotone: {aera: increasing}", "model.monotone.aera", "did you mean 'area'?"),
        ("monotone: {cityBern: increasing}", "model.monotone.cityBern", "no feature has the name"),
        ("interactions: [[area], [price]]", "model.interactions.1.0", "no feature has the name"),
        ("interactions: [[]]", "model.interactions.0", "a group names no feature"),
        ("categories: [area]", "model.categories.0", "the codes of 'area' are no categories"),
        ("categories: [city]", "model.categories.0", "got last step one_hot"),
        ("monotone: {city: increasing}, categories: [city]", None, "categories have no order"),
        ("calibration: sigmoid", "model.calibration", "a regression has no probabilities"),
        ("threshold: {false_positive: 1, false_negative: 2}", "model.threshold", "two classes"),
        ("ensemble: {top: 4}", "model.ensemble.top", "an ensemble of 4 trials, of 1"),
        ("ensemble: {picks: 3}", None, "an average takes the best trials and picks none"),
    ],
)
def test_what_fits_cannot_be_told_is_refused_with_its_place(resolved, more, key, says):
    with pytest.raises(InvalidConfigError, match=re.escape(says)) as caught:
        resolved(GUIDED, f"{GUIDED}, {more}")

    assert key in {None, caught.value.problems[0].where.key}


@pytest.mark.parametrize(
    ("model", "aspect"),
    [
        ("linear", "monotone"),
        ("linear", "interactions"),
        ("hist_gradient_boosting", "categories"),
        ("hist_gradient_boosting", "device"),
        ("sklearn, estimator: KNeighborsRegressor", "weight"),
    ],
)
def test_what_a_family_does_not_take_is_refused_by_its_name(resolved, model, aspect):
    declared = {
        "monotone": "monotone: {area: increasing}",
        "interactions": "interactions: [[area]]",
        "categories": "categories: [city]",
        "device": "device: cuda",
        "weight": "threads: 1",
    }[aspect]
    old = "  key: [id]\n"
    weight = f"{old}  weight: area\n" if aspect == "weight" else old
    text = TEXT.replace(old, weight).replace(
        f"{GUIDED}}}", f"model: {{family: {model}, {declared}}}"
    )

    with pytest.raises(InvalidConfigError, match=f"takes no {aspect}"):
        resolved(TEXT, text)


@pytest.mark.parametrize(
    ("weight", "key", "says"),
    [
        ("city", "data.weight", "weights are no numbers: got string"),
        ("zz", "data.weight", "no column 'zz'"),
        ("price", "data.weight", "'price' is 'data.target' as well"),
        ("id", "data.weight", "'id' is 'data.key' as well"),
        ("area", "features.0.columns", "the time or a weight, not a feature"),
    ],
)
def test_a_column_that_cannot_weigh_rows_is_refused(resolved, weight, key, says):
    old = "  key: [id]\n"

    with pytest.raises((ColumnError, ConfigError)) as caught:
        resolved(old, f"{old}  weight: {weight}\n")

    assert says in str(caught.value), str(caught.value)
    problems = getattr(caught.value, "problems", [caught.value])
    assert problems[0].where.key == key


def test_a_weight_is_read_and_no_glob_takes_it_for_a_feature(resolved):
    text = TEXT.replace("  - {columns: [area], steps: [standardize]}\n", "")
    with pytest.raises(ColumnError, match="the steps do not fit column 'area'"):
        resolved(TEXT, text)
    old = "  key: [id]\n"

    found = resolved(TEXT, text.replace(old, f"{old}  weight: area\n"))

    assert [spec.name for spec in found.features] == ["city"]
    assert "area" in found.schema


def test_more_workers_than_pieces_of_the_input_are_refused(resolved):
    new = "model: {family: xgboost, training: distributed, workers: 2, params: {n_estimators: 5}}"

    with pytest.raises(ConfigError, match="so many workers: got 1 row groups") as refused:
        resolved("model: {family: xgboost, params: {n_estimators: 5}}", new)

    assert refused.value.where.key == "model.workers"


def test_workers_of_a_table_that_no_file_holds_yet_are_left_to_the_run(tmp_path):
    text = TEXT.replace("n_estimators: 5}", "n_estimators: 5}, training: distributed, workers: 2")
    one_hot = '  - {columns: ["*"], steps: [one_hot]}\n'
    others = {"rows.csv": "sklearn:diabetes", "price": "target", "[id]": "[row]", "[area]": "[s1]"}
    bundled = re.sub(r"rows\.csv|price|\[id\]|\[area\]", lambda m: others[m[0]], text)
    (tmp_path / "rows.csv").write_text("id,area,price,city\n1,2.5,3.5,Bern\n2,1.5,2.5,Genf\n")

    def run(content):
        (tmp_path / "p.yaml").write_text(content.replace(one_hot, ""))
        loaded = load_config(tmp_path / "p.yaml")
        return resolve(loaded, tmp_path, ObjectStore(tmp_path / "store"))

    with pytest.raises(ConfigError, match="got 1 row groups or files, wanted at least 2"):
        run(text)
    assert not run(bundled).has_files
