"""What a pipeline file may say under ``data.contract``: the rules that data have to keep.

A rule of a *row* (nulls, range, values, pattern, check, classes) names the rows that break it: it
may tolerate a share or a count of them, or set them aside (``quarantine``). A rule of the *whole*
(type, unique, rows, freshness, balance) has no row to blame, so it can only fail or warn.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

__all__ = [
    "BalanceRule",
    "CheckRule",
    "ColumnContract",
    "ContractConfig",
    "ContractRule",
    "FreshnessRule",
    "LabelsContract",
    "NullsRule",
    "OnViolation",
    "PatternRule",
    "RangeRule",
    "RowsRule",
    "TypeRule",
    "UniqueRule",
    "ValuesRule",
]

OnViolation: TypeAlias = Literal["fail", "warn", "quarantine"]
Scalar: TypeAlias = bool | int | float | str


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


class _Rule(_Strict):
    """A rule; `short` is the key that a bare value stands for."""

    short: ClassVar[str] = ""

    @model_validator(mode="before")
    @classmethod
    def _expand_short_form(cls, value: Any) -> Any:  # noqa: ANN401 - raw YAML
        return {cls.short: value} if cls.short and not isinstance(value, dict) else value


class _RowRule(_Rule):
    """A rule that each row keeps or breaks for itself; without a tolerance no row may break it."""

    on_violation: OnViolation = "fail"
    max_share: float | None = Field(default=None, ge=0, le=1)
    max_count: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _tolerance_fits(self) -> Self:
        given = [name for name in ("max_share", "max_count") if getattr(self, name) is not None]
        if len(given) > 1:
            msg = "a rule takes 'max_share' or 'max_count', not both"
            raise ValueError(msg)
        if given and self.on_violation == "quarantine":
            msg = f"every row that breaks the rule is set aside, so {given[0]!r} says nothing here"
            raise ValueError(msg)
        return self


class _WholeRule(_Rule):
    """A rule that no single row breaks."""

    on_violation: Literal["fail", "warn"] = "fail"


class TypeRule(_WholeRule):
    """The column is there and has this logical type, whatever width its files store."""

    short: ClassVar[str] = "expected"
    expected: Literal[
        "integer", "float", "string", "boolean", "timestamp", "date",
        "decimal", "time", "duration", "binary", "list", "struct", "map",
    ]  # fmt: skip


class NullsRule(_RowRule):
    """How many rows may lack a value (null or NaN); a bare number is the largest share."""

    short: ClassVar[str] = "max_share"


class RangeRule(_RowRule):
    """Bounds of numbers, or of dates and times written as ISO 8601; both belong to the range."""

    min: int | float | str | None = None
    max: int | float | str | None = None

    @model_validator(mode="after")
    def _bounds_fit(self) -> Self:
        if self.min is None and self.max is None:
            msg = "a range needs 'min', 'max' or both"
            raise ValueError(msg)
        if self.min is None or self.max is None:
            return self
        if isinstance(self.min, str) != isinstance(self.max, str):
            msg = "'min' and 'max' are of two kinds: give two numbers or two times"
            raise ValueError(msg)
        if self.min > self.max:  # type: ignore[operator]  # Of one kind.
            msg = f"min ({self.min}) is above max ({self.max})"
            raise ValueError(msg)
        return self


class ValuesRule(_RowRule):
    """The values there may be. `max_share` says how many rows may hold a new one; 1 allows all."""

    short: ClassVar[str] = "allowed"
    allowed: list[Scalar] = Field(min_length=1, max_length=10_000)

    @field_validator("allowed")
    @classmethod
    def _of_one_kind(cls, allowed: list[Scalar]) -> list[Scalar]:
        kinds = {_kind(value) for value in allowed}
        if len(kinds) > 1:
            msg = f"the values are of several kinds: {' and '.join(sorted(kinds))}"
            raise ValueError(msg)
        twice = next((value for value in allowed if allowed.count(value) > 1), None)
        if twice is not None:
            msg = f"{twice!r} is listed twice"
            raise ValueError(msg)
        return allowed


class PatternRule(_RowRule):
    """A regular expression (RE2 syntax) that fits the whole text of every value."""

    short: ClassVar[str] = "regex"
    regex: str = Field(min_length=1, max_length=1000)


class CheckRule(_RowRule):
    """An expression over columns of one row, such as ``end >= start``, that may not be false."""

    short: ClassVar[str] = "expression"
    expression: str = Field(min_length=1, max_length=1000)


class UniqueRule(_WholeRule):
    """No two rows share the values of these columns; rows with a null in one are left out."""

    short: ClassVar[str] = "columns"
    columns: list[str] = Field(min_length=1)

    @field_validator("columns")
    @classmethod
    def _no_column_twice(cls, columns: list[str]) -> list[str]:
        if len(set(columns)) < len(columns):
            msg = "a column is listed twice"
            raise ValueError(msg)
        return columns


class RowsRule(_WholeRule):
    """How many rows there have to be, after those set aside."""

    min: int | None = Field(default=None, ge=0)
    max: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _bounds_fit(self) -> Self:
        if self.min is None and self.max is None:
            msg = "a row count needs 'min', 'max' or both"
            raise ValueError(msg)
        if self.min is not None and self.max is not None and self.min > self.max:
            msg = f"min ({self.min}) is above max ({self.max})"
            raise ValueError(msg)
        return self


class FreshnessRule(_WholeRule):
    """The newest value of a date or time column is at most this old at ``data.as_of``."""

    short: ClassVar[str] = "max_age_days"
    max_age_days: float = Field(ge=0)
    column: str | None = None


class BalanceRule(_WholeRule):
    """Share of the rows that each declared class has to have in each part of the split."""

    min_share: float | None = Field(default=None, ge=0, le=1)
    max_share: float | None = Field(default=None, ge=0, le=1)

    @model_validator(mode="after")
    def _bounds_fit(self) -> Self:
        if self.min_share is None and self.max_share is None:
            msg = "a balance needs 'min_share', 'max_share' or both"
            raise ValueError(msg)
        return self


ContractRule: TypeAlias = (
    TypeRule
    | NullsRule
    | RangeRule
    | ValuesRule
    | PatternRule
    | CheckRule
    | UniqueRule
    | RowsRule
    | FreshnessRule
    | BalanceRule
)


class ColumnContract(_Strict):
    """Rules of one column."""

    type: TypeRule | None = None
    nulls: NullsRule | None = None
    range: RangeRule | None = None
    values: ValuesRule | None = None
    pattern: PatternRule | None = None


class LabelsContract(_Strict):
    """Rules of the target of a classification."""

    classes: ValuesRule | None = None
    balance: BalanceRule | None = None


class ContractConfig(_Strict):
    """All rules; a rule's name is its dotted key below ``data.contract``.

    Example:
        >>> contract = ContractConfig.model_validate({"columns": {"age": {"range": {"min": 0}}}})
        >>> [name for name, _ in contract.rules()]
        ['columns.age.range']
    """

    columns: dict[str, ColumnContract] = Field(default_factory=dict)
    unique: list[UniqueRule] = Field(default_factory=list)
    rows: RowsRule | None = None
    freshness: FreshnessRule | None = None
    checks: list[CheckRule] = Field(default_factory=list)
    labels: LabelsContract | None = None

    def rules(self) -> list[tuple[str, ContractRule]]:
        """Every rule with its name, in the order of this model and of the file."""
        found: list[tuple[str, ContractRule | None]] = []
        for column, rules in self.columns.items():
            found += [(f"columns.{column}.{name}", rule) for name, rule in rules]
        found += [(f"unique.{at}", rule) for at, rule in enumerate(self.unique)]
        found += [("rows", self.rows), ("freshness", self.freshness)]
        found += [(f"checks.{at}", rule) for at, rule in enumerate(self.checks)]
        if self.labels is not None:
            found += [(f"labels.{name}", rule) for name, rule in self.labels]
        return [(name, rule) for name, rule in found if rule is not None]


def as_time(text: str) -> datetime:
    """The time that an ISO 8601 text names; one without a zone is UTC by agreement.

    Raises:
        ValueError: The text is none.
    """
    return datetime.fromisoformat(text)


def _kind(value: Scalar) -> str:
    if isinstance(value, bool):
        return "booleans"
    return "texts" if isinstance(value, str) else "numbers"
