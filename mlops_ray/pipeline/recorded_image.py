"""The container image that a run recorded, as the interpreter that executes it again.

A run records the digest of its image where whoever started it told it (``MLOPS_RAY_IMAGE_DIGEST``).
Podman or Docker runs that image here, if the engine holds it: nothing is pulled. Inside there is no
network, and of this machine only the work folder and, to be read, inputs from ``--data``; neither
the recorded store nor the recorded result. The image needs ``python3`` and what the run needed to
be installed; the package itself comes from the recorded code. Variables are those of the image, and
none that the recorded container may have been started with.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mlops_ray.errors import ConfigError, ContainerError
from mlops_ray.pipeline.replay_process import Interpreter
from mlops_ray.runtime.code_bundle import import_paths
from mlops_ray.runtime.resources import object_store_bytes

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

__all__ = ["RECORDED", "ContainerImage", "image_interpreter"]

RECORDED: Final = "recorded"
_ENGINES: Final = ("podman", "docker")
_ANSWER_WITHIN_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class ContainerImage:
    """The image to execute a run in.

    Attributes:
        ref: Name, digest or id; ``recorded`` takes the one with the digest that the run recorded.
        may_differ: Whether `ref` may have another digest than the recorded one.
    """

    ref: str = RECORDED
    may_differ: bool = False


def image_interpreter(
    image: ContainerImage, recorded: str | None, code: Path, folder: Path, inputs: Collection[str]
) -> Interpreter:
    """How to execute recorded code in an image.

    Args:
        image: Which.
        recorded: Digest that the run recorded, if any.
        code: The extracted code, below `folder`.
        folder: The work folder, which the container can write.
        inputs: Paths of the inputs; those outside `folder` can be read.

    Raises:
        ConfigError: The run recorded no image, the engine does not hold it, or `image` is another.
        ContainerError: There is no engine, or it does not work.
    """
    if recorded is None and (image.ref == RECORDED or not image.may_differ):
        raise ConfigError(
            "the run recorded no container image",
            wanted="MLOPS_RAY_IMAGE_DIGEST in the environment of the run",
            hint="leave out --image, or name one with --image REF --other-image",
        )
    engine = _engine()
    found = _chosen(engine, image, recorded)
    outside = [path for path in inputs if not path.startswith(f"{folder}{os.sep}")]
    mounts = [_mount(str(folder)), *(_mount(path, ",readonly") for path in outside)]
    variables = {
        "PYTHONPATH": os.pathsep.join(import_paths(code)),
        "HOME": str(folder),
        "USER": "mlops-ray",  # The image need not know the user that runs it.
    }
    options = [
        *("--rm", "--pull=never", "--network=none", "--security-opt=label=disable"),
        *("--name", folder.name, "--workdir", str(folder), "--entrypoint", "python3"),
        *("--user", f"{os.getuid()}:{os.getgid()}", *_mapping(engine)),
        f"--shm-size={object_store_bytes()}b",  # Ray's store lies there; engines give 64 MB.
        *(word for mount in mounts for word in ("--mount", mount)),
        *(word for key, text in variables.items() for word in ("--env", f"{key}={text}")),
    ]
    return Interpreter(
        command=(engine, "run", *options, found),
        environment=dict(os.environ),  # The engine's own; none of it reaches the container.
        afterwards=(engine, "rm", "--force", folder.name),
    )


def _engine() -> str:
    found = next(filter(None, map(shutil.which, _ENGINES)), None)
    if found is None:
        raise ContainerError(
            "no container engine is installed here",
            wanted=" or ".join(_ENGINES),
            hint="install one, or leave out --image",
        )
    return found


def _chosen(engine: str, image: ContainerImage, recorded: str | None) -> str:
    """Id of the image, for nothing else is sure to be taken from what is here."""
    here = _call(engine, "image", "ls", "--quiet", "--no-trunc").split()  # Also: does it work?
    if image.ref == RECORDED:
        known = _inspected(engine, sorted(set(here)))
        found = [item for item in known if recorded in _digests(item)]
        if not found:
            raise ConfigError(
                "the recorded container image is not here",
                wanted=str(recorded),
                hint=f"`{os.path.basename(engine)} pull NAME@{recorded}`",  # noqa: PTH119
            )
        return _identifier(found[0])
    item = _named(engine, image.ref)
    if recorded not in _digests(item) and not image.may_differ:
        raise ConfigError(
            f"the container image {image.ref} is not the recorded one",
            ", ".join(sorted(_digests(item))),
            str(recorded),
            "take --image recorded, or add --other-image",
        )
    return _identifier(item)


def _named(engine: str, ref: str) -> dict[str, Any]:
    try:
        return _inspected(engine, [ref])[0]
    except ContainerError as error:  # The engine has just answered, so it is the name.
        raise ConfigError(
            f"the container image {ref} is not here",
            error.got,
            hint=f"`{os.path.basename(engine)} pull {ref}`",  # noqa: PTH119
        ) from error


def _inspected(engine: str, names: Sequence[str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (
        json.loads(_call(engine, "image", "inspect", "--", *names)) if names else []
    )
    return found


def _identifier(item: dict[str, Any]) -> str:
    return f"sha256:{item['Id'].removeprefix('sha256:')}"


def _digests(item: dict[str, Any]) -> set[str]:
    """Whatever may have been told as its digest: of its manifests, and of its configuration."""
    named = {name.partition("@")[2] for name in item.get("RepoDigests") or ()}
    return (named | {_identifier(item), item.get("Digest", "")}) - {""}


def _mapping(engine: str) -> list[str]:
    """Rootless Podman would map the user to one that may not write the work folder."""
    is_rootless = engine.endswith("podman") and os.getuid() != 0
    return ["--userns=keep-id"] if is_rootless else []


def _mount(path: str, mode: str = "") -> str:
    return f"type=bind,source={path},target={path}{mode}"


def _call(engine: str, *arguments: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - an engine that was looked up, no shell
            [engine, *arguments],
            capture_output=True,
            text=True,
            timeout=_ANSWER_WITHIN_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _broken(engine, str(error)) from error
    if done.returncode:
        raise _broken(engine, done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "")
    return done.stdout


def _broken(engine: str, got: str) -> ContainerError:
    name = os.path.basename(engine)  # noqa: PTH119
    return ContainerError(
        f"the container engine {name} does not work",
        got,
        hint=f"`{name} info` says more; or leave out --image",
    )
