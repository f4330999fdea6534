"""What of a project's files is captured as its code, beside what Python can import."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

__all__ = ["CodeConfig"]


def _inside_project(pattern: str) -> str:
    parts = pattern.split("/")
    if pattern.startswith(("/", "~")) or ".." in parts or "\\" in pattern:
        msg = f"{pattern!r} leaves the project: patterns are relative to its root, with '/'"
        raise ValueError(msg)
    if not pattern or "" in parts[:-1]:
        msg = f"{pattern!r} is not a pattern such as 'rules/*.json'"
        raise ValueError(msg)
    if pattern.endswith(".ipynb"):
        msg = "a notebook cannot be imported: export the cells to a .py file"
        raise ValueError(msg)
    return pattern


Pattern = Annotated[str, AfterValidator(_inside_project)]


class CodeConfig(BaseModel):
    """Which files a run's code bundle holds.

    Without any of this it holds the ``*.py`` files below the project root, less hidden folders,
    virtual environments, build products and tests. Patterns are relative to the project root:
    ``*`` is any part of a name, ``**`` any number of folders; a leading dot must be written out.

    Attributes:
        include: Further files, such as ``rules/*.json`` or ``tests/factories.py``.
        exclude: Files that are left out, also of those that `include` names.
        max_mib: Largest bundle, in MiB.
    """

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)

    include: list[Pattern] = Field(default_factory=list)
    exclude: list[Pattern] = Field(default_factory=list)
    max_mib: float = Field(default=50.0, gt=0, le=500)
