"""The words in which progress is told, the same on a terminal and in a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlops_ray.telemetry.standing import Standing

__all__ = ["duration_text", "number_text", "standing_text", "word"]


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


def standing_text(standing: Standing) -> str:
    """How a search stands.

    Example:
        >>> from mlops_ray.telemetry.standing import Standing, TrialLine
        >>> first, second = TrialLine(0, "finished", 0.91), TrialLine(1, "failed")
        >>> counts = {"finished": 1, "failed": 1}
        >>> standing_text(Standing(2, 20, second, "f1", (first,), counts, 42.0, 1.94, 2.0))
        '2/20 trials (1 failed), best 0.91 of trial 0, 42.0 s left, 1.9 of 2 CPUs'
    """
    others = {name: n for name, n in standing.counts.items() if name != "finished"}
    parts = [f"{standing.done}/{standing.total} trials"]
    if others:
        parts[0] += f" ({', '.join(f'{n} {word(name)}' for name, n in others.items())})"
    of_trial = f" of trial {standing.leaders[0].index}" if standing.leaders else ""
    parts.append(f"best {number_text(standing.best)}{of_trial}")
    if standing.eta_s is not None and standing.done < standing.total:
        parts.append(f"{duration_text(standing.eta_s)} left")
    if standing.cpus_used is not None:
        parts.append(f"{standing.cpus_used:.1f} of {standing.cpus:g} CPUs")
    return ", ".join(parts)


def word(status: str) -> str:
    """A status as people say it.

    Example:
        >>> word("timed_out")
        'timed out'
    """
    return status.replace("_", " ")
