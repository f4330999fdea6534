"""Which steps are computed together, and that finding out takes one look at each."""

from mlops_ray.features import FeatureState, number_feature
from mlops_ray.features.fitted import Feature, FittedStep
from mlops_ray.features.layout import scheduled
from mlops_ray.features.values import Node

SHIFT = {"offset": 1.0, "scale": 2.0}


def test_steps_of_a_key_wait_for_each_other():
    again = Feature(
        ("b",), ("float",), "number",
        tuple(FittedStep(name, (SHIFT,)) for name in ("standardize", "robust")),
    )  # fmt: skip
    first = Feature(("a",), ("float",), "number", (FittedStep("robust", (SHIFT,)),))

    groups = scheduled(FeatureState((first, again)).graph)

    assert [[node.columns for node in group] for group in groups] == [[("b",)], [("a",), ("b",)]]


def test_many_columns_are_not_compared_each_with_each(monkeypatch):
    names = [f"c{at}" for at in range(300)]
    state = FeatureState(
        tuple(number_feature(name, "float", fill=0.0, offset=1.0, scale=2.0) for name in names)
    )
    compared = []
    same = Node.__eq__
    monkeypatch.setattr(Node, "__eq__", lambda a, b: compared.append(1) or same(a, b))

    groups = scheduled(state.graph)

    assert [len(group) for group in groups] == [300, 300]
    assert len(compared) < 300
