"""Whether the metrics of two runs may be compared: only where both saw the same test rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlops_ray.manifest.run_documents import RunDocuments
    from mlops_ray.manifest.spec import Spec

__all__ = ["incomparable_because", "is_split_alike"]


def is_split_alike(a: Spec, b: Spec) -> bool:
    """Whether two specs put the same row into the same part."""
    rules = [(s.split, s.seeds.get("split"), s.data.key, s.data.time) for s in (a, b)]
    return rules[0] == rules[1]


def incomparable_because(a: RunDocuments, b: RunDocuments) -> str:
    """Why the metrics of two runs may not be compared; empty where they may."""
    tests = []
    for run in (a, b):
        if run.result is None or "test" not in run.result.split:
            return f"run {run.envelope.run_id} has no metrics: it is {run.envelope.state}"
        tests.append(run.result.split["test"])
    if a.spec.data.target != b.spec.data.target or a.spec.data.task != b.spec.data.task:
        return "the two runs predict different targets"
    if tests[0].membership == tests[1].membership or _is_same_part(a, b):
        return ""
    why = "the data" if is_split_alike(a.spec, b.spec) else "the split"
    counts = f"{tests[0].n_rows} rows and {tests[1].n_rows} rows"
    return f"the test rows differ, because {why} differs: {counts}"


def _is_same_part(a: RunDocuments, b: RunDocuments) -> bool:
    """Whether two runs read different columns of the same rows, which have other fingerprints."""
    files, columns = (
        [[(file.name, file.sha256) for file in run.spec.data.inputs] for run in (a, b)],
        [run.spec.data.columns.keys() for run in (a, b)],
    )
    is_other_view = columns[0] != columns[1] and files[0] == files[1]
    return is_other_view and is_split_alike(a.spec, b.spec)
