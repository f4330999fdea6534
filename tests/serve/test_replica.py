from __future__ import annotations

import asyncio

import numpy as np
import pytest

from mlops_ray.errors import DigestMismatchError, ModelError, UnstableModelError
from mlops_ray.models import admitted
from mlops_ray.models.bundle import GOLDEN_FILE, Bundle
from mlops_ray.models.outputs import Outputs
from mlops_ray.models.predictor import Predictor
from mlops_ray.serve import Endpoint, Identity
from mlops_ray.serve.app import Limits
from mlops_ray.serve.replica import EndpointReplica, load_checked
from mlops_ray.storage import ObjectStore


@pytest.fixture
def store(tmp_path):
    return ObjectStore(tmp_path)


def test_replica_answers_and_checks_its_model(store, make_bundle, client_of, record, admission):
    digest = make_bundle().save(store)
    endpoint = Endpoint("http://127.0.0.1:1", Identity("homes", 1, "r", digest, 1))
    started = EndpointReplica(store, endpoint, Limits(), admission)

    response = client_of(started.__serve_build_asgi_app__()).post("/predict/homes", json=record)
    asyncio.run(started.check_health())

    assert response.status_code == 200
    assert "x-request-id" not in response.headers  # Ray Serve's proxy adds it.
    assert asyncio.run(started.identify()) == endpoint
    assert endpoint.predict_url == "http://127.0.0.1:1/predict/homes"


def test_missing_bundle_is_refused(store, admission):
    with pytest.raises(DigestMismatchError, match="missing"):
        load_checked(store, "sha256:" + "0" * 64, admission)


def test_other_bits_than_recorded_are_refused(store, make_bundle, admission):
    files = dict(make_bundle().files)
    files[GOLDEN_FILE] = make_bundle(seed=5).files[GOLDEN_FILE]

    with pytest.raises(ModelError, match="recorded"):
        load_checked(store, Bundle(files).save(store), admission)


class Unstable(Predictor):
    """A model whose answer to a row depends on how many rows are asked."""

    def predict_records(self, records):
        answers = super().predict_records(records)
        return Outputs(answers.label, np.nextafter(answers.probability, len(records) % 2), None)


def test_model_that_depends_on_company_is_refused(store, make_bundle, admission, monkeypatch):
    monkeypatch.setattr(admitted, "Predictor", Unstable)

    with pytest.raises(UnstableModelError):
        load_checked(store, make_bundle().save(store), admission)
