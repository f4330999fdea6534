"""The documents name what there is: each key with its default, each command, each exit code."""

import re
import types
import typing
from pathlib import Path

import pytest
from pydantic import BaseModel
from typer.main import get_command

from mlops_ray.cli import exit_codes
from mlops_ray.cli.main import app
from mlops_ray.config.model import PipelineConfig
from mlops_ray.features.steps import DECLARABLE, STEPS
from mlops_ray.models.families import FAMILIES

REPOSITORY = Path(__file__).parents[2]
GUIDE = (REPOSITORY / "docs/guide.md").read_text(encoding="utf-8")
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
SHORT_FORMS = {"data.source", "split.test", "split.valid"}  # Explained as a whole.


def _keys(model, prefix=""):
    """Dotted keys and defaults, down to where a list, a mapping or a plain value begins."""
    for name, field in model.model_fields.items():
        key = prefix + (field.alias or name)
        is_union = isinstance(field.annotation, types.UnionType)
        options = typing.get_args(field.annotation) if is_union else (field.annotation,)
        parts = [k for k in options if isinstance(k, type) and issubclass(k, BaseModel)]
        if parts and key not in SHORT_FORMS:
            yield from _keys(parts[0], f"{key}.")
        else:
            yield key, field.default


def _shown(default):
    """A default as the guide writes it, where it is a plain value."""
    if isinstance(default, bool) or default is None:
        return {True: "true", False: "false", None: "null"}[default]
    return str(default).removesuffix(".0").replace("e-0", "e-")


KEYS = {k: d for k, d in _keys(PipelineConfig) if d and isinstance(d, int | float | str)}
OTHER_KEYS = [k for k, _ in _keys(PipelineConfig) if k not in KEYS]
PARAMETERS = sorted(
    {
        (family.name, name, _shown(value).replace("0.0001", "1e-4"))
        for family in FAMILIES.values()
        for task in ("binary", "multiclass", "regression")
        for name, value in family.resolve_params({}, task).items()
    }
)


@pytest.mark.parametrize("key", KEYS)
def test_the_guide_names_each_key_with_its_default(key):
    assert f"`{key}` [{_shown(KEYS[key])}]" in GUIDE


@pytest.mark.parametrize("key", OTHER_KEYS)
def test_the_guide_names_each_key_without_a_plain_default(key):
    assert re.search(rf"`{re.escape(key)}[`.]", GUIDE)


@pytest.mark.parametrize(("family", "name", "default"), PARAMETERS)
def test_the_guide_names_each_parameter_with_its_default(family, name, default):
    (row,) = (line for line in GUIDE.splitlines() if line.startswith(f"| `{family}` |"))

    assert f"`{name}` [{default}]" in row


@pytest.mark.parametrize("name", sorted(DECLARABLE))
def test_the_guide_names_each_step_with_its_options_and_policies(name):
    step = STEPS[name]
    options, policies = (row for row in GUIDE.splitlines() if row.startswith(f"| `{name}` |"))

    named = {field.alias or key for key, field in step.model_fields.items()} - {"step"}
    assert {option for option in named if not re.search(rf"\b{option}\b", options)} == set()
    told = [getattr(step.policies, f) for f in ("null", "unseen", "out_of_range", "empty")]
    cells = ["" if text == "does not apply" else text for text in told]
    assert policies == f"| `{name}` | {' | '.join(cells)} |"


def test_the_readme_names_each_command():
    (table,) = re.findall(r"\| command \| does \|\n(.*?)\n\n", README, re.DOTALL)
    words = set(re.findall(r"[a-z]+", table))
    groups = get_command(app).commands
    names = {
        name for group in groups.values() for name in (group.name, *getattr(group, "commands", ()))
    }

    assert len(names) > 15
    assert names <= words


def test_the_readme_names_each_exit_code():
    (text,) = re.findall(r"Exit codes: (.*?)\.\n", README, re.DOTALL)
    named = {int(code) for code in re.findall(r"(?:^|, |\n)(\d+) ", text)}

    codes = {code for _, code in exit_codes._CODES}
    assert named == codes | {exit_codes.OK, exit_codes.BUG, exit_codes.INTERRUPTED}


@pytest.mark.parametrize(
    "page", sorted(REPOSITORY.glob("*.md")) + sorted(REPOSITORY.glob("docs/**/*.md"))
)
def test_links_between_pages_lead_somewhere(page):
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))

    assert [t for t in targets if not (page.parent / t).exists()] == []


def test_every_test_that_the_acceptance_page_names_exists():
    page = (REPOSITORY / "docs/acceptance.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", page)

    missing = [
        (path, name)
        for path, name in named
        if f"def {name}{'(' if name else ''}" not in (REPOSITORY / path).read_text(encoding="utf-8")
    ]
    assert len(named) > 20
    assert missing == []
