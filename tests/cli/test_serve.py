"""`mlops-ray serve` in the foreground: what clients get, and how it ends."""

import csv
import http.client
import json
import signal
import sys
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx
import numpy as np
import pyarrow.parquet as pq
import pytest
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

pytestmark = [
    pytest.mark.ray,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="processes are found by their environment"),
]

GONE_WITHIN_S = 30.0


@dataclass
class Served:
    started: object
    line: dict
    model: dict

    @property
    def url(self):
        return self.line["url"]

    def predict(self, body):
        return httpx.post(f"{self.url}/predict/demand", json=body, timeout=30)


@pytest.fixture(scope="module")
def served(first_day):
    """The endpoint, as a user starts it in a terminal."""
    started = first_day.shell.start("serve", "demand@1", "--port", "0", "--json")
    line = started.process.stdout.readline()
    if not line:
        pytest.fail(started.process.stderr.read())
    yield Served(started, json.loads(line), first_day.run.line["model"])
    started.kill()


@pytest.fixture(scope="module")
def records(first_day):
    """The rows of the table as a client sends them, a missing number as null."""
    with (first_day.shell.folder / "data/bikes.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    return [
        {
            "temperature_c": float(row["temperature_c"]) if row["temperature_c"] else None,
            "hour": int(row["hour"]),
            "weather": row["weather"],
        }
        for row in rows
    ]


@pytest.fixture(scope="module")
def batch(first_day):
    """What `mlops-ray predict` writes for the same rows."""
    arguments = ["predict", "demand@1", "data/bikes.csv", "--out", "p.parquet", "--num-cpus", "1"]
    done = first_day.shell.mlops_ray(*arguments, "--json")
    assert done.code == 0, done.stderr
    assert done.line["schema"] == "mlops-ray/predictions/v1"
    assert (done.line["n_rows"], done.line["engine"]) == (600, "ray_data")
    table = pq.read_table(first_day.shell.folder / "p.parquet")
    assert table["hour_id"].to_pylist() == list(range(600))
    return table["value"].to_pylist()


def test_the_announcement_has_a_record_that_is_answered(served):
    assert served.line["schema"] == "mlops-ray/endpoint/v1"
    assert (served.line["model"], served.line["version"]) == ("demand", 1)
    assert served.line["bundle"] == served.model["bundle"]

    answer = served.predict(json.loads(served.line["example"]))

    assert answer.status_code == 200
    assert len(answer.json()["outputs"]["value"]) == 1


def test_answers_equal_the_batch_predictions_to_the_bit_alone_and_among_others(
    served, records, batch
):
    together = served.predict({"records": records}).json()["outputs"]["value"]
    backwards = served.predict(records[::-1]).json()["outputs"]["value"]
    nulls = [at for at, record in enumerate(records) if record["temperature_c"] is None]
    some = [*nulls[:3], 1, 17, 599]
    alone = [served.predict(records[at]).json()["outputs"]["value"] for at in some]

    assert together == batch
    assert backwards == batch[::-1]
    assert alone == [[batch[at]] for at in some]
    assert len(set(batch)) > 300  # A model that answers the same to all would pass above.


def test_every_answer_says_who_answered(served, first_day):
    answers = [
        served.predict(json.loads(served.line["example"])),
        served.predict({"temperature_c": "warm", "hour": 8, "weather": "sun"}),
        httpx.get(f"{served.url}/v2/health/ready"),
    ]

    assert [answer.status_code for answer in answers] == [200, 400, 200]
    for answer in answers:
        headers = answer.headers
        assert (headers["x-mlops-model"], headers["x-mlops-version"]) == ("demand", "1")
        assert headers["x-mlops-run"] == first_day.run.line["run_id"]
        assert headers["x-mlops-bundle"] == served.model["bundle"]
        assert headers["x-mlops-prediction"].startswith("v1-g1-")
        assert headers["x-request-id"]
    assert answers[0].json()["prediction_id"] == answers[0].headers["x-mlops-prediction"]
    assert answers[1].json()["error"]["where"] == {"field": "temperature_c"}


def test_a_client_without_any_library_is_answered_on_one_connection(served, records, batch):
    place = urlsplit(served.url)
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=30)
    answers = []
    for at, request_id in ((5, "order-5"), (6, "order-6")):
        body = json.dumps(records[at])
        connection.request("POST", "/predict/demand", body, {"X-Request-Id": request_id})
        response = connection.getresponse()
        answers.append((response.status, response.headers["x-request-id"], response.read()))
    connection.close()

    assert [answer[:2] for answer in answers] == [(200, "order-5"), (200, "order-6")]
    values = [json.loads(answer[2])["outputs"]["value"] for answer in answers]
    assert values == [[batch[5]], [batch[6]]]


def tensors(records, *, binary):
    columns = {
        "temperature_c": ("FP64", np.array([r["temperature_c"] for r in records], np.float64)),
        "hour": ("INT64", np.array([r["hour"] for r in records], np.int64)),
        "weather": ("BYTES", np.array([r["weather"] for r in records], np.object_)),
    }
    inputs = []
    for name, (datatype, values) in columns.items():
        tensor = triton.InferInput(name, [len(records)], datatype)
        tensor.set_data_from_numpy(values, binary_data=binary)
        inputs.append(tensor)
    return inputs


def test_tritonclient_gets_the_same_answers_and_is_told_about_its_binary_default(
    served, records, batch
):
    rows = [at for at, record in enumerate(records) if record["temperature_c"] is not None][:50]
    chosen = [records[at] for at in rows]
    client = triton.InferenceServerClient(urlsplit(served.url).netloc)

    metadata = client.get_model_metadata("demand")
    answer = client.infer("demand", tensors(chosen, binary=False))
    with pytest.raises(InferenceServerException) as refused:
        client.infer("demand", tensors(chosen, binary=True))
    client.close()

    assert {item["name"]: item["datatype"] for item in metadata["inputs"]} == {
        "temperature_c": "FP64",
        "hour": "INT64",
        "weather": "BYTES",
    }
    assert answer.as_numpy("value").tolist() == [batch[at] for at in rows]
    assert refused.value.status() == "415"
    assert "binary_data=False" in refused.value.message()


def test_its_port_is_refused_to_a_second_endpoint_which_names_the_holder(served, project):
    port = str(urlsplit(served.url).port)

    refused = project.mlops_ray("serve", "demand@1", "--port", port, "--json")

    assert (refused.code, refused.line["code"]) == (5, "port_in_use")
    assert refused.line["got"].startswith("pid ")
    assert "--port 0" in refused.line["hint"]
    assert int(refused.line["got"].split()[1]) in {p.pid for p in served.started.family()}
    assert served.predict(json.loads(served.line["example"])).status_code == 200


def test_ctrl_c_ends_it_well_and_leaves_no_process(served):
    assert len(served.started.family()) > 5

    done = served.started.end(signal.SIGINT, whole_group=True)

    assert (done.code, done.stdout) == (0, ""), done
    assert "Traceback" not in done.stderr
    assert served.started.left_after(GONE_WITHIN_S) == []
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{served.url}/v2/health/live")
