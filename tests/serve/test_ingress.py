from __future__ import annotations

import asyncio

import pytest
from starlette.middleware import Middleware

from mlops_ray.serve.app import Limits
from mlops_ray.serve.ingress import IngressGuard, environment, middlewares


class Proxy:
    """Answers as Ray Serve's proxy does, and keeps what it was asked."""

    def __init__(self, status=200, headers=(), body=b"text", error=None):
        self.status, self.headers, self.body, self.error = status, list(headers), body, error

    async def __call__(self, scope, receive, send):
        self.seen = dict(scope["headers"])
        self.got = (await receive())["body"]
        if self.error:
            raise self.error
        if self.status:
            headers = [*self.headers, (b"x-request-id", b"from-serve")]
            await send({"type": "http.response.start", "status": self.status, "headers": headers})
            await send({"type": "http.response.body", "body": self.body})


@pytest.fixture
def ask(client_of):
    def send(proxy, path="/predict/m", **options):
        guard = IngressGuard(proxy, Limits(max_body_bytes=100))
        return client_of(guard).post(path, **options)

    return send


def test_answers_of_the_application_pass_unchanged(ask):
    proxy = Proxy(200, [(b"x-mlops-model", b"m")], b"{}")

    response = ask(proxy, content=b"abc", headers={"x-request-id": "r-1"})

    assert (response.status_code, response.content, proxy.got) == (200, b"{}", b"abc")
    assert response.headers.get_list("x-request-id") == ["r-1"]


@pytest.mark.parametrize(
    ("status", "wanted"), [(404, 503), (408, 504), (429, 429), (503, 503), (0, 503), (500, 503)]
)
def test_refusals_of_ray_serve_get_our_form(ask, status, wanted):
    response = ask(Proxy(status, [(b"retry-after", b"4")]), headers={"x-request-id": "r-1"})

    assert response.status_code == wanted
    assert response.json()["error"]["request_id"] == "r-1"
    assert response.headers.get_list("x-request-id") == ["r-1"]
    if status == 503:
        assert response.headers.get_list("retry-after") == ["4"]
    if status == 0:
        assert response.headers["retry-after"] == "1"


def test_refusals_on_the_open_protocol_have_its_form(ask):
    assert isinstance(ask(Proxy(503), "/v2/models/m/infer").json()["error"], str)


def test_ray_serves_own_paths_are_left_alone(ask):
    assert ask(Proxy(503), "/-/healthz").content == b"text"
    assert ask(Proxy(503), "/-/routes").content == b"text"


@pytest.mark.parametrize("path", ["/-/", "/-/healthz/", "/-/healthz/x", "/-/predict"])
def test_nothing_else_below_them_passes_the_guard(ask, path):
    assert ask(Proxy(), path, content=b"x" * 101).status_code == 413


def test_headers_that_steer_or_break_ray_serve_do_not_pass(ask):
    proxy = Proxy()
    headers = [
        (b"X-Request-Timeout-Seconds", b"0"),
        (b"x-request-disconnect-disabled", b"?1"),
        (b"serve-multiplexed-model-id", b"x"),
        (b"x-note", b"\xff"),
        (b"x-request-id", b"\xff"),
        (b"x-kept", b"1"),
    ]

    response = ask(proxy, headers=headers)

    assert not {b"x-request-timeout-seconds", b"x-note", b"serve-multiplexed-model-id"} & set(
        proxy.seen
    )
    assert proxy.seen[b"x-kept"] == b"1"
    assert proxy.seen[b"x-request-id"].decode() == response.headers["x-request-id"]


def test_large_body_does_not_reach_the_proxy(ask):
    response = ask(Proxy(), content=b"x" * 101)

    assert response.status_code == 413
    assert response.json()["error"]["code"] == "too_large"


def test_broken_proxy_is_an_internal_error_without_details(ask):
    response = ask(Proxy(error=RuntimeError("/secret")))

    assert response.status_code == 500
    assert "secret" not in response.text


def test_ray_serve_finds_the_guard_by_the_environment(monkeypatch):
    for name, value in environment(777).items():
        monkeypatch.setenv(name, value)

    (guard,) = middlewares()

    assert isinstance(guard, Middleware)
    assert guard.kwargs["limits"].max_body_bytes == 777
    assert environment(1)["RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH"] == (
        "mlops_ray.serve.ingress:middlewares"
    )


def test_disconnect_reaches_the_proxy_after_the_body():
    seen = []
    messages = iter(
        [{"type": "http.request", "body": b"ab", "more_body": False}, {"type": "http.disconnect"}]
    )

    async def proxy(_scope, receive, _send):
        seen.extend([await receive(), await receive()])

    async def receive():
        return next(messages)

    async def send(message):
        pass

    scope = {"type": "http", "path": "/", "headers": []}
    asyncio.run(IngressGuard(proxy, Limits())(scope, receive, send))

    assert [message["type"] for message in seen] == ["http.request", "http.disconnect"]
