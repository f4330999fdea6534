import pytest

from mlops_ray.config import FeatureGroup
from mlops_ray.errors import ColumnError, ConfigError
from mlops_ray.features.plan import resolve_features

SCHEMA = {
    "mean a": "float", "mean b": "float", "n": "integer", "s": "string", "flag": "boolean",
    "day": "date", "y": "integer",
}  # fmt: skip


def resolved(*groups):
    declared = [FeatureGroup.model_validate(group) for group in groups]
    return resolve_features(declared, SCHEMA, {"y"})


def test_features_stand_in_the_order_of_declaration_and_globs_in_that_of_the_data():
    specs = resolved({"columns": ["n"]}, {"columns": ["flag", "mean*"], "steps": ["standardize"]})

    assert [spec.column for spec in specs] == ["n", "flag", "mean a", "mean b"]
    assert [spec.kind for spec in specs] == ["number"] * 4


def test_a_glob_leaves_out_excluded_columns_and_those_named_anywhere():
    specs = resolved({"columns": ["[mny]*"]}, {"columns": ["mean b"], "steps": ["standardize"]})

    assert [(spec.column, len(spec.steps)) for spec in specs] == [
        ("mean a", 0), ("n", 0), ("mean b", 1),
    ]  # fmt: skip


@pytest.mark.parametrize("column", ["s", "n", "flag"])
def test_one_hot_makes_a_category_of_text_integers_and_booleans(column):
    (spec,) = resolved({"columns": [column], "steps": [{"one_hot": {"min_count": 2}}]})

    assert (spec.kind, spec.dtype) == ("category", SCHEMA[column])


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["mean c"], "did you mean 'mean "),
        (["zzz"], "no such column: got 'zzz'; columns: mean a"),
        (["z*"], "no feature column matches"),
        (["y"], "'y' is the target"),
        (["n", "n"], "named twice"),
    ],
)
def test_a_column_that_cannot_be_taken_says_why_and_where(columns, message):
    with pytest.raises(ConfigError, match=message) as caught:
        resolved({"columns": columns})

    assert caught.value.where.key == "features.0.columns"


@pytest.mark.parametrize(
    ("column", "steps", "why"),
    [
        ("s", [], "categories are left, which no model takes"),
        ("s", ["standardize"], "standardize does not take categories"),
        ("s", [{"impute": "mean"}, "one_hot"], "impute with these options does not take cat"),
        ("s", [{"rare": 2}], "categories are left"),
        ("s", ["one_hot", "standardize"], "standardize does not take indicators"),
        ("mean a", [{"one_hot": {}}], "one_hot does not take numbers"),
        ("mean a", [{"impute": {"value": "x"}}], "impute with these options does not take num"),
        ("n", [{"date_parts": ["year"]}], "date_parts does not take numbers; date_parts does no"),
        ("day", [], "times are left"),
        ("day", ["standardize"], "standardize does not take times"),
        ("s", [{"interactions": 2}], "interactions does not take categories"),
    ],
)
def test_steps_that_do_not_fit_the_type_say_why_and_which_would(column, steps, why):
    with pytest.raises(ColumnError, match=f"do not fit column {column!r}: got .*: {why}") as caught:
        resolved({"columns": [column], "steps": steps})

    assert caught.value.wanted


@pytest.mark.parametrize(
    ("dtype", "way"),
    [
        ("list<float>", "as a column of its own"),
        ('struct<"a":integer>', "as a column of its own"),
        ("duration", "as a column of its own"),
        ("binary", "'data.columns.odd.cast: string'"),
        ("time", "'data.columns.odd.cast: string'"),
    ],
)
@pytest.mark.parametrize(
    "group",
    [
        {"columns": ["odd"], "steps": ["one_hot"]},
        {"columns": ["o*"]},
        {"columns": ["odd", "n"], "steps": [{"interactions": 2}]},
    ],
)
def test_a_type_that_no_feature_is_made_of_is_refused_where_a_feature_names_it(dtype, way, group):
    schema = {**SCHEMA, "odd": dtype}
    others = [FeatureGroup.model_validate({"columns": ["n"]})]

    assert [spec.column for spec in resolve_features(others, schema, {"y"})] == ["n"]
    with pytest.raises(ColumnError, match="'odd' is of a type that no feature") as caught:
        resolve_features([FeatureGroup.model_validate(group)], schema, {"y"})
    assert caught.value.got == dtype
    assert way in caught.value.hint


def test_a_decimal_is_a_float_to_the_model():
    group = FeatureGroup.model_validate({"columns": ["d"], "steps": ["standardize"]})

    (spec,) = resolve_features([group], {"d": "decimal"}, set())

    assert (spec.kind, spec.dtype) == ("number", "float")


@pytest.mark.parametrize(
    ("columns", "step", "message"),
    [
        (["s"], {"impute": {"value": 3}}, "'impute' does not suit column 's': got the value 3 is"),
        (["n"], {"impute": {"value": 2.5}}, "got the value 2.5 is no integer"),
        (["n"], {"ordinal": {"order": [1, "a"]}}, "got 'a' of 'order' is no integer"),
        (["s"], {"ordinal": {"order": ["a", True]}}, "got True of 'order' is no string"),
        (["day"], {"date_parts": ["hour"]}, "a date has no time of day"),
        (["n"], "interactions", "nothing to multiply"),
        (["n"], {"expression": {"name": "e", "formula": "n + q"}}, "names 'q', which is no column"),
        (["n", "flag"], {"expression": {"name": "e", "formula": "n"}}, "'flag' is not in the for"),
    ],
)
def test_options_that_the_columns_make_senseless_are_told_before_any_pass(columns, step, message):
    steps = [step, "one_hot"] if "impute" in step else [step]

    with pytest.raises(ColumnError, match=message) as caught:
        resolved({"columns": columns, "steps": steps})

    assert caught.value.where.key == "features.0.columns"
