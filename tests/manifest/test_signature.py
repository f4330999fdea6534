"""`mlops_ray.manifest.signature` and its keys, statement and check: who vouches for which run."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from mlops_ray.errors import ConfigError, DigestMismatchError, ManifestError
from mlops_ray.manifest import (
    Trust,
    canonical_bytes,
    verify_export,
    verify_run,
)
from mlops_ray.manifest.archive import export_run
from mlops_ray.manifest.signature import pae, parse_signed, sign
from mlops_ray.manifest.signing import sign_run
from mlops_ray.manifest.signing_key import load_public_key, load_signing_key
from mlops_ray.storage import digest

OPENSSL = shutil.which("openssl") or "openssl"
# The example of DSSE's protocol.md, "Test Vectors".
DSSE_TYPE, DSSE_BODY = "http://example.com/HelloWorld", b"hello world"
DSSE_PAE = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


def trust(*keys: Path, required: bool = True) -> Trust:
    return Trust([load_public_key(key) for key in keys], is_required=required)


def files_of(small) -> dict[str, Path]:
    return {path.name: path for path in (small.record.folder / "signatures").iterdir()}


def the_signature(small) -> Path:
    (path,) = (path for name, path in files_of(small).items() if name.endswith(".dsse.json"))
    return path


def problems(found) -> list[tuple[str, str]]:
    assert found.is_ok == (not found.problems)
    return [(problem.object, problem.got) for problem in found.problems]


@pytest.fixture
def signed(small, ann):
    """The small run, signed by Ann."""
    sign_run(small.record, ann[0])
    assert problems(verify_run(small.record, trust(ann[1]))) == []
    return small


# The format.


def test_the_encoding_is_that_of_the_specification() -> None:
    assert pae(DSSE_TYPE, DSSE_BODY) == DSSE_PAE
    assert pae("", b"") == b"DSSEv1 0  0 "
    assert pae("é", b"\x00\xff") == b"DSSEv1 2 \xc3\xa9 2 \x00\xff"  # Bytes count, not letters.


def test_either_alphabet_of_base64_is_read_and_nothing_else(ann) -> None:
    signed = sign(b"\xfb\xff\xfe", DSSE_TYPE, load_signing_key(ann[0]))
    content = json.loads(signed.to_bytes())
    assert parse_signed(signed.to_bytes()) == signed
    assert "+" in content["payload"] or "/" in content["payload"]

    content["payload"] = base64.urlsafe_b64encode(signed.payload).decode()
    assert parse_signed(canonical_bytes(content)) == signed

    for payload in ("+//+=", "+//", "+ //+", "é", 7, None):
        with pytest.raises(ManifestError, match="not a DSSE envelope"):
            parse_signed(canonical_bytes({**content, "payload": payload}))
    for other in (b"", b"[]", b"{}", b"[" * 5000, canonical_bytes({**content, "signatures": []})):
        with pytest.raises(ManifestError, match="not a DSSE envelope"):
            parse_signed(other)


def test_openssl_and_bare_primitives_agree_with_the_signature(signed, ann, tmp_path) -> None:
    content = json.loads(the_signature(signed).read_bytes())
    body = base64.b64decode(content["payload"])
    kind = content["payloadType"].encode()
    message = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(body), body)
    signature = base64.b64decode(content["signatures"][0]["sig"])
    (tmp_path / "message").write_bytes(message)
    (tmp_path / "changed").write_bytes(message[:-1] + b"?")
    (tmp_path / "sig").write_bytes(signature)

    load_pem_public_key(ann[1].read_bytes()).verify(signature, message)
    command = [OPENSSL, "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", ann[1]]
    codes = {
        name: subprocess.run(
            [*command, "-in", tmp_path / name, "-sigfile", tmp_path / "sig"],
            capture_output=True,
            check=False,
        ).returncode
        for name in ("message", "changed")
    }

    assert codes == {"message": 0, "changed": 1}


def test_a_key_is_named_as_openssl_would_name_it(ann) -> None:
    der = subprocess.run(
        [OPENSSL, "pkey", "-pubin", "-in", ann[1], "-outform", "DER"],
        capture_output=True,
        check=True,
    ).stdout

    assert load_public_key(ann[1]).key_id == digest(der)[7:]
    assert load_signing_key(ann[0]).public.key_id == digest(der)[7:]
    assert "PRIVATE" not in repr(load_signing_key(ann[0]))


def test_the_statement_names_the_run_its_model_and_what_it_was_made_of(signed) -> None:
    content = json.loads(parse_signed(the_signature(signed).read_bytes()).payload)
    store, envelope = signed.workspace.store, signed.record.envelope()
    roles = {item.role: item.sha256[7:] for item in envelope.objects}

    assert content["_type"] == "https://in-toto.io/Statement/v1"
    assert content["predicateType"] == "https://slsa.dev/provenance/v1"
    assert {item["name"]: item["digest"]["sha256"] for item in content["subject"]} == {
        "envelope.json": signed.record.envelope_digest()[7:],
        "model/model.json": roles["bundle model.json"],
        "model/signature.json": digest(b"{}")[7:],
    }
    build, details = (content["predicate"][k] for k in ("buildDefinition", "runDetails"))
    assert build["externalParameters"] == {"spec_id": envelope.spec_id}
    assert [item["name"] for item in build["resolvedDependencies"]] == [
        "input/small.csv", "input/big.csv", "code tree",
    ]  # fmt: skip
    assert details["metadata"] == {
        "invocationId": signed.run_id,
        "startedOn": "2026-01-01T00:00:00.000Z",
        "finishedOn": "2026-01-01T00:00:09.000Z",
    }
    assert os.uname().nodename not in json.dumps(content)
    assert store.has(f"sha256:{content['subject'][0]['digest']['sha256']}")


# Signing.


def test_signing_leaves_the_manifest_alone_and_twice_gives_the_same_bytes(small, ann) -> None:
    pointer = small.record.pointer_path.read_bytes()
    names = list(small.workspace.store.names())

    key_id = sign_run(small.record, ann[0])

    first = {name: path.read_bytes() for name, path in files_of(small).items()}
    assert sorted(first) == [f"{key_id[:12]}.dsse.json", f"{key_id[:12]}.pub.pem"]
    assert sign_run(small.record, ann[0]) == key_id
    assert {name: path.read_bytes() for name, path in files_of(small).items()} == first
    assert (small.record.pointer_path.read_bytes(), list(small.workspace.store.names())) == (
        pointer,
        names,
    )


def test_a_damaged_run_is_not_signed(small, ann) -> None:
    name = small.record.envelope().log
    path = small.workspace.store.path(name)
    path.chmod(0o644)
    path.write_bytes(b"another log")

    with pytest.raises(DigestMismatchError, match=name):
        sign_run(small.record, ann[0])

    assert not (small.record.folder / "signatures").exists()


def test_a_key_that_others_can_read_is_refused(small, ann, tmp_path: Path) -> None:
    for mode in (0o640, 0o604, 0o660, 0o644):
        key = tmp_path / f"key-{mode:o}.pem"
        key.write_bytes(ann[0].read_bytes())
        key.chmod(mode)
        with pytest.raises(ConfigError, match=rf"others can read .*{mode:04o}.*chmod 600"):
            sign_run(small.record, key)
    key.chmod(0o400)
    assert sign_run(small.record, key)


def test_other_kinds_of_keys_are_refused_with_the_way_out(small, ann, make_keys, tmp_path) -> None:
    rsa = make_keys("rsa", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")
    curve = make_keys("curve", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
    agreement = make_keys("agreement", "-algorithm", "X25519")
    for private, public in (rsa, curve, agreement):
        with pytest.raises(ConfigError, match=r"of another kind.*Ed25519; make one with"):
            sign_run(small.record, private)
        with pytest.raises(ConfigError, match="of another kind"):
            load_public_key(public)
    text = tmp_path / "text.pem"
    text.write_text("hello")
    text.chmod(0o600)
    public = shutil.copy(ann[1], tmp_path / "public.pem")
    public.chmod(0o600)

    for path, said in ((text, "no private key"), (public, "no private key"),
                       (tmp_path / "none.pem", "cannot be read")):  # fmt: skip
        with pytest.raises(ConfigError, match=said):
            sign_run(small.record, path)
    with pytest.raises(ConfigError, match=r"is a private key.*-pubout"):
        load_public_key(ann[0])
    with pytest.raises(ConfigError, match="is no public key"):
        load_public_key(text)


def test_an_encrypted_key_needs_its_passphrase(small, make_keys, ann, monkeypatch) -> None:
    monkeypatch.setenv("PHRASE", "open sesame")
    monkeypatch.setenv("WRONG", "open barley")
    private, public = make_keys("locked", "-algorithm", "ed25519", "-aes256", "-pass", "env:PHRASE")

    for variable, said in ((None, "is encrypted.*--passphrase-env"), ("WRONG", "cannot be read"),
                           ("NO_SUCH", "no variable 'NO_SUCH'")):  # fmt: skip
        with pytest.raises(ConfigError, match=said):
            sign_run(small.record, private, variable)
    with pytest.raises(ConfigError, match=r"not encrypted; leave"):
        sign_run(small.record, ann[0], "PHRASE")

    sign_run(small.record, private, "PHRASE")
    assert problems(verify_run(small.record, trust(public))) == []
    assert b"open sesame" not in b"".join(p.read_bytes() for p in files_of(small).values())


# Trust.


def test_only_a_key_that_was_named_vouches(signed, ann, bob) -> None:
    nobody, other, signer = (
        verify_run(signed.record, trust(*keys, required=False)).signatures[0]
        for keys in ((), (bob[1],), (bob[1], ann[1]))
    )

    assert [str(s) for s in (nobody, signer)] == ["not by a key you trust", "signed by ann.pub.pem"]
    assert (nobody.is_ok, nobody.signer) == (True, None)
    assert (other.is_ok, other.signer) == (True, None)
    assert (signer.is_ok, signer.signer) == (True, "ann.pub.pem")


def test_a_required_signature_that_is_lacking_is_named(small, ann, bob) -> None:
    assert problems(verify_run(small.record)) == []
    assert problems(verify_run(small.record, trust(ann[1]))) == [("signatures", "no signature")]

    key_id = sign_run(small.record, ann[0])

    assert problems(verify_run(small.record, trust(ann[1]))) == []
    assert problems(verify_run(small.record, trust(bob[1], ann[1]))) == []
    for keys in ((), (bob[1],)):
        assert problems(verify_run(small.record, trust(*keys))) == [
            ("signatures", f"one by the unknown key {key_id[:12]}")
        ]
    sign_run(small.record, bob[0])
    assert problems(verify_run(small.record, trust(bob[1]))) == []
    assert len(verify_run(small.record).signatures) == 2


def test_any_flipped_bit_of_a_signature_or_its_key_is_named(signed, ann) -> None:
    for name, path in files_of(signed).items():
        whole = path.read_bytes()
        for at in range(len(whole)):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ (1 << at % 7)]) + whole[at + 1 :])

            found = verify_run(signed.record)

            assert {problem.role for problem in found.problems} == {"signature"}, (name, at)
            assert not any(signature.signer for signature in found.signatures)
        path.write_bytes(whole)
    assert problems(verify_run(signed.record, trust(ann[1]))) == []


@pytest.mark.parametrize("cut", [b"", b"{}", b"\xff"])
def test_a_signature_or_key_that_was_cut_or_lost_is_named(signed, ann, cut: bytes) -> None:
    for name, path in files_of(signed).items():
        whole = path.read_bytes()
        path.write_bytes(cut)
        assert name.partition(".")[0] in problems(verify_run(signed.record))[0][0]
        path.unlink()
        assert problems(verify_run(signed.record))[0] == (name, "missing")
        assert not verify_run(signed.record, trust(ann[1])).is_ok
        path.write_bytes(whole)
    assert problems(verify_run(signed.record, trust(ann[1]))) == []


def test_a_signature_of_another_run_is_named(signed, other, ann) -> None:
    sign_run(other.record, ann[0])
    path = the_signature(signed)
    whole = path.read_bytes()
    path.write_bytes(the_signature(other).read_bytes())

    found = verify_run(signed.record, trust(ann[1]))

    assert problems(found)[0] == (path.name, f"a signature of run {other.run_id}")
    assert problems(found)[1] == ("signatures", f"a wrong one by key {path.name[:12]}")
    assert [s.signer for s in found.signatures] == [None]
    # Ann is trusted: what is wrong is the signature alone.
    assert [str(s) for s in found.signatures] == ["wrong"]
    path.write_bytes(whole)
    assert problems(verify_run(signed.record, trust(ann[1]))) == []


def test_a_signature_of_the_same_run_sealed_otherwise_is_named(signed, ann) -> None:
    pointer = signed.record.pointer_path.read_bytes()
    signed.seal(signed.envelope(actor="mallory"))

    assert "a signature of the envelope sha256:" in problems(verify_run(signed.record))[0][1]

    signed.record.pointer_path.write_bytes(pointer)
    assert problems(verify_run(signed.record, trust(ann[1]))) == []


def forged(small, ann, **changes) -> str:
    """A valid signature by Ann of something else, in place of hers; what is said of it."""
    path = the_signature(small)
    whole = path.read_bytes()
    signed = parse_signed(whole)
    content = {**json.loads(signed.payload), **changes.pop("statement", {})}
    payload = changes.pop("payload", canonical_bytes(content))
    kind = changes.pop("kind", signed.payload_type)
    path.write_bytes(sign(payload, kind, load_signing_key(ann[0])).to_bytes())
    found = verify_run(small.record, trust(ann[1]))
    path.write_bytes(whole)
    assert [name for name, _ in problems(found)] == [path.name, "signatures"]
    return problems(found)[0][1]


def test_a_valid_signature_of_something_else_does_not_count(signed, ann) -> None:
    subject = json.loads(parse_signed(the_signature(signed).read_bytes()).payload)["subject"]
    stranger = {"name": "model/x", "digest": {"sha256": "0" * 64}}

    assert "payload of type 'text/plain'" in forged(signed, ann, kind="text/plain")
    assert "no statement" in forged(signed, ann, payload=b"hello")
    assert "no statement" in forged(signed, ann, payload=b"[]")
    assert "no statement" in forged(signed, ann, statement={"subject": []})
    assert "another type" in forged(signed, ann, statement={"predicateType": "https://x"})
    assert "other files: model/x" in forged(
        signed, ann, statement={"subject": [*subject, stranger]}
    )
    assert problems(verify_run(signed.record, trust(ann[1]))) == []


def test_a_key_in_anothers_name_is_named(signed, ann, bob) -> None:
    key_file = next(path for name, path in files_of(signed).items() if name.endswith(".pub.pem"))
    whole = key_file.read_bytes()
    key_file.write_bytes(bob[1].read_bytes())

    assert "by another key" in problems(verify_run(signed.record, trust(bob[1])))[0][1]

    key_file.write_bytes(whole)
    assert problems(verify_run(signed.record, trust(ann[1]))) == []


def test_signatures_are_checked_in_a_folder_and_a_tar(signed, ann, bob, tmp_path: Path) -> None:
    for out in ("out", "out.tar"):
        path = export_run(signed.record, tmp_path / out).path

        assert problems(verify_export(path, trust(ann[1]))) == []
        assert verify_export(path, trust(ann[1])).signatures[0].signer == "ann.pub.pem"
        assert problems(verify_export(path, trust(bob[1])))[0][0] == "signatures"
    victim = next((tmp_path / "out/run/signatures").glob("*.dsse.json"))
    victim.chmod(0o644)
    victim.write_bytes(victim.read_bytes().replace(b"payloadType", b"payloadtype"))
    assert problems(verify_export(tmp_path / "out"))[0][0] == victim.name


def test_a_file_that_is_no_signature_is_named(signed) -> None:
    (signed.record.folder / "signatures" / "notes.txt").write_text("hello")

    assert ("notes.txt", "no file of a signature") in problems(verify_run(signed.record))


def test_an_unsigned_run_needs_no_library_for_signatures(small) -> None:
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from mlops_ray.manifest import find_run, verify_run\n"
        "from mlops_ray.storage import find_workspace\n"
        "workspace = find_workspace(Path(sys.argv[1]), sys.argv[1])\n"
        "print(verify_run(find_run(workspace, 'latest')).is_ok, 'cryptography' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, small.workspace.store_root], capture_output=True, check=True
    )

    assert done.stdout.split() == [b"True", b"False"]
