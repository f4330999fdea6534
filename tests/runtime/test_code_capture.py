import os
import time
from pathlib import Path

import pytest

from mlops_ray.config.code import CodeConfig
from mlops_ray.errors import ConfigError
from mlops_ray.runtime.code import code_files
from mlops_ray.runtime.code_capture import capture, project_files
from mlops_ray.runtime.code_pattern import is_private, matches

REPOSITORY = Path(__file__).parents[2]
PASSWORD = "hunter2" + "-Xq9Lw4"  # In two parts, so that no scanner takes this line for a leak.


@pytest.fixture
def project(tmp_path):
    root = tmp_path / "project"
    root.mkdir()
    return root


def write(root, *paths, text="pass\n"):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


def own(bundle):
    """The project's part of a bundle."""
    return [path for path in bundle.files if not path.startswith("mlops_ray/")]


def test_what_can_be_imported_is_captured_and_nothing_of_others(project):
    write(project, "train.py", "features/age.py", "features/__init__.py", "src/shop/prices.py")
    write(project, ".venv/lib/x.py", ".git/hook.py", ".hidden.py", "__pycache__/y.py", "README.md")
    write(project, "env/pyvenv.cfg", "env/lib/z.py", "lib/site-packages/w.py", "node_modules/v.py")
    write(
        project, "build/u.py", "dist/t.py", "tests/helper.py", "test/a.py", "features/test_age.py"
    )
    write(project, "features/age_test.py", "conftest.py", "p.egg-info/b.py", "notebook.ipynb")
    write(project, "store/objects/ab/c.py", "store/runs/r/d.py", f"old/code/tree-{'0' * 64}/e.py")

    bundle = capture(project)

    assert own(bundle) == [
        "features/__init__.py",
        "features/age.py",
        "src/shop/prices.py",
        "train.py",
    ]


def test_the_files_of_this_package_are_always_those_that_run(project):
    write(project, "mlops_ray/__init__.py", "mlops_ray/other.py", "src/mlops_ray/x.py", "a.py")

    bundle = capture(project)

    assert own(bundle) == ["a.py"]
    assert {p: d for p, d in bundle.files.items() if p.startswith("mlops_ray/")} == code_files()


def test_include_brings_files_back_and_exclude_wins_over_it(project):
    write(project, "a.py", "rules/x.json", "rules/y.json", "tests/factory.py", "skipped/b.py")

    bundle = capture(
        project, include=["rules/*.json", "tests/factory.py"], exclude=["**/y.json", "skipped/**"]
    )

    assert own(bundle) == ["a.py", "rules/x.json", "tests/factory.py"]


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("*.json", "a.json", True),
        ("*.json", "a/b.json", False),
        ("**/*.json", "a.json", True),
        ("**/*.json", "a/b/c.json", True),
        ("a/**", "a/b/c.json", True),
        ("a/**", "b/c.json", False),
        ("**", ".env", False),
        (".env", ".env", True),
        ("*", ".env", False),
        ("[ab].py", "b.py", True),
        ("?.py", "ab.py", False),
        ("a+b.py", "a+b.py", True),
    ],
)
def test_patterns_read_as_a_shell_reads_them(pattern, path, expected):
    assert matches(pattern, path) is expected


@pytest.mark.parametrize(
    "pattern", ["/etc/*", "../x.py", "a/../../b", "~/x", "a\\b", "", "x.ipynb"]
)
def test_a_pattern_that_leaves_the_project_or_names_a_notebook_is_refused(pattern):
    with pytest.raises(ValueError, match=r"leaves the project|not a pattern|export the cells"):
        CodeConfig(include=[pattern])

    assert CodeConfig(include=["a/*.json"]).include == ["a/*.json"]


def test_a_notebook_that_a_pattern_reaches_is_refused_with_the_way_out(project):
    write(project, "study/look.ipynb")

    with pytest.raises(ConfigError, match=r"look\.ipynb.*export the cells to a \.py file"):
        capture(project, include=["study/*"])


def test_a_pattern_that_names_nothing_is_refused(project):
    write(project, ".venv/x.json")

    with pytest.raises(ConfigError, match=r"names files that are not there.*rules/\*\.json"):
        capture(project, include=["rules/*.json"])
    with pytest.raises(ConfigError, match="hidden folder"):
        capture(project, include=[".venv/x.json"])


@pytest.mark.parametrize(
    "name", [".env", ".env.local", "tls.pem", "TLS.KEY", "id_ed25519", "a.p12", "a.pfx", ".netrc",
             "credentials.json", "credentials"],
)  # fmt: skip
def test_files_that_hold_keys_are_never_captured(project, name):
    write(project, "a.py", f"conf/{name}", "conf/ids.csv")

    assert own(capture(project, include=["conf/*.csv"])) == ["a.py", "conf/ids.csv"]
    with pytest.raises(ConfigError, match=r"holds keys or passwords.*code\.exclude"):
        capture(project, include=[f"conf/{name}"])


def test_a_module_whose_name_begins_like_a_key_is_code():
    assert not is_private("features/id_mapping.py")
    assert is_private("features/id_mapping")


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (f'password = "{PASSWORD}"', "Secret Keyword"),
        (f'url = "postgres://shop:{PASSWORD}@db/shop"', "Basic Auth Credentials"),
        ('key = "AKIA' + 'IOSFODNN7QQQQQQQ"', "AWS Access Key"),
        ("-----BEGIN RSA " + "PRIVATE KEY-----", "Private Key"),
    ],
)
def test_a_secret_in_the_code_is_refused_by_place_and_kind_without_being_shown(project, line, kind):
    (project / "untracked.py").write_text(f"import os\n\n{line}\n")

    with pytest.raises(ConfigError) as caught:
        capture(project)

    text = str(caught.value)
    assert f"untracked.py:3 ({kind})" in text
    assert caught.value.where[:2] == ("untracked.py", 3)
    assert PASSWORD not in text
    assert "FODNN" not in text
    assert "environment" in text


def test_the_name_of_a_file_is_no_place_for_a_secret_either(project):
    token = "hf_" + "a1" * 17
    write(project, f"{token}.py")

    with pytest.raises(ConfigError, match=r"name of a file.*Hugging Face Token") as caught:
        capture(project)

    assert token not in str(caught.value)
    assert own(capture(project, exclude=["hf_*"])) == []


def test_the_ways_out_of_a_finding_lead_out(project):
    write(project, "a.py")
    secret = f'password = "{PASSWORD}"'
    (project / "b.py").write_text(f"{secret}  # pragma: allowlist secret\n")
    assert own(capture(project)) == ["a.py", "b.py"]

    (project / "b.py").write_text(f"{secret}\n")
    assert own(capture(project, exclude=["b.py"])) == ["a.py"]

    (project / "b.py").write_text('import os\n\npassword = os.environ["SHOP_PASSWORD"]\n')
    assert own(capture(project)) == ["a.py", "b.py"]


def test_included_text_is_scanned_too_and_binary_is_not(project):
    (project / "data").mkdir()
    (project / "data/conf.yaml").write_text(f"password: {PASSWORD}\n")
    (project / "data/blob.bin").write_bytes(b"\0" + f'password = "{PASSWORD}"'.encode())

    assert own(capture(project, include=["data/*.bin"])) == ["data/blob.bin"]
    with pytest.raises(ConfigError, match=r"data/conf\.yaml:1"):
        capture(project, include=["data/*"])


def test_what_is_too_large_is_named_with_the_limit_and_the_largest_files(project):
    for index, size in enumerate([10, 400_000, 200_000, 300_000]):
        (project / f"m{index}.py").write_bytes(b"#" * size)
    package = project.parent / "pack"
    write(package, "__init__.py")

    with pytest.raises(ConfigError) as caught:
        capture(project, package=package, max_bytes=800_000)

    assert "0.858 MiB" in caught.value.got
    assert [name in caught.value.got for name in ("m1.py", "m3.py", "m2.py", "m0.py")] == [
        True, True, True, False,
    ]  # fmt: skip
    assert caught.value.wanted == "at most 0.763 MiB"
    assert len(own(capture(project, package=package, max_bytes=1_000_000))) == 4


def test_a_limit_below_this_package_alone_names_no_files(project):
    package = project.parent / "pack"
    write(package, "__init__.py", text="X = 1\n" * 200_000)

    with pytest.raises(ConfigError) as caught:
        capture(project, package=package, max_bytes=100)

    assert caught.value.got == "1.14 MiB"


def test_a_link_that_leaves_the_project_is_refused_and_one_within_is_followed(project):
    write(project, "a.py")
    (project / "inside.py").symlink_to(project / "a.py")
    assert own(capture(project)) == ["a.py", "inside.py"]

    write(project.parent, "outside.py")
    (project / "link.py").symlink_to(project.parent / "outside.py")
    with pytest.raises(ConfigError, match=r"link that leaves the project.*code\.exclude"):
        capture(project)
    assert own(capture(project, exclude=["link.py"])) == ["a.py", "inside.py"]


def test_a_package_behind_a_link_is_refused_and_a_linked_data_folder_is_not(project):
    write(project, "a.py")
    write(project.parent, "lib/__init__.py", "table/part.parquet")
    (project / "data").symlink_to(project.parent / "table")
    assert own(capture(project)) == ["a.py"]

    (project / "lib").symlink_to(project.parent / "lib")
    with pytest.raises(ConfigError, match="'lib' is a link to a folder outside"):
        capture(project)


def test_names_that_other_systems_cannot_tell_apart_or_hold_are_refused(project):
    write(project, "a.py", "pack/Model.py")
    assert len(own(capture(project))) == 2

    write(project, "pack/model.py")
    with pytest.raises(ConfigError, match=r"one name.*'pack/Model\.py' and 'pack/model\.py'"):
        capture(project)

    (project / "pack/model.py").unlink()
    Path(os.fsdecode(os.fsencode(project) + b"/\xff.py")).write_text("")
    with pytest.raises(ConfigError, match=r"not UTF-8.*\\xff\.py"):
        capture(project)


def test_a_file_that_cannot_be_read_is_named(project):
    write(project, "a.py")

    assert project_files([("a.py", project / "a.py")]) == {"a.py": b"pass\n"}
    with pytest.raises(ConfigError, match=r"b\.py: a file of the project's code cannot be read"):
        project_files([("b.py", project / "b.py")])


def test_this_repository_is_clean_and_captured_in_half_a_second():
    first = capture(REPOSITORY)
    started = time.process_time()

    bundle = capture(REPOSITORY)

    assert time.process_time() - started < 0.5
    assert bundle.digest == first.digest
    assert "jobs/run.py" in own(bundle)
    assert not [path for path in own(bundle) if "test" in path]
