from __future__ import annotations

import asyncio
import warnings

import httpx
import numpy as np
import pyarrow as pa
import pytest

from mlops_ray.features import CompiledTransform, FeatureState, number_feature, one_hot_feature
from mlops_ray.models.families import family_named
from mlops_ray.models.golden import records_of
from mlops_ray.models.packing import pack_bundle, signature_of
from mlops_ray.models.predictor import Predictor
from mlops_ray.runtime.admission import Admission
from mlops_ray.runtime.environment_difference import RecordedEnvironment, environment_here
from mlops_ray.serve import Identity
from mlops_ray.serve.app import EndpointApp, Limits

with warnings.catch_warnings():  # Ray Serve's models still use a deprecated form of pydantic's.
    warnings.simplefilter("ignore")
    import ray.serve  # noqa: F401

STATE = FeatureState(
    (
        number_feature("age", "float", fill=40.5, offset=40.5, scale=12.25),
        one_hot_feature("city", "string", ("Bern", "Zürich")),
        number_feature("rooms", "integer", fill=None, offset=None, scale=None),
        number_feature("owner", "boolean", fill=None, offset=None, scale=None),
    )
)
CLASSES = {"binary": ["no", "yes"], "multiclass": [0, 1, 2], "regression": []}


@pytest.fixture(scope="session")
def people():
    """A table with a float column with nulls, a text, an integer and a boolean."""
    rng = np.random.default_rng(3)
    missing = rng.random(400) < 0.1
    return pa.table(
        {
            "age": pa.array(rng.normal(40, 12, 400), mask=missing),
            "city": rng.choice(["Bern", "Zürich", "Genf"], 400),
            "rooms": rng.integers(1, 9, 400),
            "owner": rng.random(400) < 0.5,
        }
    )


@pytest.fixture(scope="session")
def make_bundle(people):
    """Packs a real bundle of a family and a task, fitted on `people`."""

    def pack(name="xgboost", task="binary", seed=1):
        rooms = np.asarray(people["rooms"])
        y = {
            "binary": (rooms > 4).astype(np.int32),
            "multiclass": (rooms % 3).astype(np.int32),
            "regression": rooms + np.arange(400) / 7,
        }[task]
        family, classes = family_named(name), CLASSES[task]
        X = CompiledTransform(STATE).from_table(people)
        params = {"n_estimators": 5 + seed} if name == "xgboost" else {}
        fitted = family.fit(X, y, params, task=task, n_classes=len(classes), seed=seed, threads=1)
        signature = signature_of(STATE, family, task, classes)
        return pack_bundle(STATE, signature, fitted, records_of(people.slice(0, 4), signature))

    return pack


@pytest.fixture(scope="session")
def predictor(make_bundle):
    return Predictor(make_bundle())


@pytest.fixture(scope="session")
def admission():
    """What a model made here demands."""
    return Admission(environment_here(RecordedEnvironment({}, {})))


@pytest.fixture(scope="session")
def identity():
    return Identity("homes", 7, "r-1", "sha256:" + "ab" * 32, 3)


@pytest.fixture(scope="session")
def record():
    return {"age": 41.5, "city": "Bern", "rooms": 5, "owner": True}


class Client:
    """Sends one request at a time to an ASGI application, without a server."""

    def __init__(self, app):
        self.app = app

    def request(self, method, path, **options):
        async def sent():
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                return await client.request(method, path, **options)

        return asyncio.run(sent())

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def post(self, path, **options):
        return self.request("POST", path, **options)


@pytest.fixture(scope="session")
def client_of():
    return Client


@pytest.fixture(scope="session")
def client(predictor, identity):
    """Talks to an endpoint of a real model."""
    return Client(EndpointApp(predictor, identity, Limits(max_body_bytes=200_000)))


@pytest.fixture(scope="session")
def v2_request(record):
    """A function that makes an inference request of one row, with changes to one tensor."""

    def make(change="age", /, **members):
        types = {"age": "FP64", "city": "BYTES", "rooms": "INT64", "owner": "BOOL"}
        tensors = [
            {"name": name, "shape": [1], "datatype": types[name], "data": [record[name]]}
            for name in types
        ]
        return {"inputs": [{**t, **(members if t["name"] == change else {})} for t in tensors]}

    return make
