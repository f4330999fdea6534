"""`mlops_ray.config.declared_secrets`: no key and no value of a pipeline file may be a secret."""

import pytest

from mlops_ray.config.declared_secrets import first_secret
from mlops_ray.config.loader import load_config
from mlops_ray.errors import ConfigError

PASSWORD = "Kq83ZmVx" + "Pq92LmNbTz47"
TOKEN = "sk-" + PASSWORD
FILE = """\
version: 1
name: churn
objective: {metric: roc_auc}
data:
  source: data/*.parquet
  task: binary
  target: left
  key: [id]
  notes: {source: census, access: "ask the census team for the token"}
split: {test: {share: 0.2}, valid: {share: 0.2}}
features: [{columns: [age, password_age], steps: [standardize]}]
model: {family: xgboost}
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "p.yaml"
    path.write_text(FILE)
    return path


@pytest.mark.parametrize(
    ("override", "place"),
    [
        (f"name={TOKEN.lower()}", "--set: name: "),
        (f"owner={TOKEN}", "--set: owner: "),
        (f"data.notes.decision=see {TOKEN}.", "--set: data.notes.decision: "),
        (f"data.notes.password={PASSWORD}", "--set: data.notes.password: "),
        (f"data.columns.age.description={TOKEN}", "--set: data.columns.age.description: "),
        (f"model.params.max_depth={TOKEN}", "--set: model.params.max_depth: "),
        (f"model.params.{TOKEN}=1", "--set: the"),
        (f"model.params={{max_depth: [1, {TOKEN}]}}", "--set: model.params: "),
        (f"data.source=https://me:{PASSWORD}@host/x.csv", "--set: data.source: "),
        (f"{TOKEN}", "--set: the"),
        (f"owner=[{TOKEN}", "--set: owner: "),
    ],
)
def test_a_secret_on_the_command_line_is_refused_by_place_and_kind(file, override, place):
    with pytest.raises(ConfigError, match="seems to hold a secret") as caught:
        load_config(file, [override])

    assert str(caught.value).startswith(place)
    assert PASSWORD.lower() not in str(caught.value).lower()
    assert load_config(file, ["owner=census team", "model.params.max_depth=3"])


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("name: churn", f"name: churn\nowner: '{TOKEN}'", "p.yaml:3:1: owner: "),
        ("source: census", f"{TOKEN}: census", "p.yaml:9:3: data.notes: "),
        ("source: census", f"password: {PASSWORD}", "p.yaml:9:11: data.notes.password: "),
        ("{family: xgboost}", f"{{family: {TOKEN}}}", "p.yaml:12:9: model.family: "),
        ("model:", f"{TOKEN}: 1\nmodel:", "p.yaml:1:1: the"),
    ],
)
def test_a_secret_in_the_file_is_refused_by_place_and_kind(file, old, new, place):
    file.write_text(FILE.replace(old, new))

    with pytest.raises(ConfigError, match="seems to hold a secret") as caught:
        load_config(file)

    assert place in str(caught.value)
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        f"{FILE}owner: {PASSWORD}\nowner: {TOKEN}\n",
        f"{FILE}owner: '{PASSWORD}\nb: [\n",
        f"{FILE}{PASSWORD}: [\n",
        FILE.replace("binary", PASSWORD),
        FILE.replace("{family: xgboost}", f"{{family: xgboost, threads: {PASSWORD}}}"),
    ],
)
def test_no_message_about_another_mistake_repeats_a_value(file, text):
    file.write_text(text)

    with pytest.raises(ConfigError) as caught:
        load_config(file)

    assert PASSWORD not in str(caught.value)
    assert caught.value.__cause__ is None


def test_the_first_of_many_values_is_named():
    assert first_secret({"a": ["x", 1, None, {"b": TOKEN}], "c": TOKEN}) == (
        ("a", 3, "b"),
        "OpenAI Token",
    )
    assert first_secret({"a": ["x", 1, None, {"b": "y"}], "c": "z"}) is None
