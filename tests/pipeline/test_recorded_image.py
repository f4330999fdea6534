"""`mlops_ray.pipeline.recorded_image`, with an engine that is none: it runs programs as they are.

What it is asked for is held against the options that Podman and Docker document; that a container
keeps them is theirs.
"""

import json
import sys
from pathlib import Path

import pytest

from mlops_ray.errors import ConfigError, ContainerError
from mlops_ray.pipeline.recorded_image import ContainerImage, image_interpreter
from mlops_ray.pipeline.replay import ANSWER_SCHEMA
from mlops_ray.pipeline.replay_process import answer_of_child

ID, MANIFEST, OTHER = "1" * 64, f"sha256:{'2' * 64}", "3" * 64
IMAGES = {
    "here:1": {"Id": ID, "Digest": MANIFEST, "RepoDigests": [f"localhost/here@{MANIFEST}"]},
    "other:1": {"Id": f"sha256:{OTHER}", "RepoDigests": None},  # As Docker says it.
}
ENGINE = f"""#!{sys.executable}
import json, os, sys
images = json.loads({json.dumps(json.dumps(IMAGES))})
word, rest = sys.argv[1], sys.argv[2:]
if rest[0] == "ls":
    print(*(item["Id"] for item in images.values()), sep="\\n")
elif rest[0] == "inspect":
    known = {{**images, **{{item["Id"]: item for item in images.values()}}}}
    if rest[2] not in known:
        sys.exit(f"no such image {{rest[2]}}")
    print(json.dumps([known[name] for name in rest[2:]]))
else:
    at = next(at for at, text in enumerate(rest) if text.startswith("sha256:"))
    options, inside = rest[:at], rest[at + 1 :]
    variables = [b for a, b in zip(options, options[1:]) if a == "--env"]
    os.chdir(options[options.index("--workdir") + 1])
    with open("asked.json", "w") as file:
        json.dump({{"options": options, "image": rest[at]}}, file)
    environment = dict(text.split("=", 1) for text in variables)
    os.execve({sys.executable!r}, ["python3", *inside], environment)
"""
ANSWERS = f"""import json, os, sys
answer = {{"schema": {ANSWER_SCHEMA!r}, "variables": sorted(os.environ)}}
open(sys.argv[1] + "/answer.json", "w").write(json.dumps(answer))
"""


@pytest.fixture
def engine(tmp_path, monkeypatch) -> Path:
    path = tmp_path / "bin" / "docker"
    path.parent.mkdir()
    path.write_text(ENGINE)
    path.chmod(0o755)
    monkeypatch.setenv("PATH", str(path.parent))
    return path


@pytest.fixture
def folder(tmp_path) -> Path:
    """A work folder whose recorded code answers."""
    package = tmp_path / "mlops-ray-work" / "store" / "code" / "mlops_ray" / "pipeline"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").touch()
    (package / "__init__.py").touch()
    (package / "replay.py").write_text(ANSWERS)
    return tmp_path / "mlops-ray-work"


def _interpreter(folder, image=None, recorded=MANIFEST, inputs=()):
    code = folder / "store" / "code"
    return image_interpreter(image or ContainerImage(), recorded, code, folder, inputs)


@pytest.mark.usefixtures("engine")
def test_the_recorded_code_is_executed_by_the_engine_and_answers(folder, monkeypatch) -> None:
    monkeypatch.setenv("OF_THIS_MACHINE", "1")
    inputs = [f"{folder}/store/objects/a", "/archive/b.parquet"]

    answer = answer_of_child(_interpreter(folder, inputs=inputs), folder)

    asked = json.loads((folder / "asked.json").read_bytes())
    assert asked["image"] == f"sha256:{ID}"
    assert {"--rm", "--pull=never", "--network=none"} < set(asked["options"])
    mounts = [text for text in asked["options"] if text.startswith("type=bind")]
    assert mounts == [
        f"type=bind,source={folder},target={folder}",
        "type=bind,source=/archive/b.parquet,target=/archive/b.parquet,readonly",
    ]
    assert {"HOME", "PYTHONPATH", "USER"} <= set(answer["variables"])
    assert "OF_THIS_MACHINE" not in answer["variables"]


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("digest", [MANIFEST, f"sha256:{ID}", f"sha256:{OTHER}"])
def test_an_image_is_known_by_the_digest_of_manifest_or_configuration(folder, digest) -> None:
    wanted = OTHER if OTHER in digest else ID

    assert f"sha256:{wanted}" in _interpreter(folder, recorded=digest).command


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(
    ("image", "recorded", "said"),
    [
        (ContainerImage(), None, "recorded no container image"),
        (ContainerImage(may_differ=True), None, "recorded no container image"),
        (ContainerImage("here:1"), None, "recorded no container image"),
        (ContainerImage(), f"sha256:{'9' * 64}", "the recorded container image is not here"),
        (ContainerImage("other:1"), MANIFEST, "other:1 is not the recorded one"),
        (ContainerImage("absent:1"), MANIFEST, "absent:1 is not here"),
    ],
)
def test_what_is_not_the_recorded_image_is_refused(folder, image, recorded, said) -> None:
    with pytest.raises(ConfigError, match=said) as found:
        _interpreter(folder, image, recorded)

    assert found.value.hint


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("recorded", [MANIFEST, None])
def test_another_image_is_taken_for_who_says_so(folder, recorded) -> None:
    found = _interpreter(folder, ContainerImage("other:1", may_differ=True), recorded)

    assert f"sha256:{OTHER}" in found.command


def test_without_an_engine_it_says_what_to_install(folder, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(ContainerError, match="no container engine") as found:
        _interpreter(folder)

    assert found.value.wanted == "podman or docker"


def test_an_engine_that_does_not_work_is_told_with_its_own_words(engine, folder) -> None:
    engine.write_text(f"#!{sys.executable}\nimport sys\nsys.exit('no daemon')\n")

    with pytest.raises(ContainerError, match="docker does not work") as found:
        _interpreter(folder)

    assert found.value.got == "no daemon"
