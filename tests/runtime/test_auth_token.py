import stat

import pytest

from mlops_ray.runtime.auth_token import has_user_token, token_variables, user_token_file


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_AUTH_MODE"):
        monkeypatch.delenv(name, raising=False)
    return folder


def test_a_private_token_is_made_outside_the_home_folder(tmp_path, home):
    variables = token_variables(tmp_path)

    path = tmp_path / "auth_token"
    assert variables == {"RAY_AUTH_MODE": None, "RAY_AUTH_TOKEN_PATH": str(path)}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(path.read_text()) == 64
    assert list(home.iterdir()) == []


def test_one_process_uses_one_token(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        token_variables(tmp_path / name)

    assert (tmp_path / "a/auth_token").read_text() == (tmp_path / "b/auth_token").read_text()


def test_the_users_token_is_kept(tmp_path, home):
    (home / ".ray").mkdir()
    (home / ".ray/auth_token").write_text("secret")

    assert user_token_file() == home / ".ray/auth_token"
    assert token_variables(tmp_path) == {"RAY_AUTH_MODE": None}
    assert not (tmp_path / "auth_token").exists()


def test_a_token_variable_counts_as_the_users(monkeypatch):
    assert not has_user_token()
    monkeypatch.setenv("RAY_AUTH_TOKEN", "secret")
    assert has_user_token()
