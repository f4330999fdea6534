import gzip

import numpy as np
import pytest

from mlops_ray.data import unit
from mlops_ray.data.scan import ScanPlan, scan
from mlops_ray.data.source import FoundFile
from mlops_ray.data.text_cut import cut_rows, read_rows
from mlops_ray.data.unit import list_units
from mlops_ray.data.unit_map import map_in_process
from mlops_ray.data.unit_schema import read_schema


def awkward_csv(n_rows=300):
    """Rows with newlines, quotes and commas inside of quotes, and none."""
    rng = np.random.default_rng(5)
    texts = ['"a\nb"', '"say ""hi"""', '"x,y"', "plain", '""', '"\n"']
    rows = [f"{at},{texts[rng.integers(len(texts))]}\n" for at in range(n_rows)]
    return '"the\nnumber",text\n' + "".join(rows)


@pytest.mark.parametrize("cut_bytes", [7, 64, 1000])
def test_ranges_are_whole_rows_and_together_the_file(write_csv, cut_bytes):
    file = write_csv("a.csv", awkward_csv())

    spans = cut_rows(file, cut_bytes)

    assert len(spans) > 3
    assert [stop for _, stop in spans[:-1]] == [start for start, _ in spans[1:]]
    data = b"".join(read_rows(file.path, span, has_header=False) for span in spans)
    assert data == file.path.read_bytes()
    for span in spans:
        assert read_rows(file.path, span, has_header=False).count(b'"') % 2 == 0


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_where_a_file_is_cut_does_not_show(write_csv, monkeypatch, kind):
    if kind == "csv":
        file = write_csv("a.csv", awkward_csv())
    else:
        text = "".join(f'{{"n": {n}, "t": "a\\n{n % 7}"}}\n' for n in range(300))
        found = write_csv("a.jsonl", text)
        file = FoundFile(found.name, found.path, "jsonl", found.size_bytes)
    schema = read_schema([file])

    def fingerprint(cut_bytes):
        monkeypatch.setattr(unit, "cut_rows", lambda f: cut_rows(f, cut_bytes))
        units = list_units([file])
        return len(units), scan(units, ScanPlan(schema, None), map_in_process).fingerprint

    (one, whole), (many, cut) = fingerprint(2**20), fingerprint(200)

    assert (one, whole) == (1, cut)
    assert many > 3


def test_a_packed_file_is_read_whole(tmp_path):
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"n\n1\n2\n"))
    file = FoundFile("a.csv.gz", path, "csv", path.stat().st_size)

    assert cut_rows(file, 1) == [None]
    assert read_rows(path, None, has_header=True) == b"n\n1\n2\n"
