"""What a run's record says of its environment, and which policy holds for its model."""

from __future__ import annotations

import pytest

from mlops_ray.config.environment import EnvironmentConfig
from mlops_ray.manifest.run_record import RunRecord
from mlops_ray.manifest.spec import EnvironmentFacts
from mlops_ray.pipeline.admission import admission_of, recorded_environment
from mlops_ray.pipeline.run import Run
from mlops_ray.storage import find_workspace

THREADS = {"OMP_NUM_THREADS": "1"}
LOCK = """\
# a comment
numpy==2 \\
    --hash=sha256:00
typer==0.20.1 ; python_version >= "3.11" \\
    --hash=sha256:11
rich==14.0
"""


@pytest.fixture
def record(tmp_path):
    return RunRecord(find_workspace(tmp_path, None, None), "20260101t000000-abcdef")


@pytest.fixture
def run(record, spec, envelope):
    """A run of today, with everything that is recorded."""
    facts = EnvironmentFacts(implementation="cpython", threads=THREADS)
    lock = record.workspace.store.put(LOCK.encode())
    return Run(
        record,
        envelope.model_copy(update={"platform": {"cpu_level": "x86-64-v3"}, "lock": lock}),
        spec.model_copy(update={"environment": facts}),
        None,
    )


def test_the_record_of_a_run_is_read(run):
    known = recorded_environment(run)

    assert known.packages == {"numpy": "2"}
    assert known.platform == {"cpu_level": "x86-64-v3", "implementation": "cpython"}
    assert (known.threads, known.others) == (THREADS, None)
    assert recorded_environment(run, with_others=True).others == {"typer": "0.20.1", "rich": "14.0"}


def test_an_older_run_knows_less(record, spec, envelope):
    known = recorded_environment(Run(record, envelope, spec, None), with_others=True)

    assert (known.packages, known.platform) == ({"numpy": "2"}, {})
    assert (known.threads, known.others) == (None, None)


@pytest.mark.parametrize(
    ("declared", "asked", "wanted"),
    [
        (None, None, EnvironmentConfig(on_difference="refuse", tolerance=1e-6)),
        (None, "allow", EnvironmentConfig(on_difference="allow", tolerance=1e-6)),
        ({"on_difference": "warn"}, None, EnvironmentConfig(on_difference="warn")),
        ({"on_difference": "warn"}, "refuse", EnvironmentConfig(on_difference="refuse")),
        (
            {"on_difference": "refuse", "tolerance": 1e-3},
            "allow",
            EnvironmentConfig(on_difference="allow", tolerance=1e-3),
        ),
    ],
)
def test_the_option_replaces_the_declared_word_and_keeps_the_tolerance(
    run, declared, asked, wanted
):
    policy = EnvironmentConfig(**declared) if declared else None
    spec = run.spec.model_copy(update={"environment_policy": policy})

    admission = admission_of(Run(run.record, run.envelope, spec, None), asked)

    assert admission.policy == wanted
    assert admission.run_id == run.run_id
    assert admission.recorded == recorded_environment(run)
