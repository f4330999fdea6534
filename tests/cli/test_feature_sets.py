"""`features register`, `ls`, `show`, `diff` and `test`, as a user types them."""

import json

import pytest

from mlops_ray.manifest import canonical_bytes, from_canonical
from mlops_ray.storage import ObjectStore

pytestmark = [pytest.mark.ray, pytest.mark.slow]


@pytest.fixture(scope="module")
def registered(first_day):
    """The features of the newcomer's run, with a name."""
    assert first_day.run.code == 0, first_day.run.stderr
    done = first_day.shell.mlops_ray("features", "register", "latest", "--name", "bikes")
    assert (done.code, done.stdout) == (0, "bikes@1\n"), done.stderr
    return first_day


def test_a_set_is_listed_and_shown(registered):
    (version,) = registered.shell.mlops_ray("features", "ls", "--json").line["versions"]
    shown = registered.shell.mlops_ray("features", "show", "bikes@1", "--json").line
    table = registered.shell.mlops_ray("features", "show", "bikes")

    assert (version["name"], version["version"]) == ("bikes", 1)
    assert shown["schema"] == "mlops-ray/feature_set/v1"
    assert shown["digest"] == version["digest"]
    assert shown["run_id"] == version["run_id"] == registered.run.line["run_id"]
    assert set(shown["inputs"]) >= {"temperature_c", "hour"}
    assert table.code == 0
    assert version["digest"] in table.stderr
    assert "temperature_c" in table.stdout


def test_examples_pass_and_a_doctored_set_fails_by_name(registered):
    digest = registered.shell.mlops_ray("features", "ls", "--json").line["versions"][0]["digest"]
    store = ObjectStore(registered.store)
    document = from_canonical(store.get(digest))
    feature = document["state"]["features"][0]
    feature["steps"][-1]["fitted"][0]["offset"] = 0.25
    other = store.put(canonical_bytes(document))

    good = registered.shell.mlops_ray("features", "test", "bikes", "--json")
    bad = registered.shell.mlops_ray("features", "test", other)
    differs = registered.shell.mlops_ray("features", "diff", "bikes@1", other, "--json")

    assert (good.code, good.line["ok"], good.line["differences"]) == (0, True, [])
    assert good.line["golden"] > 5
    assert (bad.code, bad.stdout.splitlines()[-1]) == (4, "FAIL"), bad.stderr
    assert "golden.0  " + feature["columns"][0] in bad.stdout
    assert differs.code == 0
    (what,) = differs.line["differs"]["fitted"]
    assert what.startswith(f"{feature['columns'][0]}.")
    assert what.endswith(".offset")
    assert differs.line["differs"]["fitted"][what]["b"] == 0.25


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (["show", "bikes@7"], 6, "not_found"),
        (["show", "nothing"], 6, "not_found"),
        (["test", "sha256:" + "0" * 64], 4, "digest_mismatch"),
        (["register", "latest", "--name", "Big Name"], 2, "config"),
    ],
)
def test_mistakes_end_with_their_code(registered, arguments, code, error):
    done = registered.shell.mlops_ray("features", *arguments, "--json")

    assert (done.code, done.line["code"]) == (code, error), done.stderr
    assert done.line["schema"] == "mlops-ray/error/v1"
    assert json.dumps(done.line["hint"]) != "null"
