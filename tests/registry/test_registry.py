from __future__ import annotations

import pytest

from mlops_ray.errors import ConfigError, ConflictError, NotFoundError, NotPermittedError


def test_versions_count_from_one_per_model(registry, new_version):
    numbers = [registry.register("a", **new_version(tag)).version for tag in "123"]

    assert numbers == [1, 2, 3]
    assert registry.register("b", **new_version("1")).version == 1
    assert [summary.model for summary in registry.models()] == ["a", "b"]


def test_same_bundle_keeps_its_version_and_its_run(registry, new_version):
    first = registry.register("a", **new_version("1"))
    again = registry.register("a", **new_version("1", run_id="another"))

    assert again == first
    assert len(registry.history("a")) == 1


def test_registering_with_an_alias_moves_it_in_one_step(registry, new_version):
    registry.register("a", **new_version("1"), alias="challenger")
    second = registry.register("a", **new_version("2"), alias="challenger")

    assert second.aliases == ("challenger",)
    assert registry.resolve("a@challenger").version == 2
    assert registry.resolve("a@1").aliases == ()


def test_metrics_come_back_as_floats(registry, new_version):
    registry.register("a", **new_version("1", metrics={"r2": 1.0, "rmse": float("inf")}))

    metrics = registry.resolve("a@1").metrics

    assert metrics == {"r2": 1.0, "rmse": float("inf")}
    assert isinstance(metrics["r2"], float)


def test_promotion_counts_revisions_and_a_repeat_is_a_no_op(registry, new_version):
    registry.register("a", **new_version("1"))
    registry.register("a", **new_version("2"))

    moves = [registry.promote(f"a@{n}", "champion", actor="bob") for n in (1, 2, 2)]

    assert [(m.version, m.previous, m.rev, m.has_moved) for m in moves] == [
        (1, None, 1, True),
        (2, 1, 2, True),
        (2, 2, 2, False),
    ]
    assert registry.resolve("a").version == 2


def test_stale_revision_is_a_conflict_that_names_who_won(registry, new_version):
    registry.register("a", **new_version("1"), alias="champion")
    registry.register("a", **new_version("2"))
    registry.promote("a@2", "champion", actor="bob", expected_rev=1)

    with pytest.raises(ConflictError, match=r"version 2 by bob.*revision 2"):
        registry.promote("a@1", "champion", actor="eve", expected_rev=1)
    assert registry.resolve("a").version == 2


def test_expected_revision_zero_means_a_new_alias(registry, new_version):
    registry.register("a", **new_version("1"))

    assert registry.promote("a@1", "blue", actor="bob", expected_rev=0).rev == 1
    with pytest.raises(ConflictError, match="revision 1"):
        registry.promote("a@1", "blue", actor="bob", expected_rev=0)


@pytest.mark.parametrize(
    "gates", [[], [{"metric": "roc_auc", "verdict": "FAIL"}], [{"verdict": "UNKNOWN"}], [{}]]
)
def test_version_without_a_passed_gate_gets_no_alias(registry, new_version, gates):
    registry.register("a", **new_version("1", gates=gates))

    with pytest.raises(NotPermittedError, match="wanted PASS"):
        registry.promote("a@1", "champion", actor="bob")


def test_refused_alias_leaves_no_version_behind(registry, new_version):
    with pytest.raises(NotPermittedError):
        registry.register("a", **new_version("1", gates=[]), alias="champion")

    assert registry.models() == []


def test_override_lets_a_version_through(registry, new_version):
    gates = [{"verdict": "PASS"}, {"verdict": "OVERRIDDEN", "reason": "known", "actor": "cto"}]
    registry.register("a", **new_version("1", gates=gates))

    assert registry.promote("a@1", "champion", actor="bob").has_moved


def test_nothing_found_says_what_there_is_and_how_to_get_it(registry, new_version):
    with pytest.raises(NotFoundError, match="no model 'a': got models none; mlops-ray run"):
        registry.resolve("a")
    registry.register("a", **new_version("1"), alias="challenger")
    with pytest.raises(NotFoundError, match=r"challenger.*; mlops-ray models promote a@1 champion"):
        registry.resolve("a")
    with pytest.raises(NotFoundError, match="no version 7: got versions 1 to 1"):
        registry.resolve("a@7")
    with pytest.raises(NotFoundError, match="got models a;"):
        registry.versions("b")


def test_bad_names_are_refused_before_the_database_is_touched(tmp_path, registry, new_version):
    with pytest.raises(ConfigError):
        registry.register("../a", **new_version("1"))
    with pytest.raises(ConfigError):
        registry.resolve("A")
    assert not (tmp_path / "deep").exists()


def test_deployments_of_a_model_are_numbered(registry, new_version):
    a = registry.register("a", **new_version("1"))
    b = registry.register("b", **new_version("1"))

    counts = [registry.record_deployment(v, actor="ann", endpoint="x") for v in (a, b, a)]

    assert counts == [1, 1, 2]
