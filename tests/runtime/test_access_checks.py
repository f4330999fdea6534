import pytest

from mlops_ray.runtime.access_checks import check_auth, check_cluster, check_registry, check_store


@pytest.fixture
def token(tmp_path, monkeypatch):
    path = tmp_path / "token"
    path.write_text("secret")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(path))
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    return path


def test_a_token_that_others_can_read_is_warned_of(token):
    token.chmod(0o644)
    check = check_auth()
    assert (check.status, check.fix) == ("warn", f"chmod 600 {token}")

    token.chmod(0o600)
    assert check_auth().status == "ok"


@pytest.mark.usefixtures("token")
def test_the_token_itself_is_never_shown():
    assert "secret" not in str(check_auth().to_json())


def test_open_ports_are_warned_of(monkeypatch):
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")

    assert check_auth().status == "warn"


def test_no_address_means_a_cluster_of_its_own(monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)

    assert check_cluster().status == "ok"


def test_an_unreachable_address_fails(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")

    check = check_cluster()

    assert check.status == "fail"
    assert "127.0.0.1:1" in check.detail


def test_a_store_that_does_not_exist_yet_is_fine(tmp_path):
    assert check_store(tmp_path / "a/b").status == "ok"


def test_a_store_below_a_file_fails(tmp_path):
    (tmp_path / "file").write_text("")

    check = check_store(tmp_path / "file/store")

    assert check.status == "fail"
    assert "MLOPS_RAY_STORE" in check.fix


@pytest.mark.parametrize("form", ["{}", "sqlite:///{}"])
def test_a_registry_file_is_looked_at_as_path_and_as_url(tmp_path, form):
    good = form.format(tmp_path / "registry.db")
    bad = form.format(tmp_path / "file/registry.db")
    (tmp_path / "file").write_text("")

    assert check_registry(good).status == "ok"
    assert check_registry(bad).status == "fail"


def test_a_database_server_is_not_contacted():
    assert check_registry("postgresql://nowhere.invalid/db").status == "ok"
