"""`runs sign / export / import` and `verify` of what arrived, as two people use them."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

OPENSSL = shutil.which("openssl") or "openssl"


@pytest.fixture
def keys(project, tmp_path: Path) -> tuple[Path, Path]:
    """A private and a public key."""
    private, public = tmp_path / "key.pem", tmp_path / "ann.pem"
    project.run(OPENSSL, "genpkey", "-algorithm", "ed25519", "-out", private)
    project.run(OPENSSL, "pkey", "-in", private, "-pubout", "-out", public)
    private.chmod(0o600)
    return private, public


@pytest.fixture
def receiver(project, tmp_path: Path):
    """Somebody else, in an empty folder, with another home and no registry."""
    home, folder = tmp_path / "home", tmp_path / "desk"
    home.mkdir()
    folder.mkdir()
    return replace(project, folder=folder, home=home, variables={"USER": "somebody"})


def test_a_signed_run_travels_and_is_trusted_where_it_arrives(
    project, receiver, keys, first_day, tmp_path: Path
) -> None:
    run_id = first_day.run.line["run_id"]
    private, public = keys

    signed = project.mlops_ray("runs", "sign", "latest", "--key", private, "--json")
    exported = project.mlops_ray("runs", "export", "latest", tmp_path / "run.tar", "--json")
    assert (signed.code, exported.code) == (0, 0), signed.stderr + exported.stderr
    assert signed.line["run_id"] == exported.line["run_id"] == run_id
    assert exported.line["inputs_to_supply"] == {}

    trusted = ("--key", public, "--require-signature", "--json")
    offline = receiver.mlops_ray("verify", tmp_path / "run.tar", *trusted)
    imported = receiver.mlops_ray("runs", "import", tmp_path / "run.tar", "--json")
    again = receiver.mlops_ray("runs", "import", tmp_path / "run.tar")
    arrived = receiver.mlops_ray("verify", run_id, *trusted)

    assert (offline.code, imported.code, again.code, arrived.code) == (0, 0, 0, 0)
    assert imported.line["run_id"] == run_id
    assert "was there already; nothing changed" in again.stdout
    for line in (offline.line, arrived.line):
        assert line["ok"]
        # Other tests may have signed the same run; Ann's key is the one that was named.
        vouched = {s["signer"]: s["key_id"] for s in line["signatures"] if s["signer"]}
        assert vouched == {"ann.pem": signed.line["key_id"]}
    assert (
        receiver.mlops_ray("runs", "show", run_id, "--json").line["result_id"]
        == (first_day.run.line["result_id"])
    )
    assert receiver.mlops_ray("runs", "logs", run_id).code == 0


def test_what_is_wrong_has_its_exit_code(project, receiver, keys, tmp_path: Path) -> None:
    project.mlops_ray("runs", "export", "latest", tmp_path / "out")
    victim = next((tmp_path / "out").glob("objects/??/*"))
    lacking = project.mlops_ray("verify", tmp_path / "out", "--key", keys[1], "--require-signature")
    whole = project.mlops_ray("verify", tmp_path / "out")
    victim.chmod(0o644)
    victim.write_bytes(victim.read_bytes() + b"x")
    keys[0].chmod(0o644)
    (tmp_path / "text.tar").write_text("hello")

    damaged = receiver.mlops_ray("verify", tmp_path / "out")
    codes = {
        "damaged import": receiver.mlops_ray("runs", "import", tmp_path / "out").code,
        "target exists": project.mlops_ray("runs", "export", "latest", tmp_path / "out").code,
        "no export": receiver.mlops_ray("verify", tmp_path / "text.tar").code,
        "not there": receiver.mlops_ray("verify", tmp_path / "none.tar").code,
        "open key": project.mlops_ray("runs", "sign", "latest", "--key", keys[0]).code,
    }

    assert (whole.code, lacking.code, damaged.code) == (0, 4, 4)
    assert "no signature" in lacking.stderr or "unknown key" in lacking.stderr
    assert f"sha256:{victim.name}" in damaged.stderr
    assert codes == {
        "damaged import": 4, "target exists": 5, "no export": 65, "not there": 6, "open key": 2,
    }  # fmt: skip
    assert not list(receiver.folder.rglob("sealed.json"))
