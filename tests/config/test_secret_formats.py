"""`mlops_ray.config.secret_formats`: tokens anywhere in a text, placeholders and words nowhere."""

import importlib.util
from pathlib import Path

import pytest

from mlops_ray.config.secret_formats import environment_secrets, redacted, shown, spans
from mlops_ray.config.secret_scan import secrets_in

# In parts, so that no scanner takes this file for a leak.
BODY = "Kq83ZmVx" + "Pq92LmNb" + "Tz47RcWd" + "Yh61GsJf" + "Uv05"
TOKENS = {
    "OpenAI Token": ["sk-" + BODY, "sk-proj-" + BODY, "sk-svcacct-a_b-" + BODY, "sk-live-" + BODY],
    "Anthropic Token": ["sk-ant-" + "api03-" + BODY],
    "AWS Access Key": ["AKIA" + "IOSFODNN7QQQQQQQ", "ASIA" + "IOSFODNN7QQQQQQQ"],
    "Google API Key": ["AIza" + BODY[:35], "GOCSPX-" + BODY],
    "Azure Storage Account access key": ["AccountKey=" + BODY * 2 + "=="],
    "Azure Client Secret": ["abc8Q~" + BODY[:34]],
    "GitHub Token": ["ghp_" + BODY, "github_pat_" + BODY],
    "GitLab Token": ["glpat-" + BODY],
    "Hugging Face Token": ["hf_" + BODY[:34]],
    "Slack Token": ["xoxb-" + "123456789-" + BODY, "hooks.slack.com/services/T1" + "/B2/" + BODY],
    "Stripe Access Key": ["sk_live_" + BODY, "rk_test_" + BODY, "whsec_" + BODY],
    "NPM tokens": ["npm_" + BODY[:36]],
    "Databricks Token": ["dapi" + "0123456789abcdef" * 2],
    "Vault Token": ["hvs." + BODY],
    "Groq Token": ["gsk_" + BODY * 2],
    "JSON Web Token": ["eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxMjM0In0." + BODY],
    "Authorization Header": ["Bearer " + BODY, '"Authorization": "Basic ' + 'dXNlcjpwYXNz"'],
    "Private Key": ["-----BEGIN RSA " + "PRIVATE KEY-----"],
    "Basic Auth Credentials": [
        "postgresql://shop:" + "p@$s!w'd"[:5] + "@db/shop",
        "https://" + BODY[:24] + "@host/x",
        "ray://user:" + "pw@head:10001",
    ],
    "Token in a URL": ["https://host/x?a=1&sig=" + BODY, "https://host/x?access_token=" + BODY],
    "Database Password": ["host=db user=shop " + "password=hunter2x"],
}
PLACES = (
    "client = Client('{}')",
    "TOKENS = ['a', \"{}\"]",
    'headers={{"X": "{}"}}',
    "# {}",
    "{}",
)
CASES = [(kind, token) for kind, tokens in TOKENS.items() for token in tokens]


@pytest.mark.parametrize(("kind", "token"), CASES)
def test_a_token_is_found_by_line_and_kind_wherever_it_stands(kind, token):
    for place in PLACES:
        text = f"import os\n\n{place.format(token)}\n"
        findings = secrets_in({"a.py": text.encode()})

        assert ("a.py", 3, kind) in findings, place
        assert not secrets_in({"a.py": text.replace(token, "x").encode()})
        assert BODY[:20] not in redacted(text)
        assert f"<{kind}>" in redacted(text)


@pytest.mark.parametrize(
    "line",
    [
        'ACCESS_TOKEN = "' + BODY + '"',
        'TOKENS = ["' + BODY + '"]',
        'os.environ.setdefault("API_KEY", "' + BODY + '")',
        'connect(auth_token="' + BODY + '")',
        '{"credential": "' + BODY + '"}',
        'SECRET = (\n    "' + BODY + '"\n)',
    ],
)
def test_a_text_without_a_format_is_found_by_the_name_it_is_given(line):
    assert "Secret Keyword" in [span.kind for span in spans(line)]
    assert not list(spans(line.replace(BODY, "a plain sentence")))


@pytest.mark.parametrize(
    "line",
    [
        "url = f'postgresql://{user}:{password}@{host}/db'",
        "url = 'https://$USER:$PASSWORD@host'",
        "headers = {'Authorization': f'Bearer {token}'}",
        "headers = {'Authorization': 'Bearer ' + token}",
        ".sk-toggleable__content-container, .sk-estimator-doc-link { sk-top-container-2 }",
        "task-proj-identifiers_of_something_long_2024",
        "token = tokenizer(text, max_length=1234567890123456)",
        "password = os.environ['SHOP_PASSWORD_FOR_2024']",
        "https://host:8000/x, me@host",
        "https://host/x?token={token}&sig=$SIG",
        "git@github.com:owner/name.git registry/name:v1.2.3@sha256:" + "0a" * 32,
        "sha256:" + "0a1b2c3d" * 8,
        "connect(host='db', user='shop', password=given)",
    ],
)
def test_placeholders_names_and_digests_are_no_secrets(line):
    assert list(spans(line)) == []
    assert redacted(line) == line


@pytest.mark.parametrize("package", ["sklearn", "xgboost", "skops"])
def test_the_sources_of_known_packages_hold_none(package):
    folder = Path(importlib.util.find_spec(package).origin).parent
    texts = [path.read_text("utf-8", "replace") for path in folder.rglob("*.py")]

    assert len(texts) > 10
    assert [found for text in texts for found in spans(text)] == []


def test_the_value_of_a_secret_variable_is_found_and_no_other(monkeypatch):
    password = "correct" + "-horse-7"
    line = f"notes: {password}"
    assert list(spans(line)) == []

    monkeypatch.setenv("SHOP_PASSWORD", password)
    assert [span.kind for span in spans(line)] == ["value of SHOP_PASSWORD"]
    assert redacted(line) == "notes: <value of SHOP_PASSWORD>"

    monkeypatch.delenv("SHOP_PASSWORD")
    for name, value in {
        "API_TOKEN": "short1",
        "DB_PASSWORD": "alphabetical",
        "RAY_AUTH_TOKEN_PATH": password,
        "HOME_TOKEN": "/etc/token1",
        "EDITION": password,
    }.items():
        monkeypatch.setenv(name, value)
        assert name not in environment_secrets()


def test_a_message_shows_words_and_numbers_only():
    given = ["binray", "", 3, True, None, "hunter2", "a b c d e", ["x"]]

    assert [shown(value) for value in given] == [
        "'binray'", "''", "3", "True", "None", "text (7 characters)", "text (9 characters)", "list",
    ]  # fmt: skip


def test_binary_files_and_utf_16_are_looked_at_too():
    token = "hf_" + BODY[:34]
    line = f"password = '{BODY}'"

    assert secrets_in({"a.bin": b"\0" + token.encode()}) == [("a.bin", 1, "Hugging Face Token")]
    assert secrets_in({"a.txt": line.encode("utf-16")})
    assert not secrets_in({"a.txt": "password".encode("utf-16"), "a.bin": b"\0password"})


def test_a_line_can_be_allowed():
    line = f"Client('hf_{BODY[:34]}')"

    assert secrets_in({"a.py": line.encode()})
    assert not secrets_in({"a.py": f"{line}  # pragma: allowlist secret".encode()})
