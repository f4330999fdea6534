import pytest

from mlops_ray.config.model import SourceConfig
from mlops_ray.data.source import find_files
from mlops_ray.errors import ConfigError, SourceError


def put(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"12345")


def test_a_file_is_named_by_itself_and_its_size_is_told(tmp_path):
    put(tmp_path, "data/one.parquet")

    (file,) = find_files("data/one.parquet", tmp_path)

    assert (file.name, file.format, file.size_bytes) == ("one.parquet", "parquet", 5)
    assert file.path.is_absolute()


def test_a_folder_gives_its_data_files_sorted_without_hidden_ones(tmp_path):
    put(tmp_path, "d/b.parquet", "d/a/z.pq", "d/_SUCCESS", "d/.x.parquet", "d/README.md")

    files = find_files("d", tmp_path)

    assert [file.name for file in files] == ["a/z.pq", "b.parquet"]


def test_a_glob_names_files_relative_to_its_fixed_part(tmp_path):
    put(tmp_path, "d/2015/x.csv", "d/2016/x.csv", "d/2016/y.txt")

    files = find_files(str(tmp_path / "d/*/*.csv"), tmp_path / "elsewhere")

    assert [file.name for file in files] == ["2015/x.csv", "2016/x.csv"]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("nowhere.parquet", "no such file"),
        ("empty", "an empty folder"),
        ("papers", "1 other files"),
        ("d/*.orc", "no file matches"),
        ("mixed", "csv and parquet"),
        ("papers/a.txt", "set 'format"),
    ],
)
def test_a_source_that_gives_nothing_says_why(tmp_path, source, message):
    put(tmp_path, "papers/a.txt", "mixed/a.csv", "mixed/a.parquet", "hive/year=2018/a.parquet")
    (tmp_path / "empty").mkdir()

    with pytest.raises(SourceError, match=message):
        find_files(source, tmp_path)


def test_a_declared_format_wins_over_the_suffix(tmp_path):
    put(tmp_path, "a.txt")

    (file,) = find_files(SourceConfig(path="a.txt", format="csv"), tmp_path)

    assert file.format == "csv"


def test_a_url_is_refused_without_what_may_be_a_password(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read there: got scheme 'http'") as caught:
        find_files("http://ann:geheim@host/y.csv", tmp_path)

    assert "geheim" not in str(caught.value)
