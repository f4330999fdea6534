"""What rungs count: rounds of a fit, or the share of the training rows that it sees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mlops_ray.config.search import RungUnit

__all__ = ["in_words", "named", "whole_number"]

_MILLION: Final = 1_000_000


def in_words(rung: float, by: RungUnit) -> str:
    """A rung as people read it.

    Example:
        >>> in_words(33, "rounds"), in_words(1 / 9, "data_share")
        ('33 rounds', '11.1 % of the rows')
    """
    return f"{rung} rounds" if by == "rounds" else f"{100 * rung:.3g} % of the rows"


def named(rung: float | None, by: RungUnit) -> dict[str, float | None]:
    """A rung as the member of a JSON object.

    Example:
        >>> named(33, "rounds"), named(0.5, "data_share")
        ({'rounds': 33}, {'share': 0.5})
    """
    return {"rounds" if by == "rounds" else "share": rung}


def whole_number(rung: float, by: RungUnit) -> int:
    """A rung for who counts steps: rounds as they are, shares in rows of a million.

    Example:
        >>> whole_number(33, "rounds"), whole_number(1 / 9, "data_share")
        (33, 111111)
    """
    return int(rung) if by == "rounds" else round(_MILLION * rung)
