"""Where the rows of a pipeline come from."""

from __future__ import annotations

import re
from typing import Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["ColumnType", "SourceConfig"]

ColumnType = Literal["integer", "float", "string", "boolean", "timestamp", "date"]
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class SourceConfig(BaseModel):
    """Files, here or in S3, one of scikit-learn's tables, or a query.

    Files are named by a path, a folder, a glob or an ``s3://`` URL of one of these; a table by
    ``sklearn:NAME``. A bare string stands for ``{path: STRING}``. The URL of a database holds its
    password, so a file names the environment variable that holds the URL.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    path: str | None = Field(default=None, min_length=1)
    format: Literal["auto", "parquet", "csv", "jsonl"] = "auto"
    digests: str | None = Field(default=None, min_length=1)
    sql: str | None = Field(default=None, min_length=1)
    url_env: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _expand_short_form(cls, value: Any) -> Any:  # noqa: ANN401 - raw YAML
        return {"path": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.path is None) == (self.sql is None):
            msg = "a source has either a 'path' or an 'sql' query"
            raise ValueError(msg)
        if (self.sql is None) != (self.url_env is None):
            msg = "a query needs 'url_env', the variable that holds the database's URL"
            raise ValueError(msg)
        if self.url_env is not None and not _VARIABLE.fullmatch(self.url_env):
            # Not shown: it may be the URL itself.
            msg = "'url_env' is the name of an environment variable, such as WAREHOUSE_URL"
            raise ValueError(msg)
        if self.sql is not None and (self.digests is not None or self.format != "auto"):
            msg = "'format' and 'digests' are for files, not for a query"
            raise ValueError(msg)
        return self
