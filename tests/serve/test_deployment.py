"""Endpoints on a real Ray Serve; one deployment serves most tests, since each costs seconds."""

from __future__ import annotations

import re
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event

import httpx
import numpy as np
import pytest
import tritonclient.http as triton
from ray import serve

from mlops_ray.config import ServeConfig
from mlops_ray.errors import (
    ConflictError,
    DigestMismatchError,
    NotFoundError,
    PortInUseError,
    ServeError,
)
from mlops_ray.models.golden import records_of
from mlops_ray.models.predictor import Predictor
from mlops_ray.runtime.admission import Admission
from mlops_ray.runtime.environment_difference import RecordedEnvironment, environment_here
from mlops_ray.serve import Identity, deployment
from mlops_ray.serve.deployment import endpoint_status, start_endpoint, undeploy
from mlops_ray.storage import ObjectStore

pytestmark = [pytest.mark.ray, pytest.mark.slow]

CONFIG = ServeConfig(max_body_bytes=100_000)
ADMISSION = Admission(environment_here(RecordedEnvironment({}, {})))  # Made here.


@pytest.fixture(scope="module")
def bundles(make_bundle):
    multiclass = make_bundle("hist_gradient_boosting", "multiclass", seed=3)
    return [make_bundle(seed=1), make_bundle("linear", seed=2), multiclass]


@pytest.fixture(scope="module")
def store(bundles, tmp_path_factory):
    store = ObjectStore(tmp_path_factory.mktemp("store"))
    for bundle in bundles:
        bundle.save(store)
    return store


@pytest.fixture(scope="module")
def identities(bundles):
    return [Identity("homes", n, f"r-{n}", b.digest, n) for n, b in enumerate(bundles, start=1)]


@pytest.fixture(scope="module")
def endpoint(ray_cluster, store, identities):  # noqa: ARG001
    yield start_endpoint(identities[0], store, CONFIG, ADMISSION, port=0)
    if endpoint_status():
        undeploy("homes")


def outputs_of(answer):
    return answer["outputs"]["probability"]


def test_answers_have_the_bits_of_the_table_and_say_who_answered(endpoint, bundles, people):
    predictor = Predictor(bundles[0])
    wanted = predictor.predict_table(people).probability.tolist()
    records = records_of(people, predictor.signature)

    together = httpx.post(endpoint.predict_url, json=records, headers={"x-request-id": "r-1"})
    alone = [httpx.post(endpoint.predict_url, json=record).json() for record in records[:3]]

    assert outputs_of(together.json()) == wanted
    assert [outputs_of(answer)[0] for answer in alone] == wanted[:3]
    assert together.headers.get_list("x-request-id") == ["r-1"]
    assert together.headers["x-mlops-bundle"] == bundles[0].digest
    assert together.headers["x-mlops-prediction"].startswith("v1-g1-")


def test_triton_client_gets_the_same_answers(endpoint, bundles, people):
    predictor = Predictor(bundles[0])
    columns = {
        f.name: people[f.name].drop_null().to_numpy()[:5] for f in predictor.signature.inputs
    }
    client = triton.InferenceServerClient(endpoint.url.removeprefix("http://"))
    types = {i["name"]: i["datatype"] for i in client.get_model_metadata("homes", "1")["inputs"]}
    inputs = [triton.InferInput(name, [5], types[name]) for name in columns]
    for tensor in inputs:
        values = columns[tensor.name()]
        is_text = types[tensor.name()] == "BYTES"
        tensor.set_data_from_numpy(values.astype(object) if is_text else values, binary_data=False)

    result = client.infer("homes", inputs, request_id="q-1")

    wanted = predictor.predict_columns({k: v.tolist() for k, v in columns.items()})
    assert np.array_equal(result.as_numpy("probability"), wanted.probability)
    assert [x.decode() if isinstance(x, bytes) else x for x in result.as_numpy("label")] == (
        wanted.label
    )
    assert client.is_server_ready()
    assert client.is_model_ready("homes", "1")
    inputs[0].set_data_from_numpy(columns["age"], binary_data=True)
    with pytest.raises(triton.InferenceServerException, match="binary_data=False"):
        client.infer("homes", inputs)
    client.close()


def raw(endpoint, request):
    """The status line and all else that a server sends for the bytes of a request."""
    host, port = endpoint.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.mark.parametrize(
    "header",
    [
        b"x-request-id: \xff\xfe",
        b"x-note: \xff",
        b"serve_multiplexed_model_id: \xff",
        b"x-request-timeout-seconds: 0",
        b"x-request-id: " + b"x" * 300,
    ],
)
def test_headers_that_break_ray_serve_do_no_harm_here(endpoint, header):
    answer = raw(
        endpoint,
        b"GET /v2/health/ready HTTP/1.1\r\nhost: x\r\nconnection: close\r\n" + header + b"\r\n\r\n",
    )

    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.count(b"x-request-id: ") == 1


def test_large_body_is_refused_before_the_replica(endpoint):
    def chunks():
        for _ in range(20):
            yield b" " * 10_000

    response = httpx.post(endpoint.predict_url, content=chunks())

    assert response.status_code == 413
    assert response.json()["error"]["code"] == "too_large"


def test_status_tells_what_is_served(endpoint):
    status = endpoint_status()

    assert (status.model, status.status, status.replicas) == ("homes", "RUNNING", {"RUNNING": 1})
    assert status.endpoint == endpoint


@pytest.mark.usefixtures("endpoint")
def test_second_model_is_refused_by_name(store, identities):
    with pytest.raises(ConflictError, match=r"serves 'homes'.*`mlops-ray undeploy`"):
        start_endpoint(replace(identities[0], model="other"), store, CONFIG, ADMISSION)


def test_damaged_bundle_is_refused_before_anything_is_replaced(endpoint, bundles, tmp_path):
    store = ObjectStore(tmp_path)
    digest = bundles[1].save(store)
    path = store.path(bundles[1].tree()["files"][-1]["sha256"])
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"?")

    with pytest.raises(DigestMismatchError, match="damaged"):
        start_endpoint(
            replace(endpoint.identity, bundle=digest), ObjectStore(tmp_path), CONFIG, ADMISSION
        )
    assert endpoint_status().endpoint == endpoint


def test_update_loses_no_request_and_every_answer_is_of_one_version(
    endpoint, store, bundles, identities, people
):
    predictors = [Predictor(bundle) for bundle in bundles]
    record = records_of(people, predictors[0].signature)[0]
    record["age"] = 40.0
    wanted = {
        str(n): p.predict_records([record]).probability.tolist()
        for n, p in enumerate(predictors, start=1)
    }
    is_over = Event()

    def ask():
        seen = []
        with httpx.Client(timeout=30) as client:
            while not is_over.is_set():
                response = client.post(endpoint.predict_url, json=record)
                version = response.headers["x-mlops-version"]
                assert outputs_of(response.json()) == wanted[version]
                seen.append(version)
        return seen

    with ThreadPoolExecutor(2) as pool:
        asking = [pool.submit(ask) for _ in range(2)]
        try:
            updated = start_endpoint(identities[1], store, CONFIG, ADMISSION)
        finally:
            is_over.set()
        seen = [version for future in asking for version in future.result()]

    assert updated.url == endpoint.url
    assert set(seen) >= {"1"}
    assert httpx.get(f"{endpoint.url}/v2").headers["x-mlops-version"] == "2"


def test_a_replica_in_another_environment_never_answers_and_the_old_one_goes_on(
    endpoint, store, identities, other_environment, monkeypatch
):
    """The node of the replica decides: here the driver has the recorded packages, it has not."""
    before = httpx.get(f"{endpoint.url}/v2").headers["x-mlops-version"]
    options = deployment.deployment_options(CONFIG, 2)
    abroad = {"runtime_env": {"env_vars": {"PYTHONPATH": str(other_environment.folder)}}}
    actor_options = {**options.get("ray_actor_options", {}), **abroad}
    changed = {**options, "ray_actor_options": actor_options}
    with monkeypatch.context() as patch:
        patch.setattr(deployment, "deployment_options", lambda *_: changed)

        with pytest.raises(ServeError, match=re.escape(other_environment.difference)):
            start_endpoint(identities[2], store, CONFIG, ADMISSION)

    after = [httpx.get(f"{endpoint.url}/v2") for _ in range(5)]
    assert {answer.status_code for answer in after} == {200}
    assert {answer.headers["x-mlops-version"] for answer in after} == {before}
    assert before != str(identities[2].version)


@pytest.mark.parametrize("version", [3, 2])
def test_each_family_answers_with_the_bits_of_the_table(
    endpoint, store, bundles, identities, people, version
):
    start_endpoint(identities[version - 1], store, CONFIG, ADMISSION)
    predictor = Predictor(bundles[version - 1])
    records = records_of(people, predictor.signature)

    together = httpx.post(endpoint.predict_url, json=records)
    alone = [httpx.post(endpoint.predict_url, json=record).json() for record in records[:7]]

    assert together.headers["x-mlops-version"] == str(version)
    wanted = predictor.predict_table(people).probability.tolist()
    assert outputs_of(together.json()) == wanted
    assert [outputs_of(answer)[0] for answer in alone] == wanted[:7]


def test_full_queue_is_refused_in_our_form(endpoint, store, identities, people, bundles):
    config = ServeConfig(target_ongoing_requests=1, max_queued_requests=1, max_body_bytes=100_000)
    start_endpoint(identities[1], store, config, ADMISSION)
    rows = records_of(people, Predictor(bundles[1]).signature)

    with ThreadPoolExecutor(24) as pool:
        answers = list(
            pool.map(lambda _: httpx.post(endpoint.predict_url, json=rows, timeout=60), range(96))
        )

    assert {answer.status_code for answer in answers} == {200, 503}
    refused = next(answer for answer in answers if answer.status_code == 503)
    assert refused.headers["retry-after"] == "1"
    assert refused.json()["error"]["code"] == "unavailable"
    assert refused.json()["error"]["request_id"] == refused.headers["x-request-id"]


def test_replica_that_cannot_come_up_fails_in_time(endpoint, store, identities, monkeypatch):
    impossible = {**deployment.deployment_options(CONFIG, 2), "ray_actor_options": {"num_cpus": 99}}
    monkeypatch.setattr(deployment, "deployment_options", lambda *_: impossible)

    with pytest.raises(ServeError, match="did not come up in time"):
        start_endpoint(identities[1], store, CONFIG, ADMISSION, timeout_s=3)
    assert httpx.get(f"{endpoint.url}/v2/health/ready").status_code == 200


@pytest.mark.usefixtures("endpoint")
def test_undeployed_model_leaves_nothing(store, identities):
    with pytest.raises(NotFoundError, match=r"does not serve 'other'.*'homes'"):
        undeploy("other")
    undeploy("homes")

    assert endpoint_status() is None
    assert not serve.status().proxies
    with pytest.raises(NotFoundError, match="nothing"):
        undeploy("homes")
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(PortInUseError):
        start_endpoint(identities[0], store, CONFIG, ADMISSION, port=other.getsockname()[1])
