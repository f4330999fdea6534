"""The code that a run executes: the bundle it was started from, or the project as it lies now."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_ray.config.loader import load_config
from mlops_ray.errors import ConfigError, Where
from mlops_ray.manifest import CodeFacts
from mlops_ray.runtime.code import ENGINE, ENGINE_FOLDER, CodeBundle
from mlops_ray.runtime.code_bundle import extracted
from mlops_ray.runtime.code_capture import capture
from mlops_ray.runtime.loaded_code import edited_since_loaded
from mlops_ray.runtime.relaunch import execute, running_bundle, running_code
from mlops_ray.storage import fail_point, find_workspace, project_root

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_ray.config.code import CodeConfig

__all__ = ["bundle_to_start", "captured", "facts_of", "relaunch"]


def captured(root: Path, declared: CodeConfig, store_root: Path | None = None) -> CodeBundle:
    """The code of this process: its bundle's, else the project's as it is.

    Args:
        root: Project root.
        declared: What is captured beside importable Python.
        store_root: Local folder of the store, which is not part of the project.

    Raises:
        ConfigError: The project's code holds a secret, is too large, was edited after this process
            had loaded it, or `declared` names a file that may not be taken along.
        StoreError: The bundle that runs was changed.
    """
    running = running_code()
    if running is not None:
        return running
    bundle = _project(root, declared, store_root)
    _check_loaded(bundle, root)
    return bundle


def facts_of(bundle: CodeBundle) -> CodeFacts:
    """What the spec says of a bundle."""
    return CodeFacts(tree=bundle.digest, n_files=len(bundle.files))


def relaunch(
    config: str | Path,
    *,
    overrides: Sequence[str] = (),
    store: str | Path | None = None,
) -> None:
    """Capture the project's code and start this script anew from it, in the same process.

    Call it first, before anything else is imported from the project. It comes back in the process
    that runs from captured code, and where the pipeline file is wrong: `Pipeline` says how.

    Args:
        config: Path of the pipeline file.
        overrides: ``dotted.key=value`` texts that win over the file.
        store: Folder or URL of the store; else ``MLOPS_RAY_STORE``; else ``.mlops_ray/store``.

    Raises:
        ConfigError: A file of the project cannot be captured.
        StoreError: The store cannot be written.
    """
    folder = bundle_to_start(config, overrides, store)
    if folder is not None:
        root = project_root(Path(config).absolute().parent)
        execute(folder, _this_script(root, folder))


def bundle_to_start(
    config: str | Path, overrides: Sequence[str] = (), store: str | Path | None = None
) -> Path | None:
    """The extracted code that a program has to be started from; None where it need not be.

    Raises:
        ConfigError: A file of the project cannot be captured.
        StoreError: The store cannot be written.
    """
    if running_bundle() is not None:
        return None
    try:
        loaded = load_config(Path(config), overrides)
    except ConfigError:
        return None  # Whoever loads it next reports all its mistakes, parameters included.
    root = project_root(Path(config).absolute().parent)
    workspace = find_workspace(root, store)
    bundle = _project(root, loaded.config.code, workspace.store_root)
    workspace.prepare()
    fail_point("run.code_captured")
    folder = extracted(bundle, workspace.store_root)
    fail_point("run.code_extracted")
    return folder


def _project(root: Path, declared: CodeConfig, store_root: Path | None) -> CodeBundle:
    return capture(
        root,
        include=declared.include,
        exclude=declared.exclude,
        max_bytes=int(declared.max_mib * 2**20),
        skip=() if store_root is None else (store_root,),
    )


def _this_script(root: Path, folder: Path) -> list[str]:
    """The running script, as it was captured where it belongs to the project."""
    script = Path(sys.argv[0]).resolve()
    if script.is_relative_to(root.resolve()):
        copy = folder / script.relative_to(root.resolve())
        script = copy if copy.is_file() else script
    return [str(script), *sys.argv[1:]]


def _check_loaded(bundle: CodeBundle, root: Path) -> None:
    places = {
        (ENGINE_FOLDER.parent if path.startswith(f"{ENGINE}/") else root.absolute()) / path: data
        for path, data in bundle.files.items()
        if path.endswith(".py")
    }
    edited = edited_since_loaded(places)
    if edited:
        raise ConfigError(
            "a file was edited after this process had loaded it",
            f"{edited[0].name}, {len(edited)} in all",
            "the code that is captured to be the code that runs",
            "restart the notebook's kernel or the program; `mlops-ray run` always starts anew",
            Where(file=str(edited[0])),
        )
