"""A set with functions of the project is used only where the project holds the same files."""

import pytest

from mlops_ray.errors import ConfigError, Where
from mlops_ray.features import FeatureState
from mlops_ray.features.feature_examples import Golden
from mlops_ray.features.feature_set import FeatureSet, FittedOn, OwnFunction
from mlops_ray.features.folds import Folds
from mlops_ray.pipeline.feature_set_checks import check_folds, check_set_functions
from mlops_ray.storage import digest

WHERE = Where("p.yaml", 3, 1, "feature_set.use")


def a_set(files, folds=None):
    """A set without features."""
    functions = (OwnFunction("own.made:ratio", 2, files),)
    on = FittedOn("f", "m", 3)
    return FeatureSet((), FeatureState(()), on, folds, functions, (), Golden((), ()))


def test_a_set_is_read_as_it_was_written():
    feature_set = a_set({"own/made.py": digest(b"1")}, Folds(("k",), 2**63))

    read = FeatureSet.from_bytes(feature_set.to_bytes())

    assert read == feature_set
    assert read.digest == feature_set.digest
    assert read.functions[0].module == "own.made"


def test_a_set_of_a_later_version_keeps_its_digest():
    data = a_set({}).to_bytes().replace(b'{"declared"', b'{"a_later_member":1,"declared"')

    assert FeatureSet.from_bytes(data).to_bytes() == data
    assert FeatureSet.from_bytes(data).digest == digest(data)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"2", r"made\.py is another one"), (None, r"made\.py is missing")],
)
def test_other_code_of_a_function_is_refused(tmp_path, content, message):
    feature_set = a_set({"own/made.py": digest(b"1")})
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "made.py").write_bytes(b"1")
    check_set_functions(feature_set, tmp_path, WHERE)

    (tmp_path / "own" / "made.py").unlink()
    if content is not None:
        (tmp_path / "own" / "made.py").write_bytes(content)

    with pytest.raises(ConfigError, match=message) as caught:
        check_set_functions(feature_set, tmp_path, WHERE)
    assert caught.value.where == WHERE


def test_folds_without_a_key_go_by_all_columns_in_any_order():
    feature_set = a_set({}, Folds(("a", "b"), 1))

    check_folds(feature_set, [], ["b", "a"], WHERE)
    check_folds(feature_set, ["a", "b"], ["b", "a", "c"], WHERE)
    check_folds(a_set({}), ["z"], ["z"], WHERE)
    for key, columns in (([], ["a", "b", "c"]), (["b", "a"], ["a", "b"])):
        with pytest.raises(ConfigError, match="go by another key"):
            check_folds(feature_set, key, columns, WHERE)
