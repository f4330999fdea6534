import pytest

from mlops_ray.runtime.seeds import derive


def test_seed_is_the_same_for_ever():
    # sha256 of '["mlops-ray/seed/v1", 7, "search", 3]', first 8 bytes, shifted: by sha256sum.
    assert derive(7, "search", 3) == 8530182046498923461


@pytest.mark.parametrize(
    ("one", "other"),
    [(("a", "b"), ("ab",)), (("1",), (1,)), (("a",), ("a", 0)), ((1, 2), (12,))],
)
def test_different_paths_give_different_seeds(one, other):
    assert derive(7, *one) != derive(7, *other)


def test_root_matters():
    assert derive(7, "split") != derive(8, "split")


def test_seeds_fit_63_bits_and_spread():
    seeds = {derive(root, "x", index) for root in range(20) for index in range(50)}

    assert len(seeds) == 1000
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert max(seeds) > 2**62
