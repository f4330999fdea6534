import pytest
from pydantic import ValidationError

from mlops_ray.config.loader import load_config
from mlops_ray.config.source import SourceConfig
from mlops_ray.errors import ConfigError, InvalidConfigError

TEXT = """\
version: 1
name: homes
objective: {metric: rmse}
data: {source: SOURCE, task: regression, target: price, key: [id]}
split: {test: {share: 0.2}, valid: {share: 0.2}}
features: [{columns: [area]}]
model: {family: linear}
"""


def test_a_text_is_a_path_and_a_query_names_a_variable():
    assert SourceConfig.model_validate("a.csv") == SourceConfig(path="a.csv")
    assert SourceConfig(sql="SELECT 1", url_env="WAREHOUSE_URL").path is None


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({}, "either a 'path' or an 'sql'"),
        ({"path": "a", "sql": "SELECT 1", "url_env": "U"}, "either a 'path' or an 'sql'"),
        ({"sql": "SELECT 1"}, "needs 'url_env'"),
        ({"path": "a", "url_env": "U"}, "needs 'url_env'"),
        ({"sql": "SELECT 1", "url_env": "U", "format": "csv"}, "for files, not for a query"),
        ({"path": "a", "format": "orc"}, "jsonl"),
        ({"path": "a", "pth": "b"}, "Extra"),
    ],
)
def test_what_is_no_source_says_why(source, message):
    with pytest.raises(ValidationError, match=message):
        SourceConfig.model_validate(source)


def test_a_url_in_place_of_the_variables_name_is_refused_without_showing_it(tmp_path):
    for url in ("postgresql://ann:geheim@host/db", "postgresql://host/geheim"):
        source = f"{{sql: SELECT 1, url_env: '{url}'}}"
        (tmp_path / "p.yaml").write_text(TEXT.replace("SOURCE", source))

        with pytest.raises(ConfigError, match=r"p\.yaml:4:\d+: data\.source") as caught:
            load_config(tmp_path / "p.yaml")
        assert "geheim" not in str(caught.value)


def test_as_of_needs_something_to_be_compared_with(tmp_path):
    (tmp_path / "p.yaml").write_text(TEXT.replace("SOURCE", "a.csv, as_of: '2018-12-31'"))

    with pytest.raises(InvalidConfigError, match=r"data\.as_of: nothing is compared with it"):
        load_config(tmp_path / "p.yaml")
