import multiprocessing
import os
import signal
import stat

import pytest

from mlops_ray.runtime.session_folder import session_folder


def hold(parent, ready):
    with session_folder(parent):
        ready.set()
        signal.pause()


@pytest.fixture
def holder(tmp_path):
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    process = context.Process(target=hold, args=(tmp_path, ready))
    process.start()
    assert ready.wait(30)
    yield process
    process.kill()
    process.join()


def test_folder_is_private_and_goes_with_the_block(tmp_path):
    with session_folder(tmp_path) as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        (folder / "spilled").write_bytes(b"x")

    assert list(tmp_path.iterdir()) == []


def test_folder_goes_also_when_the_block_fails(tmp_path):
    with pytest.raises(KeyError), session_folder(tmp_path):
        raise KeyError

    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("holder")
def test_a_living_session_is_not_swept(tmp_path):
    (other,) = tmp_path.iterdir()

    with session_folder(tmp_path) as folder:
        assert set(tmp_path.iterdir()) == {folder, other}


def test_a_killed_session_is_swept(tmp_path, holder):
    (other,) = tmp_path.iterdir()
    os.kill(holder.pid, signal.SIGKILL)
    holder.join()
    assert other.exists()

    with session_folder(tmp_path) as folder:
        assert list(tmp_path.iterdir()) == [folder]


def test_folder_stays_short_enough_for_sockets(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / ("x" * 60)))

    with session_folder() as folder:
        assert len(str(folder)) < 45
