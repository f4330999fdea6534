"""What the models of a pipeline file share: their strict base, and the texts that name things."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["IN_A_MODULE", "Column", "Declared"]

Column = Annotated[str, Field(min_length=1)]
IN_A_MODULE: Final = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")  # ``module:Class``.


class Declared(BaseModel):
    """Strict base: no unknown key, no coercion, no infinity, immutable once read."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)
