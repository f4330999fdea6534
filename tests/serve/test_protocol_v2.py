from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mlops_ray.models.bundle import SIGNATURE_FILE, Bundle
from mlops_ray.models.predictor import Predictor
from mlops_ray.models.signature import Signature
from mlops_ray.serve.app import EndpointApp

INFER = "/v2/models/homes/infer"
MODEL = "/v2/models/homes"


def test_health_and_metadata_follow_the_protocol(client):
    assert client.get("/v2").json()["extensions"] == []
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"live": True, "ready": True}
    assert client.get("/v2/models/homes/ready").json() == {"name": "homes", "ready": True}
    assert client.get("/v2/models/homes/versions/7").json() == {
        "name": "homes",
        "versions": ["7"],
        "platform": "xgboost_ubj",
        "inputs": [
            {"name": "age", "datatype": "FP64", "shape": [-1]},
            {"name": "city", "datatype": "BYTES", "shape": [-1]},
            {"name": "rooms", "datatype": "INT64", "shape": [-1]},
            {"name": "owner", "datatype": "BOOL", "shape": [-1]},
        ],
        "outputs": [
            {"name": "label", "datatype": "BYTES", "shape": [-1]},
            {
                "name": "probability",
                "datatype": "FP64",
                "shape": [-1, 2],
                "parameters": {"classes": ["no", "yes"]},
            },
        ],
    }


def test_infer_has_the_bits_of_the_records_answer(client, v2_request, record, predictor):
    wanted = predictor.predict_records([record])

    answer = client.post(INFER, json={**v2_request(), "id": "q-1"}).json()

    label, probability = answer.pop("outputs")
    assert answer == {"model_name": "homes", "model_version": "7", "id": "q-1"}
    assert label == {"name": "label", "datatype": "BYTES", "shape": [1], "data": wanted.label}
    assert probability["shape"] == [1, 2]
    assert probability["data"] == wanted.probability[0].tolist()


@pytest.mark.parametrize(
    ("task", "datatype"), [("multiclass", "INT64"), ("regression", None), ("binary", "BYTES")]
)
def test_outputs_fit_the_task(make_bundle, identity, client_of, v2_request, task, datatype):
    client = client_of(EndpointApp(Predictor(make_bundle("linear", task)), identity))
    request = v2_request("age", data=[None])

    outputs = {o["name"]: o for o in client.post(INFER, json=request).json()["outputs"]}

    if task == "regression":
        assert list(outputs) == ["value"]
        assert outputs["value"]["shape"] == [1]
    else:
        assert outputs["label"]["datatype"] == datatype


def test_wanted_outputs_come_in_the_wanted_order(client, v2_request):
    wanted = [{"name": "probability", "parameters": {"binary_data": True}}, {"name": "label"}]

    answer = client.post(INFER, json={**v2_request(), "outputs": wanted}).json()

    assert [o["name"] for o in answer["outputs"]] == ["probability", "label"]


def test_column_vectors_may_be_nested_or_flat(client, v2_request):
    answers = {
        client.post(INFER, json=v2_request("age", shape=[1, 1], data=data)).text
        for data in ([41.5], [[41.5]])
    }

    assert len(answers) == 1


def test_declared_single_precision_is_honoured(client, v2_request, predictor, record):
    request = v2_request("age", datatype="FP32", data=[0.1])

    answer = client.post(INFER, json=request).json()["outputs"][1]["data"]

    rounded = {**record, "age": float(np.float32(0.1))}
    assert answer == predictor.predict_records([rounded]).probability[0].tolist()


def test_no_rows_are_answered_with_empty_tensors(client, v2_request):
    request = {"inputs": [{**t, "shape": [0], "data": []} for t in v2_request()["inputs"]]}

    answer = client.post(INFER, json=request).json()

    assert [(o["shape"], o["data"]) for o in answer["outputs"]] == [([0], []), ([0, 2], [])]


BAD_TENSORS = [
    {"datatype": "FP128"},
    {"datatype": 64},
    {"datatype": "BYTES"},
    {"datatype": "BOOL"},
    {"shape": None},
    {"shape": []},
    {"shape": [2]},
    {"shape": [-1]},
    {"shape": [True]},
    {"shape": [1.0]},
    {"shape": ["1"]},
    {"shape": [1, 2]},
    {"shape": [1, 1, 1]},
    {"shape": [2**62, 2**62]},
    {"shape": [2**62]},
    {"data": None},
    {"data": 1.5},
    {"data": [[1.5]]},
    {"data": [[[1.5]]], "shape": [1, 1]},
    {"data": ["1.5"]},
    {"data": [True]},
    {"data": [10**299], "datatype": "FP32"},
    {"data": [1e39], "datatype": "FP32"},
    {"data": [1e300]},
    {"data": [1.5], "datatype": "INT64"},
    {"data": [300], "datatype": "UINT8"},
    {"data": [-1], "datatype": "UINT64"},
    {"data": [2**63], "datatype": "INT64"},
    {"data": [2**64], "datatype": "UINT64"},
]


@pytest.mark.parametrize("change", BAD_TENSORS, ids=str)
def test_bad_tensor_is_refused_and_its_input_named(client, v2_request, change):
    response = client.post(INFER, json=v2_request("age", **change))

    assert response.status_code == 400
    assert response.json()["error"].startswith("age: ")
    assert len(response.content) <= 1024


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("rooms", {"datatype": "FP64"}),
        ("rooms", {"data": [5.0]}),
        ("rooms", {"data": [True]}),
        ("owner", {"data": [1]}),
        ("city", {"data": [5]}),
        ("city", {"data": ["a", "b"]}),
    ],
)
def test_types_are_not_mixed(client, v2_request, name, change):
    assert client.post(INFER, json=v2_request(name, **change)).status_code == 400


@pytest.mark.parametrize(
    "change",
    [
        {"inputs": []},
        {"inputs": {}},
        {"inputs": None},
        {"inputs": [1]},
        {"inputs": [{"name": ["age"]}]},
        {"inputs": [{"name": "x" * 5000}]},
        {"id": 7},
        {"id": "x" * 129},
        {"id": "a\nb"},
        {"outputs": "label"},
        {"outputs": [{"name": "x"}]},
        {"outputs": [{"name": {}}]},
        {"outputs": [{"name": "label"}, {"name": "label"}]},
        {"outputs": [{"name": "label", "parameters": {"classification": 2}}]},
    ],
    ids=str,
)
def test_bad_request_is_refused(client, v2_request, change):
    response = client.post(INFER, json={**v2_request(), **change})

    assert response.status_code == 400
    assert "xxxx" not in response.text


def test_inputs_must_be_all_there_once_and_of_one_length(client, v2_request):
    inputs = v2_request()["inputs"]
    longer = [{**inputs[0], "shape": [2], "data": [1, 2]}, *inputs[1:]]

    for bad, words in (
        (inputs[1:], "missing"),
        ([*inputs, inputs[0]], "twice"),
        (longer, "length"),
    ):
        response = client.post(INFER, json={"inputs": bad})
        assert response.status_code == 400
        assert words in response.json()["error"]


def test_binary_data_in_a_tensor_is_refused_with_the_way_out(client, v2_request):
    request = v2_request("age", parameters={"binary_data_size": 8})

    response = client.post(INFER, json=request)

    assert response.status_code == 415
    assert "binary_data=False" in response.json()["error"]


def test_the_metadata_show_the_threshold_of_the_label(make_bundle, identity, client_of, record):
    plain = make_bundle("linear", "binary")
    signature = Signature.from_bytes(plain.file(SIGNATURE_FILE))
    share = Predictor(plain).predict_records([record]).probability[0, 1]
    labels = {}
    for name, threshold in (("at", share), ("above", np.nextafter(share, 1.0)), ("none", None)):
        chosen = replace(signature, threshold=None if threshold is None else float(threshold))
        bundle = Bundle({**plain.files, SIGNATURE_FILE: chosen.to_bytes()})
        client = client_of(EndpointApp(Predictor(bundle), identity))
        outputs = {o["name"]: o for o in client.get(MODEL).json()["outputs"]}
        assert outputs["label"].get("parameters", {}) == (
            {} if threshold is None else {"threshold": threshold}
        )
        answer = client.post("/predict/homes", json=record).json()["outputs"]
        labels[name] = answer["label"][0]
        assert answer["probability"][0][1] == share

    assert (labels["at"], labels["above"]) == ("yes", "no")
    assert labels["none"] == ("yes" if share > 0.5 else "no")
