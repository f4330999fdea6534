"""The predictor: one answer for a row, whichever way it comes in."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import xgboost

from mlops_ray.errors import ColumnError, ManifestError, ModelError, RecordError, UnstableModelError
from mlops_ray.models.bundle import Bundle, load_bundle
from mlops_ray.models.families import FAMILIES
from mlops_ray.models.golden import records_of
from mlops_ray.models.predictor import Predictor
from mlops_ray.storage import ObjectStore

TASKS = ["binary", "multiclass", "regression"]


@pytest.fixture
def complete(people):
    """Rows without nulls, which every family answers."""
    return people.filter(people["age"].is_valid())


@pytest.mark.parametrize("name", sorted(FAMILIES))
@pytest.mark.parametrize("task", TASKS)
def test_table_records_columns_and_single_rows_agree_bit_for_bit(name, task, make_bundle, complete):
    predictor = Predictor(make_bundle(name, task))
    records = records_of(complete, predictor.signature)
    columns = {key: [record[key] for record in records] for key in records[0]}

    batch = predictor.predict_table(complete).numbers.tobytes()

    assert predictor.predict_records(records).numbers.tobytes() == batch
    assert predictor.predict_columns(columns).numbers.tobytes() == batch
    alone = [predictor.predict_records([record]).numbers.tobytes() for record in records]
    assert b"".join(alone) == batch


@pytest.mark.parametrize("name", sorted(FAMILIES))
@pytest.mark.parametrize("task", TASKS)
def test_a_bundle_from_the_store_replays_its_golden_examples(name, task, make_bundle, tmp_path):
    store = ObjectStore(tmp_path)

    loaded = Predictor(load_bundle(store, make_bundle(name, task).save(store)))

    assert loaded.replay_golden() == 8


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_packing_twice_gives_the_same_bundle(name, make_bundle):
    assert make_bundle(name, "multiclass").digest == make_bundle(name, "multiclass").digest


def test_labels_are_the_classes_of_the_signature(predictor, people):
    outputs = predictor.predict_table(people)

    assert set(outputs.label) == {"no", "yes"}
    likely = np.asarray(outputs.probability)[:, 1] > 0.5
    assert outputs.label == ["yes" if yes else "no" for yes in likely]


def test_no_rows_get_no_answers(predictor, people):
    assert predictor.predict_table(people.slice(0, 0)).to_json() == {
        "label": [],
        "probability": [],
    }


def test_a_record_that_does_not_fit_names_record_and_field(predictor):
    good = {"age": 40.0, "city": "Bern", "rooms": 3, "owner": True}

    with pytest.raises(RecordError, match=r"rooms: record 1"):
        predictor.predict_records([good, {**good, "rooms": "3"}])


def test_a_table_without_an_input_names_the_column(predictor, people):
    with pytest.raises(ColumnError, match="city"):
        predictor.predict_table(people.drop_columns(["city"]))


def test_a_linear_model_refuses_a_missing_value_that_no_step_fills(make_bundle):
    record = {"age": None, "city": None, "rooms": 3, "owner": True}
    linear = Predictor(make_bundle("linear"))

    assert linear.predict_records([record]).n_rows == 1
    with pytest.raises(RecordError, match=r"owner.*missing"):
        linear.predict_records([{**record, "owner": None}])


def test_a_model_that_computes_with_blas_is_refused_for_serving(make_bundle, monkeypatch):
    """A stand-in for a product whose order of additions follows the number of rows."""
    linear = Predictor(make_bundle("linear"))
    honest = linear._fitted.predict

    def like_blas(X):
        answers = honest(X)
        return np.nextafter(answers, 1.0) if len(X) >= 32 else answers

    monkeypatch.setattr(linear._fitted, "predict", like_blas)

    with pytest.raises(UnstableModelError, match="257 instead of 8 rows"):
        linear.replay_golden()


def test_a_bundle_without_golden_examples_does_not_pass(make_bundle):
    files = {path: data for path, data in make_bundle().files.items() if path != "golden.json"}

    with pytest.raises(ManifestError, match=r"golden\.json"):
        Predictor(Bundle(files)).replay_golden()


def test_golden_examples_of_another_model_do_not_pass(make_bundle):
    other = make_bundle("linear").file("golden.json")

    with pytest.raises(ModelError, match="recorded answers"):
        Predictor(Bundle({**make_bundle().files, "golden.json": other})).replay_golden()


def test_batch_prediction_does_not_depend_on_chunks(predictor, people):
    chunked = pa.concat_tables([people.slice(0, 3), people.slice(3, 1), people.slice(4)])

    whole = predictor.predict_table(people.combine_chunks()).numbers.tobytes()

    assert predictor.predict_table(chunked).numbers.tobytes() == whole


def test_a_sparse_matrix_is_refused_since_absent_is_not_zero_to_every_family(make_bundle, complete):
    """XGBoost takes an absent entry for a missing value: the same numbers, another answer."""
    predictor = Predictor(make_bundle("xgboost", "regression"))
    transform = predictor._transform
    dense, sparse = transform.from_table(complete), transform.csr_from_table(complete)
    booster = xgboost.Booster(model_file=bytearray(predictor.bundle.model_files["model.ubj"]))

    with pytest.raises(ModelError, match=r"dense matrices: got csr_array.*toarray\(\)"):
        predictor.predict_matrix(sparse)

    answers = [booster.predict(xgboost.DMatrix(X)) for X in (dense, sparse, sparse.toarray())]
    assert answers[0].tobytes() == answers[2].tobytes()
    assert answers[0].tobytes() != answers[1].tobytes()
