import numpy as np

from mlops_ray.data.row_parts import PIECE_ROWS, RowParts

CODES = np.random.default_rng(0).integers(0, 3, 3 * PIECE_ROWS).astype(np.int8)


def test_pieces_cover_every_row_once_and_hold_one_part_each():
    rows = RowParts.of_codes(CODES, 4)
    seen = []

    for piece in rows.pieces():
        own = np.empty(piece.stop - piece.start, dtype=np.intp)
        rows.fill(own, np.arange(CODES.size), piece)
        assert (CODES[own] == piece.part).all()
        assert 0 < own.size <= PIECE_ROWS
        seen += own.tolist()

    assert sorted(seen) == list(range(CODES.size))
    assert rows.sizes == [*np.bincount(CODES).tolist(), 0]


def test_a_part_has_its_rows_in_their_order():
    rows = RowParts.of_codes(CODES, 3)

    for part in range(3):
        expected = np.flatnonzero(part == CODES)
        assert rows.of_part(np.arange(CODES.size), part).tolist() == expected.tolist()
        assert rows.rows_of(part).tolist() == expected.tolist()


def test_rows_of_one_part_stay_where_they_are():
    rows = RowParts.of_codes(np.ones(5, dtype=np.int8), 3)

    assert rows.order is None
    assert rows.sizes == [0, 5, 0]
    assert rows.rows_of(1).tolist() == [0, 1, 2, 3, 4]
    assert not list(RowParts.whole(0).pieces())
