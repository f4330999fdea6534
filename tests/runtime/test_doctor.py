from mlops_ray.runtime.doctor import Check, examine


def test_all_checks_have_a_name_and_a_finding(tmp_path, monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)

    checks = examine(tmp_path / "store", str(tmp_path / "registry.db"))

    names = [check.name for check in checks]
    assert len(names) == len(set(names))
    assert {"python", "disk", "store", "registry", "ray auth", "port 8000"} <= set(names)
    assert all(check.detail for check in checks)
    assert all(check.fix for check in checks if check.status == "fail")


def test_examining_writes_nothing(tmp_path):
    examine(tmp_path / "store", str(tmp_path / "registry.db"))

    assert list(tmp_path.iterdir()) == []


def test_a_check_is_plain_json():
    assert Check("disk", "ok", "5 GiB").to_json() == {
        "name": "disk",
        "status": "ok",
        "detail": "5 GiB",
        "fix": "",
    }
