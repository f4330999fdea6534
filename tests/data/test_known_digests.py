import subprocess

import numpy as np
import pytest

from mlops_ray.data.known_digests import check_known, read_digests
from mlops_ray.data.source import InputFile
from mlops_ray.errors import SourceError
from mlops_ray.storage import digest_file


@pytest.fixture
def pinned(tmp_path):
    """Two files and the list that coreutils makes of them."""
    (tmp_path / "sub").mkdir()
    for name in ("a b.csv", "sub/c.csv"):
        (tmp_path / name).write_bytes(b"x\n1\n" + name.encode())
    made = subprocess.run(
        ["/usr/bin/env", "sha256sum", "a b.csv", "./sub/c.csv"],
        cwd=tmp_path, check=True, capture_output=True,
    )  # fmt: skip
    (tmp_path / "SHA256SUMS").write_bytes(made.stdout)

    def digested():
        paths = {name: tmp_path / name for name in ("a b.csv", "sub/c.csv")}
        return [InputFile(n, p, "csv", 1, digest_file(p)) for n, p in paths.items()]

    return digested


def test_every_flipped_bit_is_found(pinned, tmp_path):
    path = tmp_path / "SHA256SUMS"
    check_known(pinned(), read_digests(path), path)
    data, rng = (tmp_path / "sub/c.csv").read_bytes(), np.random.default_rng(3)

    for at in rng.integers(len(data) * 8, size=200):
        flipped = bytearray(data)
        flipped[at // 8] ^= 1 << (at % 8)
        (tmp_path / "sub/c.csv").write_bytes(flipped)
        with pytest.raises(SourceError, match=r"sub/c\.csv: the file is not the one"):
            check_known(pinned(), read_digests(path), path)


def test_a_file_that_is_not_listed_and_a_torn_list_are_errors(pinned, tmp_path):
    path = tmp_path / "SHA256SUMS"
    lines = path.read_text().splitlines()
    path.write_text(lines[0] + "\n")
    with pytest.raises(SourceError, match=r"no digest is known of the file: got sub/c\.csv"):
        check_known(pinned(), read_digests(path), path)

    path.write_text(lines[0] + "\n" + lines[1][:40] + "\n")
    with pytest.raises(SourceError, match=r"SHA256SUMS:2: "):
        read_digests(path)
    with pytest.raises(SourceError, match="cannot read the list"):
        read_digests(tmp_path / "nowhere")
