"""Folds: by the row's own hash, by ranks in each class, by time; and those that are refused."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.model_selection import TimeSeriesSplit

from mlops_ray.config.validation import ValidationConfig
from mlops_ray.errors import DataError
from mlops_ray.manifest import from_canonical
from mlops_ray.search.fold_table import fold_table, n_scored_rows
from mlops_ray.search.folds import Fold, check_folds, deal


def rule(scheme="k_fold", **options):
    return ValidationConfig.model_validate({"scheme": scheme, **options})


def hashes(n_rows, seed=3):
    return np.random.default_rng(seed).integers(0, 2**64, n_rows, dtype=np.uint64)


@pytest.mark.parametrize("scheme", ["k_fold", "grouped"])
def test_every_row_is_scored_once_a_repeat_and_never_by_a_fit_that_has_seen_it(scheme):
    units = hashes(1000)

    folds = deal(rule(scheme, folds=4, repeats=3), units, seed=5)

    assert len(folds) == 12
    for repeat in range(3):
        own = folds[4 * repeat : 4 * repeat + 4]
        assert sorted(np.concatenate([f.valid for f in own])) == list(range(1000))
        for fold in own:
            assert sorted(np.concatenate([fold.train, fold.valid])) == list(range(1000))
            # 250 rows with a standard deviation of 13.7.
            assert abs(len(fold.valid) - 250) < 60


def test_rows_of_one_unit_are_in_one_fold():
    units = np.repeat(hashes(40), 7)

    for fold in deal(rule("grouped", folds=3, repeats=2), units, seed=1):
        assert not set(units[fold.train]) & set(units[fold.valid])


def test_repeats_deal_anew_and_another_seed_too():
    units = hashes(500)
    first, second = deal(rule(folds=2, repeats=2), units, seed=1)[::2]

    assert first.valid.tolist() != second.valid.tolist()
    # Of two independent halvings a quarter of the rows is in both.
    assert abs(len(set(first.valid) & set(second.valid)) - 125) < 40
    assert deal(rule(folds=2), units, seed=2)[0].valid.tolist() != first.valid.tolist()
    assert deal(rule(folds=2), units, seed=1)[0].valid.tolist() == first.valid.tolist()


def test_a_row_keeps_its_fold_in_any_order_and_among_other_rows():
    units = hashes(300)
    order = np.random.default_rng(0).permutation(300)
    more = np.concatenate([hashes(50, seed=9), units])
    plain = deal(rule(folds=5), units, seed=1)

    shuffled = deal(rule(folds=5), units[order], seed=1)
    among_others = deal(rule(folds=5), more, seed=1)

    for fold, other, third in zip(plain, shuffled, among_others, strict=True):
        assert set(units[fold.valid]) == set(units[order][other.valid])
        assert set(units[fold.valid]) == set(more[third.valid]) & set(units)


def test_of_a_stratified_split_every_fold_has_its_share_of_each_class():
    classes = np.repeat([0, 1, 2], [600, 60, 8])
    units = hashes(668)

    folds = deal(rule(folds=4, repeats=2), units, seed=5, classes=classes)

    for fold in folds:
        assert np.bincount(classes[fold.valid]).tolist() == [150, 15, 2]
    plain = deal(rule(folds=4), units, seed=5)
    assert any(np.bincount(classes[fold.valid], minlength=3)[2] != 2 for fold in plain)


@pytest.mark.parametrize(("n_rows", "n_folds"), [(100, 4), (103, 5), (12, 11)])
def test_a_series_of_distinct_times_is_dealt_as_by_scikit_learn(n_rows, n_folds):
    order = np.random.default_rng(1).permutation(n_rows)
    ranks = np.argsort(order).astype(np.uint64) + np.uint64(1)

    folds = deal(rule("time_series", folds=n_folds), ranks, seed=0)

    wanted = list(TimeSeriesSplit(n_folds).split(order))
    assert [sorted(f.train) for f in folds] == [sorted(order[train]) for train, _ in wanted]
    assert [sorted(f.valid) for f in folds] == [sorted(order[valid]) for _, valid in wanted]


def test_rows_of_one_time_are_never_parted_and_nothing_is_fitted_on_what_comes_later():
    ranks = np.random.default_rng(2).integers(1, 20, 300).astype(np.uint64)

    for fold in deal(rule("time_series", folds=4), ranks, seed=0):
        assert ranks[fold.train].max() < ranks[fold.valid].min()
        assert not set(ranks[fold.train]) & set(ranks[fold.valid])


def test_fewer_rows_or_groups_than_folds_are_refused_with_the_way_out():
    y = np.zeros(3)
    for scheme in ("k_fold", "grouped"):
        declared = rule(scheme, folds=5)
        folds = deal(declared, hashes(3), seed=1)
        with pytest.raises(DataError, match="a fold has no rows") as caught:
            check_folds(folds, y, 0, declared)
        assert "fewer folds" in caught.value.hint
        assert caught.value.where.key == "validation.folds"


def test_a_series_that_is_too_short_or_of_too_few_times_is_refused():
    declared = rule("time_series", folds=4)
    for ranks in (np.arange(3), np.repeat([1, 2], 50)):
        folds = deal(declared, ranks.astype(np.uint64), seed=0)
        with pytest.raises(DataError, match="a fold has no rows"):
            check_folds(folds, np.zeros(len(ranks)), 0, declared)


def test_a_fold_of_one_class_and_a_fit_without_a_class_are_refused():
    rows = np.arange(6)
    folds = [Fold(rows[2:], rows[:2])]

    with pytest.raises(DataError, match="a fold has one class") as caught:
        check_folds(folds, np.array([0, 0, 0, 1, 0, 1]), 2, rule(folds=2))
    assert "stratify" in caught.value.hint
    with pytest.raises(DataError, match="a fold lacks a class"):
        check_folds(folds, np.array([0, 1, 0, 0, 0, 0]), 2, rule(folds=2))
    check_folds(folds, np.array([0, 1, 0, 1, 0, 0]), 2, rule(folds=2))


def test_the_table_tells_sizes_and_how_many_rows_are_scored():
    declared = rule(folds=3, repeats=2)
    folds = deal(declared, hashes(90), seed=4)

    table = fold_table(folds, declared.folds)

    assert n_scored_rows(table) == 90
    assert from_canonical(table)["folds"][4] == {
        "repeat": 1,
        "fold": 1,
        "n_train": len(folds[4].train),
        "n_valid": len(folds[4].valid),
    }
