"""`mlops_ray.storage.retry`: what may get better is tried again, in a bounded time."""

import time

import pytest

from mlops_ray.errors import BusyError, ConfigError, NotPermittedError, StoreError
from mlops_ray.storage.retry import TransientError, give_up_after_s, persistently


class Flaky:
    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.n_calls = 0

    def __call__(self) -> str:
        self.n_calls += 1
        if self.failures:
            raise self.failures.pop(0)
        return "done"


def test_what_fails_for_a_while_succeeds() -> None:
    do = Flaky(OSError("AWS Error SLOW_DOWN (HTTP status 503)"), TransientError("other bytes"))

    assert persistently(do, "read x", "s3://b") == "done"
    assert do.n_calls == 3


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("AWS Error ACCESS_DENIED during HeadObject operation", NotPermittedError),
        ("AWS Error UNKNOWN (HTTP status 403) during HeadObject operation", NotPermittedError),
        ("AWS Error NO_SUCH_BUCKET during ListObjectsV2 operation", StoreError),
        ("AWS Error UNKNOWN (HTTP status 301) during HeadObject operation", StoreError),
    ],
)
def test_what_cannot_get_better_is_tried_once(message: str, kind: type[Exception]) -> None:
    for error in (OSError(message), TransientError("the transfer broke", OSError(message))):
        do = Flaky(error)
        with pytest.raises(kind):
            persistently(do, "read x", "s3://b")
        assert do.n_calls == 1


def test_the_time_is_bounded_and_the_server_is_not_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_RAY_REMOTE_TIMEOUT_S", "0.3")
    server = OSError("AWS Error INTERNAL_FAILURE (HTTP status 500): Message: key AKIA7 is odd")
    started = time.monotonic()

    with pytest.raises(BusyError, match=r"INTERNAL_FAILURE, HTTP status 500") as caught:
        persistently(Flaky(*[server] * 50), "read x", "s3://b")

    assert time.monotonic() - started < 3
    assert "AKIA7" not in str(caught.value)


@pytest.mark.parametrize("text", ["0", "-1", "soon", "nan", "1e9"])
def test_a_time_that_cannot_be_used_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_RAY_REMOTE_TIMEOUT_S", text)

    with pytest.raises(ConfigError, match="MLOPS_RAY_REMOTE_TIMEOUT_S"):
        give_up_after_s()


def test_large_objects_get_more_time() -> None:
    assert give_up_after_s(10**9) == give_up_after_s() + 1000
