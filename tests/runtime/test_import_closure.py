import ast
import subprocess
import sys
from pathlib import Path

import pytest

import mlops_ray
from mlops_ray.errors import ManifestError
from mlops_ray.pipeline.declared import STAGES
from mlops_ray.runtime.code import code_files
from mlops_ray.runtime.import_closure import import_closure

PACKAGE = Path(mlops_ray.__file__).parent


def run_python(program):
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import a", ["a.py", "main.py"]),
        ("import p.q", ["main.py", "p/__init__.py", "p/q.py"]),
        ("from p import q", ["main.py", "p/__init__.py", "p/q.py"]),
        ("from p import name", ["main.py", "p/__init__.py"]),
        ("from p import *", ["main.py", "p/__init__.py", "p/q.py"]),
        ("def f():\n    import a", ["a.py", "main.py"]),
        (
            "try:\n    import a\nexcept ImportError:\n    import p",
            ["a.py", "main.py", "p/__init__.py"],
        ),
        (
            "import importlib\nimportlib.import_module('p.q')",
            ["main.py", "p/__init__.py", "p/q.py"],
        ),
        ("__import__('a')", ["a.py", "main.py"]),
        ("import numpy", ["main.py"]),
        ("if TYPE_CHECKING:\n    import a", ["main.py"]),
        (
            "if typing.TYPE_CHECKING:\n    import a\nelse:\n    import p",
            ["main.py", "p/__init__.py"],
        ),
        ("if not TYPE_CHECKING:\n    import a", ["a.py", "main.py"]),
        ("import only_in_src", ["main.py", "src/only_in_src.py"]),
        ("import namespace.inner", ["main.py", "namespace/inner.py"]),
        ("this is no Python", ["main.py"]),
    ],
)
def test_whatever_a_module_could_import_belongs_to_it(source, expected):
    files = {
        "main.py": source,
        "a.py": "",
        "p/__init__.py": "",
        "p/q.py": "",
        "src/only_in_src.py": "",
        "namespace/inner.py": "",
        "other.py": "",
    }

    found = import_closure({path: text.encode() for path, text in files.items()}, "main")

    assert list(found) == expected


def test_relative_imports_are_resolved_and_followed():
    files = {
        "p/__init__.py": b"from .a import x",
        "p/a.py": b"from . import b\nfrom .s.c import y",
        "p/b.py": b"",
        "p/s/__init__.py": b"",
        "p/s/c.py": b"from ..d import z",
        "p/d.py": b"",
        "p/unused.py": b"",
    }

    assert list(import_closure(files, "p.b")) == sorted(files.keys() - {"p/unused.py"})


def test_a_name_of_a_lazy_package_counts_where_it_is_used():
    lazy = (
        "if TYPE_CHECKING:\n    from p.a import A\n    from p.b import B\ndef __getattr__(n): ..."
    )
    files = {"p/__init__.py": lazy, "p/a.py": "", "p/b.py": "", "used.py": "import p\np.A()"}
    files |= {"named.py": "from p import B", "neither.py": "import p"}
    files |= {"p/c.py": "", "beside.py": "from p import c\nc.A"}  # Which is another A.
    sources = {path: text.encode() for path, text in files.items()}

    assert list(import_closure(sources, "used")) == ["p/__init__.py", "p/a.py", "used.py"]
    assert list(import_closure(sources, "named")) == ["named.py", "p/__init__.py", "p/b.py"]
    assert list(import_closure(sources, "neither")) == ["neither.py", "p/__init__.py"]
    assert list(import_closure(sources, "beside")) == ["beside.py", "p/__init__.py", "p/c.py"]


def test_data_beside_a_module_belong_to_it():
    files = {
        "p/__init__.py": b"",
        "p/words.json": b"{}",
        "q/__init__.py": b"",
        "q/words.json": b"{}",
        "rules/limits.yaml": b"",
        "mlops_ray/__init__.py": b"",
    }

    assert list(import_closure(files, "p")) == [
        "p/__init__.py",
        "p/words.json",
        "rules/limits.yaml",
    ]
    assert list(import_closure(files, "mlops_ray")) == ["mlops_ray/__init__.py"]


def test_a_module_that_is_not_there_is_named():
    with pytest.raises(ManifestError, match="no module 'main'"):
        import_closure({"a.py": b""}, "main")


def test_editing_the_kernels_changes_the_stages_that_compute_features_and_none_that_reads_data():
    before = code_files()
    after = dict(before)
    after["mlops_ray/features/program.py"] += b"# edited\n"

    changed = [
        stage.name
        for stage in STAGES
        if import_closure(before, stage.module) != import_closure(after, stage.module)
    ]

    assert "features" in changed
    assert not {"ingest", "split", "gate"} & set(changed)


@pytest.mark.parametrize("stage", ["features", "search"])
def test_every_module_that_a_stage_loads_lies_in_its_closure(stage):
    """What Python has loaded after an import is the reference: nothing of it may be missing."""
    module = f"mlops_ray.pipeline.stages.{stage}"
    done = run_python(
        f"import sys, {module}; print(*sorted(m for m in sys.modules if m.startswith('mlops_ray')))"
    )

    loaded = {name.replace(".", "/") for name in done.split()}
    found = {
        path.removesuffix(".py").removesuffix("/__init__")
        for path in import_closure(code_files(), module)
    }

    assert len(loaded) > 20
    assert loaded - found == set()


def test_only_lazy_packages_and_the_engine_import_by_a_calculated_name():
    """The engine imports stages, whose own closures are their keys; no stage imports the engine.

    The modules of feature functions, metrics, a family and a searcher of the project stand in the
    spec, and their closures count as stages' code.
    """
    calls = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        found = [node for node in ast.walk(ast.parse(path.read_bytes())) if _is_dynamic(node)]
        if found:
            calls[path.relative_to(PACKAGE).as_posix()] = len(found)
    files = code_files()
    closures = {path for stage in STAGES for path in import_closure(files, stage.module)}

    lazy = ("__init__.py", "manifest/__init__.py", "storage/__init__.py")
    named_by_the_spec = (
        "runtime/declared_function.py",
        "models/project_family.py",
        "search/searchers/project.py",
        "runtime/code_guard.py",
        "runtime/recorded_code.py",
        "pipeline/engine.py",
    )
    of_scikit_learn = ("models/sklearn_catalogue.py",)  # The environment counts, not its files.
    of_trackers = ("pipeline/mlflow.py", "pipeline/tensorboard.py", "pipeline/tracker.py")
    assert calls == dict.fromkeys((*lazy, *named_by_the_spec, *of_scikit_learn, *of_trackers), 1)
    assert not {f"mlops_ray/{path}" for path in of_trackers} & closures
    assert "mlops_ray/pipeline/engine.py" not in closures
    assert len(closures) > 50


def _is_dynamic(node):
    if not isinstance(node, ast.Call):
        return False
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    return name in {"import_module", "__import__", "exec", "spec_from_file_location", "run_path"}
