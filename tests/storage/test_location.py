"""`mlops_ray.storage.location`: a URL names a place and never a secret."""

from pathlib import Path

import pytest

from mlops_ray.errors import ConfigError
from mlops_ray.storage import find_workspace
from mlops_ray.storage.location import LocalLocation, RemoteLocation, parse_location

SECRET = "wJalrXUtnFEMI"  # noqa: S105 - opens nothing


def test_a_path_is_a_folder(tmp_path: Path) -> None:
    assert parse_location(tmp_path) == LocalLocation(tmp_path)
    assert parse_location("some/folder") == LocalLocation(Path("some/folder").absolute())


def test_every_part_of_a_url_is_read_and_written_again() -> None:
    url = (
        "s3://models/team/churn?region=eu-central-1&endpoint_override=https%3A%2F%2Fs3.local%3A9000"
        "&sse=aws%3Akms&kms_key_id=arn%3Aaws%3Akms%3Aeu%3A1%3Akey%2F2"
    )

    place = parse_location(url)

    assert place == RemoteLocation(
        bucket="models",
        prefix="team/churn",
        region="eu-central-1",
        endpoint_override="https://s3.local:9000",
        sse="aws:kms",
        kms_key_id="arn:aws:kms:eu:1:key/2",
    )
    assert place.url == url
    assert str(place) == "s3://models/team/churn"
    assert parse_location("s3://models/") == RemoteLocation("models")


@pytest.mark.parametrize(
    "url",
    [
        f"s3://AKIA:{SECRET}@bucket/prefix",
        f"s3://{SECRET}@bucket",
        f"s3://bucket/p?access_key=AKIA&secret_key={SECRET}",
        f"s3://bucket/p?aws_secret_access_key={SECRET}",
        f"s3://bucket/p?session_token={SECRET}",
        f"s3://bucket/p?region={SECRET}",
        f"s3://bucket/p?endpoint_override=http://u:{SECRET}@host",
        f"s3://bucket/p?other={SECRET}",
        f"s3://bucket/p#{SECRET}",
        f"s3://bucket/a b/{SECRET}",
        f"s3://bucket/../{SECRET}",
        f"s3://{SECRET}/p",
        f"s3://[{SECRET}/p",
        f"https://u:{SECRET}@bucket/p",
        f"s3://bucket/p?kms_key_id={SECRET}",
        "s3://bucket/p?sse=none",
        "s3://",
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_being_repeated(
    url: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as caught:
        find_workspace(tmp_path, url)

    assert SECRET not in str(caught.value)


def test_the_cache_lies_in_the_project_and_is_told_apart_by_place(tmp_path: Path) -> None:
    first, same, other = (
        find_workspace(tmp_path, f"s3://models/churn?{options}")
        for options in ("region=a", "region=b&sse=AES256", "endpoint_override=http://localhost:1")
    )
    first.prepare()

    assert first.store_root.parent == tmp_path / ".mlops_ray" / "remote"
    assert first.store_root == same.store_root != other.store_root
    assert (tmp_path / ".mlops_ray" / ".gitignore").read_text() == "*\n"
    assert not first.is_default
    assert find_workspace(tmp_path, first.location.url) == first
