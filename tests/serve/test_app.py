from __future__ import annotations

import asyncio
import json
import time

import numpy as np
import pytest

from mlops_ray.models.golden import records_of
from mlops_ray.models.predictor import Predictor
from mlops_ray.serve import PredictionId
from mlops_ray.serve.app import EndpointApp, Limits

HEADERS = ["model", "version", "run", "bundle", "prediction"]


@pytest.fixture(scope="module")
def table_answer(predictor, people):
    return predictor.predict_table(people)


def test_batch_answer_has_the_bits_of_the_table_answer(client, predictor, people, table_answer):
    records = records_of(people, predictor.signature)

    answer = client.post("/predict/homes", json={"records": records}).json()

    assert answer["outputs"]["label"] == table_answer.label
    assert np.array_equal(answer["outputs"]["probability"], table_answer.probability)
    assert {k: answer[k] for k in ("model", "version", "run_id")} == {
        "model": "homes",
        "version": 7,
        "run_id": "r-1",
    }


def test_row_alone_has_the_bits_it_has_among_others(client, predictor, people, table_answer):
    for row, record in enumerate(records_of(people.slice(0, 5), predictor.signature)):
        outputs = client.post("/predict/homes", json=record).json()["outputs"]

        assert outputs["probability"] == [table_answer.probability[row].tolist()]


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize("family", ["xgboost", "hist_gradient_boosting", "linear"])
def test_every_family_answers_over_http_as_in_batch(
    make_bundle, identity, client_of, people, family, task
):
    predictor = Predictor(make_bundle(family, task))
    client = client_of(EndpointApp(predictor, identity))
    wanted = predictor.predict_table(people).to_json()
    records = records_of(people, predictor.signature)

    together = client.post("/predict/homes", json=records).json()["outputs"]
    alone = client.post("/predict/homes", json=records[9]).json()["outputs"]

    assert together == wanted
    assert alone == {name: [values[9]] for name, values in wanted.items()}


@pytest.mark.parametrize("body", [[], {"records": []}])
def test_no_records_are_answered_with_no_outputs(client, body):
    response = client.post("/predict/homes", json=body)

    assert response.status_code == 200
    assert response.json()["outputs"] == {"label": [], "probability": []}


def test_every_answer_says_who_answered(client, record, identity):
    ok = client.post("/predict/homes", json=record)
    for response in (ok, client.get("/nowhere"), client.post("/predict/homes", content=b"{")):
        got = {name: response.headers[f"x-mlops-{name}"] for name in HEADERS}
        prediction = PredictionId.parse(got.pop("prediction"))
        assert got == {"model": "homes", "version": "7", "run": "r-1", "bundle": identity.bundle}
        assert (prediction.version, prediction.generation) == (7, 3)
        assert len(response.headers["x-request-id"]) == 36
    assert ok.json()["prediction_id"] == ok.headers["x-mlops-prediction"]


def test_plain_request_id_is_kept_and_any_other_replaced(client):
    kept = client.get("/v2", headers={"x-request-id": "order/17:a"})
    replaced = client.get("/v2", headers={"x-request-id": "<script>" + "x" * 200})

    assert kept.headers["x-request-id"] == "order/17:a"
    assert len(replaced.headers["x-request-id"]) == 36


def test_missing_value_is_null_and_a_text_that_is_new_counts_as_unknown(client, predictor, record):
    changed = {**record, "age": None, "city": "Atlantis"}

    answer = client.post("/predict/homes", json=changed).json()["outputs"]["probability"]

    same = {**record, "age": 40.5, "city": None}
    assert answer == predictor.predict_records([same]).probability.tolist()


BAD_BODIES = {
    "empty": b"",
    "no JSON": b"{nope",
    "two documents": b"{}{}",
    "not UTF-8": b'{"age": "\xff"}',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "number": b"7",
    "text": b'"row"',
    "null": b"null",
    "list of numbers": b"[1, 2]",
    "nested lists": b"[[[1]]]",
    "bomb of lists": b"[" * 100_000,
    "bomb of objects": b'{"a":' * 30_000,
    "huge integer": b'{"age": ' + b"9" * 5000 + b"}",
    "large integer": b'{"age": ' + b"9" * 299 + b', "city": "x", "rooms": 1, "owner": true}',
    "NaN": b'{"age": NaN}',
    "infinity": b'{"age": -Infinity}',
    "1e400": b'{"age": 1e400}',
    "same key twice": b'{"age": 1, "age": 1}',
    "missing fields": b'{"age": 1}',
    "unknown field": b'{"age": 1, "city": "x", "rooms": 1, "owner": true, "\\ud800": 1}',
    "text as number": b'{"age": "41", "city": "x", "rooms": 1, "owner": true}',
    "bool as number": b'{"age": true, "city": "x", "rooms": 1, "owner": true}',
    "number as bool": b'{"age": 1, "city": "x", "rooms": 1, "owner": 1}',
    "number as text": b'{"age": 1, "city": 1, "rooms": 1, "owner": true}',
    "half a room": b'{"age": 1, "city": "x", "rooms": 1.5, "owner": true}',
    "list as value": b'{"age": [1], "city": "x", "rooms": 1, "owner": true}',
    "object as text": b'{"age": 1, "city": {}, "rooms": 1, "owner": true}',
    "ragged rows": b'[{"age": 1, "city": "x", "rooms": 1, "owner": true}, {"age": 1}]',
    "records is no list": b'{"records": 1}',
    "records and more": b'{"records": [], "x": 1}',
}


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES)
@pytest.mark.parametrize("path", ["/predict/homes", "/v2/models/homes/infer"])
def test_bad_body_is_refused_shortly_and_without_an_echo(client, path, body):
    response = client.post(path, content=body)

    assert response.status_code == 400, response.text
    assert len(response.content) <= 1024
    assert response.headers["content-type"] == "application/json"
    error = response.json()["error"]
    assert isinstance(error, str) if path.startswith("/v2") else error["code"] == "bad_input"


def test_refusal_names_the_record_and_the_field(client, record):
    error = client.post("/predict/homes", json=[record, {**record, "rooms": "five"}]).json()[
        "error"
    ]

    assert error["where"] == {"field": "rooms"}
    assert "record 1" in error["message"]
    assert "five" not in error["message"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/predict", 404),
        ("POST", "/predict/other", 404),
        ("POST", "/predict/homes/", 404),
        ("POST", "/predict/a%2fb", 404),
        ("GET", "/v2/models/homes/versions/8", 404),
        ("GET", "/v2/models/homes/versions/07/ready", 404),
        ("GET", "/v2/models/homes/config", 404),
        ("POST", "/v2/repository/index", 404),
        ("GET", "/predict/homes", 405),
        ("DELETE", "/predict/homes", 405),
        ("OPTIONS", "/v2/models/homes/infer", 405),
        ("POST", "/v2/health/live", 405),
        ("PUT", "/v2", 405),
    ],
)
def test_other_paths_and_methods_are_refused(client, method, path, status):
    response = client.request(method, path)

    assert response.status_code == status
    assert ("allow" in response.headers) == (status == 405)


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/csv"},
        {"content-type": "application/octet-stream"},
        {"content-encoding": "gzip"},
        {"inference-header-content-length": "10"},
    ],
)
def test_other_media_types_are_refused(client, headers):
    assert client.post("/predict/homes", content=b"{}", headers=headers).status_code == 415


def test_binary_tensors_are_told_the_way_out(client):
    response = client.post(
        "/v2/models/homes/infer", content=b"{}", headers={"inference-header-content-length": "2"}
    )

    assert "binary_data=False" in response.json()["error"]


def test_json_media_type_may_have_parameters(client, record):
    headers = {"content-type": "Application/JSON; charset=utf-8"}

    response = client.post("/predict/homes", content=json.dumps(record), headers=headers)

    assert response.status_code == 200


def test_too_large_a_body_is_refused_whatever_it_announces(client):
    async def chunks():
        for _ in range(100):
            yield b"x" * 10_000

    for content in (b"x" * 200_001, chunks()):
        response = client.post("/predict/homes", content=content)
        assert response.status_code == 413
        assert "200000 bytes" in response.json()["error"]["message"]
        assert response.headers["connection"] == "close"


class Slow:
    """A stand-in for a model that computes for longer than the caller wants to wait."""

    def __init__(self, predictor):
        self.signature = predictor.signature
        self.predict = predictor.predict_records

    def predict_records(self, records):
        time.sleep(0.5)
        return self.predict(records)


def test_slow_model_is_cut_off_and_no_header_lifts_the_limit(
    predictor, identity, record, client_of
):
    client = client_of(EndpointApp(Slow(predictor), identity, Limits(timeout_s=0.1)))
    headers = {"x-request-timeout-seconds": "0", "x-request-disconnect-disabled": "?1"}

    started = time.monotonic()
    response = client.post("/predict/homes", json=record, headers=headers)

    assert response.status_code == 504
    assert response.json()["error"]["code"] == "timeout"
    assert time.monotonic() - started < 0.4
    assert client.get("/v2/health/live").status_code == 200


class Broken:
    def __init__(self, predictor):
        self.signature = predictor.signature

    def predict_records(self, records):
        raise RuntimeError(f"/etc/secret {records}")


def test_unforeseen_error_says_nothing_but_its_id(predictor, identity, record, client_of, caplog):
    client = client_of(EndpointApp(Broken(predictor), identity))

    response = client.post("/predict/homes", json=record, headers={"x-request-id": "r-9"})

    assert response.status_code == 500
    assert response.json()["error"] == {
        "code": "internal",
        "message": "internal error",
        "where": None,
        "request_id": "r-9",
    }
    assert "r-9" in caplog.text


def test_closing_endpoint_is_not_ready_and_says_when_to_come_back(predictor, identity, client_of):
    app = EndpointApp(predictor, identity)
    events = iter(["lifespan.startup", "lifespan.shutdown"])
    sent = []

    async def receive():
        return {"type": next(events)}

    async def send(message):
        sent.append(message["type"])

    asyncio.run(app({"type": "lifespan"}, receive, send))
    response = client_of(app).get("/v2/health/ready")

    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert response.status_code == 503
    assert response.headers["retry-after"] == "1"


def test_head_has_the_headers_without_the_body(client):
    response = client.request("HEAD", "/v2/health/live")

    assert response.status_code == 200
    assert response.content == b""
    assert int(response.headers["content-length"]) > 0
