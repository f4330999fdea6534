"""The words in which progress is told, the same on a terminal and in a file."""

from __future__ import annotations

__all__ = ["duration_text", "number_text", "trials_text"]


def duration_text(seconds: float) -> str:
    """A duration as people say it.

    Example:
        >>> [duration_text(s) for s in (0.04, 12.34, 90, 7300)]
        ['0.0 s', '12.3 s', '1 min 30 s', '2 h 1 min']
    """
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def number_text(value: float | None) -> str:
    """A metric's value in six digits, or ``-`` where there is none.

    Example:
        >>> number_text(0.98765432), number_text(None)
        ('0.987654', '-')
    """
    return "-" if value is None else f"{value:.6g}"


def trials_text(done: int, total: int, best: float | None, eta_s: float | None) -> str:
    """How far a search is.

    Example:
        >>> trials_text(3, 20, 0.91, 42.0)
        '3/20 trials, best 0.91, 42.0 s left'
    """
    left = f", {duration_text(eta_s)} left" if eta_s is not None and done < total else ""
    return f"{done}/{total} trials, best {number_text(best)}{left}"
