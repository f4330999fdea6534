import pytest
from sklearn.datasets import load_iris

from mlops_ray.data.bundled import bundled_table, is_bundled
from mlops_ray.data.schema import schema_of
from mlops_ray.errors import SourceError


def test_the_table_is_scikit_learns_with_a_key():
    table = bundled_table("sklearn:iris")

    iris = load_iris()
    assert table.column_names == [*iris.feature_names, "target", "row"]
    assert table["row"].to_pylist() == list(range(150))
    assert table["target"].to_pylist() == iris.target.tolist()
    assert table["petal width (cm)"].to_pylist() == iris.data[:, 3].tolist()


@pytest.mark.parametrize(
    ("name", "kind"),
    [("breast_cancer", "integer"), ("diabetes", "float"), ("digits", "integer"),
     ("wine", "integer")],
)  # fmt: skip
def test_a_target_of_classes_is_whole(name, kind):
    assert schema_of([(name, bundled_table(f"sklearn:{name}").schema)])["target"] == kind


def test_an_unknown_table_lists_the_known_ones():
    assert is_bundled("sklearn:titanic")
    assert not is_bundled("data/x.parquet")
    with pytest.raises(SourceError, match="sklearn:iris"):
        bundled_table("sklearn:titanic")
