"""Rules of a data contract that do not go together with the rest of the pipeline file."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_ray.config.contract import LabelsContract
    from mlops_ray.config.model import DataConfig

__all__ = ["contract_contradictions"]

_Contradiction = tuple[tuple[str | int, ...], str, str]
_CONTRACT = ("data", "contract")


def contract_contradictions(data: DataConfig) -> Iterator[_Contradiction]:
    """Each contradiction as the path of the key to change, what is wrong, and the way out."""
    contract = data.contract
    if contract is None:
        return
    if contract.freshness is not None:
        place = (*_CONTRACT, "freshness")
        if data.as_of is None:
            what = "freshness is judged against 'data.as_of', which is not declared"
            yield place, what, "declare 'data.as_of', such as '2018-12-31'"
        if contract.freshness.column is None and data.time is None:
            yield place, "no column is named", "name its 'column', or declare 'data.time'"
    if contract.labels is not None:
        yield from _labels(contract.labels, data)


def _labels(labels: LabelsContract, data: DataConfig) -> Iterator[_Contradiction]:
    place = (*_CONTRACT, "labels")
    if data.task == "regression":
        yield place, "a regression has no classes", "declare a range of the target in 'columns'"
    if labels.balance is not None and labels.classes is None:
        what = "the balance of classes that are not declared cannot be judged"
        yield (*place, "balance"), what, "declare 'classes' beside it"
