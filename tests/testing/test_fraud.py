import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import roc_auc_score

from mlops_ray.testing.fraud import (
    FRAUD_BLOCK_ROWS,
    bayes_auc,
    fraud_block,
    fraud_probability,
    fraud_rows,
    write_fraud,
)


def digests(paths):
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]


def test_same_seed_same_bytes_and_another_seed_others(tmp_path):
    one, two, other = (
        digests(write_fraud(tmp_path / name, 3000, seed, 1000))
        for name, seed in (("a", 7), ("b", 7), ("c", 8))
    )

    assert len(one) == 3
    assert one == two
    assert not set(one) & set(other)


def test_rows_do_not_depend_on_the_cut_into_files(tmp_path):
    n_rows = FRAUD_BLOCK_ROWS + 500
    whole = fraud_rows(7, 0, n_rows)

    paths = write_fraud(tmp_path, n_rows, 7, rows_per_file=40_000)

    assert pa.concat_tables([pq.read_table(path) for path in paths]).equals(whole)


def test_a_block_can_be_made_alone():
    both = fraud_rows(7, 0, 2 * FRAUD_BLOCK_ROWS)

    assert both.slice(FRAUD_BLOCK_ROWS).equals(fraud_block(7, 1))
    assert fraud_block(7, 1, 10).equals(fraud_block(7, 1).slice(0, 10))


def test_ids_are_the_row_numbers():
    ids = fraud_rows(7, FRAUD_BLOCK_ROWS - 2, FRAUD_BLOCK_ROWS + 2).column("id").to_numpy()

    assert ids.tolist() == list(range(FRAUD_BLOCK_ROWS - 2, FRAUD_BLOCK_ROWS + 2))


def test_blocks_are_independent():
    one, two = (fraud_block(7, block).column("amount").to_numpy() for block in (0, 1))

    assert abs(np.corrcoef(one, two)[0, 1]) < 4 / np.sqrt(FRAUD_BLOCK_ROWS)


def test_one_to_two_percent_are_fraud():
    share = fraud_rows(7, 0, 200_000).column("is_fraud").to_numpy().mean()

    assert 0.01 < share < 0.02


def test_labels_follow_the_probability():
    table = fraud_rows(7, 0, 200_000)
    probability, is_fraud = fraud_probability(table), table.column("is_fraud").to_numpy()
    deviation = np.sqrt(np.sum(probability * (1 - probability)))

    assert abs(is_fraud.sum() - probability.sum()) < 4 * deviation


def test_bayes_auc_is_the_share_of_pairs_in_the_right_order():
    p = fraud_probability(fraud_rows(7, 0, 400))
    weight = np.outer(p, 1 - p)
    right = (p[:, None] > p[None, :]) + 0.5 * (p[:, None] == p[None, :])

    assert bayes_auc(7, 400) == pytest.approx((weight * right).sum() / weight.sum(), abs=1e-12)


def test_the_true_probability_reaches_bayes_auc_on_drawn_labels():
    table = fraud_rows(7, 0, 300_000)

    reached = roc_auc_score(table.column("is_fraud").to_numpy(), fraud_probability(table))

    assert reached == pytest.approx(bayes_auc(7, 300_000), abs=0.01)


def test_the_delay_of_the_label_tells_nothing():
    table = fraud_rows(7, 0, 300_000)
    delay = table.column("label_ts").to_numpy() - table.column("event_ts").to_numpy()
    auc = roc_auc_score(table.column("is_fraud").to_numpy(), delay.astype(np.int64))

    assert delay.min() >= np.timedelta64(1, "D")
    assert auc == pytest.approx(0.5, abs=0.02)


def test_more_rows_than_a_block_holds_are_refused():
    with pytest.raises(ValueError, match=f"0 to {FRAUD_BLOCK_ROWS}"):
        fraud_block(7, 0, FRAUD_BLOCK_ROWS + 1)
