"""The public surface is pinned, light to import, and free of what the rules forbid."""

import ast
import subprocess
import sys
from pathlib import Path

import mlops_ray

PACKAGE = Path(mlops_ray.__file__).parent


def test_the_public_names_are_these() -> None:
    assert mlops_ray.__all__ == [
        "ContainerImage",
        "ContractError",
        "Dataset",
        "Endpoint",
        "FeatureSet",
        "GateError",
        "MlopsRayError",
        "Pipeline",
        "Predictor",
        "Project",
        "Records",
        "Registry",
        "Run",
        "exit_code",
        "feature_function",
        "init_project",
        "metric",
        "relaunch",
        "terminal_progress",
    ]
    assert all(getattr(mlops_ray, name) for name in mlops_ray.__all__)


def test_importing_the_package_and_the_command_line_loads_no_heavy_library() -> None:
    code = (
        "import sys, mlops_ray, mlops_ray.cli.main\n"
        "heavy = {'ray', 'pandas', 'sklearn', 'xgboost', 'pyarrow', 'sqlalchemy', 'numpy'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )

    loaded = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True)

    assert loaded.stdout.strip() == b"[]"


def test_there_is_no_junk_drawer_and_every_module_says_what_it_is() -> None:
    names = {path.stem for path in PACKAGE.rglob("*")}

    assert not names & {"utils", "util", "common", "core", "base", "helpers", "misc"}
    assert all(path.read_text().lstrip().startswith('"""') for path in PACKAGE.rglob("*.py"))


def _imports_ray(path: Path) -> bool:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        if any(name.split(".")[0] == "ray" for name in names):
            return True
    return False


def test_only_named_packages_import_ray_and_one_module_starts_it() -> None:
    sources = sorted(PACKAGE.rglob("*.py"))
    importing = {path.relative_to(PACKAGE).parts[0] for path in sources if _imports_ray(path)}
    starting = [path.name for path in sources if "ray.init(" in path.read_text()]

    assert importing == {"data", "pipeline", "runtime", "search", "serve"}
    assert starting == ["cluster.py"]
