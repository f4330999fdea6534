"""`mlops_ray.storage.encryption`: its signature against botocore's; see `test_remote_store` too."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from mlops_ray.errors import StoreError
from mlops_ray.storage import encryption
from mlops_ray.storage.location import RemoteLocation

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize("token", ["", "session-token=="])
@pytest.mark.parametrize(
    "location",
    [
        RemoteLocation("models", "a", "eu-central-1"),
        RemoteLocation("models.of.us", "a", "eu-central-1"),
        RemoteLocation("models", "a", "us-east-1", "http://localhost:9000"),
    ],
)
def test_a_request_is_signed_as_botocore_signs_it(location: RemoteLocation, token: str) -> None:
    host, path, is_tls = encryption._address(location, "a/runs/1=x/sealed.json")
    ours = encryption._signed_headers(
        host, path, location.region, encryption._Credentials("AKID", "secret", token), MOMENT
    )
    request = AWSRequest(
        method="HEAD",
        url=f"{'https' if is_tls else 'http'}://{host}{path}",
        headers={k: v for k, v in ours.items() if k.startswith("x-amz-")},
    )
    request.context["timestamp"] = ours["x-amz-date"]
    request.context["payload_signing_enabled"] = True
    auth = S3SigV4Auth(Credentials("AKID", "secret", token or None), "s3", location.region)
    to_sign = auth.string_to_sign(request, auth.canonical_request(request))

    assert ours["authorization"].endswith(f"Signature={auth.signature(to_sign, request)}")


def test_keys_come_from_the_environment_or_the_profile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "credentials"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(path))
    path.write_text("[default]\naws_access_key_id = A\naws_secret_access_key = planted%4711\n")

    of_profile = encryption._credentials()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "B")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "planted-4711")
    of_environment = encryption._credentials()

    assert (of_profile.key_id, of_profile.secret) == ("A", "planted%4711")
    assert (of_environment.key_id, of_environment.secret) == ("B", "planted-4711")
    assert "planted" not in repr(of_profile) + repr(of_environment)


def test_without_keys_nothing_can_be_proven(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    path = tmp_path / "credentials"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(path))
    path.write_text("aws_secret_access_key = planted-4711 outside of a section\n")

    with pytest.raises(StoreError, match=r"cannot be proven.*leave out sse=") as caught:
        encryption.check_encryption(RemoteLocation("models", sse="AES256"), "key")

    assert "planted" not in repr(caught.value)
