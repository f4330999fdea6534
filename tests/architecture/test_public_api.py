"""The public surface is pinned, light to import, and free of what the rules forbid."""

import subprocess
import sys
from pathlib import Path

import mlops_ray

PACKAGE = Path(mlops_ray.__file__).parent


def test_the_public_names_are_these() -> None:
    assert mlops_ray.__all__ == [
        "Endpoint",
        "MlopsRayError",
        "Pipeline",
        "Predictor",
        "Project",
        "Registry",
        "Run",
        "exit_code",
        "init_project",
        "terminal_progress",
    ]
    assert all(getattr(mlops_ray, name) for name in mlops_ray.__all__)


def test_importing_the_package_and_the_command_line_loads_no_heavy_library() -> None:
    code = (
        "import sys, mlops_ray, mlops_ray.cli.main\n"
        "heavy = {'ray', 'pandas', 'sklearn', 'xgboost', 'pyarrow', 'sqlalchemy', 'numpy'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )

    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert loaded.stdout.strip() == "[]"


def test_there_is_no_junk_drawer_and_every_module_says_what_it_is() -> None:
    names = {path.stem for path in PACKAGE.rglob("*")}

    assert not names & {"utils", "util", "common", "core", "base", "helpers", "misc"}
    assert all(path.read_text().lstrip().startswith('"""') for path in PACKAGE.rglob("*.py"))


def test_only_named_modules_import_ray() -> None:
    importing = {
        str(path.relative_to(PACKAGE).parent)
        for path in PACKAGE.rglob("*.py")
        if any(line.split()[:2] in (["import", "ray"], ["from", "ray"])
               or line.startswith(("import ray.", "from ray.")) for line in path.read_text().splitlines())
    }

    assert importing <= {"data", "runtime", "search", "serve", "pipeline"}
