import os
import pickle

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlops_ray.data.extension_guard import check_footer, check_schema
from mlops_ray.data.place import open_place
from mlops_ray.data.source import FoundFile, find_files
from mlops_ray.data.unit import list_units
from mlops_ray.data.unit_schema import read_schema
from mlops_ray.errors import SourceError


class Bomb:
    """What runs code where it is unpickled."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (self.folder,)


class Pickled(pa.ExtensionType):
    """As pyarrow's own `PyExtensionType` was: its metadata is unpickled when a file is opened."""

    payload = b""

    def __init__(self):
        super().__init__(pa.int64(), "arrow.py_extension_type")

    def __arrow_ext_serialize__(self):
        return self.payload

    @classmethod
    def __arrow_ext_deserialize__(cls, storage, serialized):
        pickle.loads(serialized)
        return cls()


@pytest.fixture
def bomb(tmp_path):
    """A file that makes the folder `hit` in any process where the type is registered, as here."""
    hit, path = tmp_path / "hit", tmp_path / "bomb.parquet"
    Pickled.payload = pickle.dumps(Bomb(str(hit)))
    kind = Pickled()
    cells = pa.ExtensionArray.from_storage(kind, pa.array([1, 2]))
    pq.write_table(pa.table({"n": [1, 2], "evil": cells}), path)
    pa.register_extension_type(kind)
    yield FoundFile("bomb.parquet", path, "parquet", path.stat().st_size), hit
    pa.unregister_extension_type("arrow.py_extension_type")


def test_the_file_does_run_code_where_arrow_opens_it(bomb):
    file, hit = bomb

    pq.ParquetFile(file.path).close()

    assert hit.is_dir()


def test_it_is_refused_by_column_and_never_unpickled(bomb):
    file, hit = bomb

    for look in (read_schema, list_units):
        with pytest.raises(SourceError, match=r"bomb\.parquet: evil: .*arrow\.py_extension_type"):
            look([file])
    assert not hit.exists()


def test_it_is_refused_where_nobody_registered_the_type(bomb):
    file, hit = bomb
    pa.unregister_extension_type("arrow.py_extension_type")
    try:
        with pytest.raises(SourceError, match=r"evil: .*extension type"):
            read_schema([file])
    finally:
        pa.register_extension_type(Pickled())
    assert not hit.exists()


@pytest.mark.parametrize("before", range(3))
def test_the_name_is_found_wherever_base64_puts_it(tmp_path, before):
    field = pa.field("x" * (before + 1), pa.int64(), metadata={"ARROW:extension:name": "a.b"})
    path = tmp_path / "a.parquet"
    schema = pa.schema([field], metadata={"pad": "p" * before})
    pq.write_table(pa.table([[1]], schema=schema), path)

    with open_place(path) as file, pytest.raises(SourceError, match=f"{field.name}: .*a.b"):
        check_footer(file, "a.parquet")


def test_nested_ones_are_refused_and_plain_ones_are_not(tmp_path):
    inner = pa.field("item", pa.int64(), metadata={"ARROW:extension:name": "ray.data.x"})
    with pytest.raises(SourceError, match=r"l: .*ray\.data\.x"):
        check_schema(pa.schema([pa.field("l", pa.list_(inner))]), "a")
    check_schema(pa.schema([pa.field("x", pa.int64(), metadata={"note": "y"})]), "a")

    pq.write_table(pa.table({"x": ["ARROW:extension:name"]}), tmp_path / "p")
    with open_place(tmp_path / "p") as file:
        check_footer(file, "p")
        assert pq.ParquetFile(file).metadata.num_rows == 1


@pytest.mark.parametrize(("n_levels", "is_refused"), [(64, False), (65, True), (5000, True)])
def test_a_type_with_too_many_levels_is_refused_by_column(tmp_path, n_levels, is_refused):
    (tmp_path / "a.jsonl").write_text(
        f'{{"x": 1, "deep": {"[" * (n_levels - 1)}1{"]" * (n_levels - 1)}}}'
    )
    files = find_files(str(tmp_path), tmp_path)

    if is_refused:
        with pytest.raises(SourceError, match=r"deep: the column's type has too many levels"):
            read_schema(files)
    else:
        assert read_schema(files)["deep"].count("list<") == n_levels - 1
