"""Whether the declared searcher can be had: its packages, or its class in the project's source."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from mlops_ray.errors import ConfigError
from mlops_ray.pipeline.own_classes import check_own_class
from mlops_ray.runtime.environment import SEARCHER_PACKAGES

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_ray.config.loader import LoadedConfig
    from mlops_ray.config.search import SearchConfig

__all__ = ["check_searcher", "uses_optuna"]


def uses_optuna(search: SearchConfig) -> bool:
    """Whether a searcher of Optuna is declared."""
    return search.searcher in {"tpe", "cma_es"}


def check_searcher(loaded: LoadedConfig, root: Path) -> None:
    """Look for the searcher; none of the project's code is run.

    Raises:
        ConfigError: A package is not installed, or the project has no such module or class.
    """
    search, where = loaded.config.search, loaded.document.where(("search", "searcher"))
    if uses_optuna(search):
        missing = [name for name in SEARCHER_PACKAGES if importlib.util.find_spec(name) is None]
        if missing:
            raise ConfigError(
                f"the searcher {search.searcher!r} needs packages that are not installed",
                f"no {' and no '.join(missing)}",
                hint="pip install 'mlops-ray[search]', or take the searcher random or sobol",
                where=where,
            )
    if search.searcher_module is not None:
        hint = "write a class with `ask`, `tell` and `learns`; see 'Searchers' in the guide"
        check_own_class(root, search.searcher, "searcher", hint, where)
