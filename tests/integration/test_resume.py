"""Which stages a run computes that follows another, and that it gives the same either way."""

import pytest

from mlops_ray.errors import ConfigError
from mlops_ray.manifest import StageRecord, from_canonical
from mlops_ray.pipeline.declared import STAGE_NAMES
from mlops_ray.pipeline.stage_cache import pointer_key
from mlops_ray.telemetry import SilentProgress

pytestmark = pytest.mark.ray

HIT, MISS = "hit", "miss"


class Notes(SilentProgress):
    """Keeps what a run says beside its stages."""

    def __init__(self):
        self.texts = []

    def note(self, message):
        self.texts.append(message)


class Finished:
    """A pipeline that has run once, and how to run it again.

    Attributes:
        first: The first run.
        notes: What the latest run said.
    """

    def __init__(self, pipeline):
        self._pipeline = pipeline
        self.first = self.again()

    def again(self, **options):
        """Run the same; returns the run."""
        notes = Notes()
        run = self._pipeline.run(progress=notes, **options)
        self.notes = notes.texts
        return run

    @property
    def store(self):
        return self._pipeline.records.workspace.store

    def objects_of(self, stage):
        """What only this stage has put into the store."""
        keys = {facts.name: facts.key for facts in self.first.envelope.stages}
        found = {}
        for name, key in keys.items():
            record = str(from_canonical(self.store.read_record(pointer_key(key)))["record"])
            of_record = StageRecord.from_bytes(self.store.get(record)).objects
            found[name] = {record, *(item.sha256 for item in of_record)}
        others = set().union(*(names for name, names in found.items() if name != stage))
        return sorted(found[stage] - others)


@pytest.fixture(scope="module")
def finished(new_bench, tables, fits_here):
    bench, config = new_bench(), tables.config_of("linear")
    bench.write(tables.homes_for(config))
    with fits_here():
        yield Finished(bench.pipeline(config, bench.fresh_store()))


def caches(run):
    """Stage -> whether it was reused, as the record says."""
    return {stage.name: stage.cache for stage in run.envelope.stages}


@pytest.mark.parametrize(
    ("options", "first_computed"),
    [
        ({}, None),
        *(({"from_stage": name}, name) for name in STAGE_NAMES),
        ({"no_cache": True}, "ingest"),
    ],
    ids=str,
)
def test_the_stages_that_were_asked_for_are_computed_and_no_others(
    finished, options, first_computed
):
    at = len(STAGE_NAMES) if first_computed is None else STAGE_NAMES.index(first_computed)

    run = finished.again(**options)

    wanted = {name: MISS if number >= at else HIT for number, name in enumerate(STAGE_NAMES)}
    assert caches(run) == wanted
    assert (run.spec_id, run.result_id) == (finished.first.spec_id, finished.first.result_id)


def test_a_stage_that_does_not_exist_is_refused(finished):
    with pytest.raises(ConfigError, match="there is no such stage: got 'train', wanted one of ing"):
        finished.again(from_stage="train")


@pytest.mark.parametrize("harm", ["deleted", "damaged"])
@pytest.mark.parametrize("stage", STAGE_NAMES)
def test_a_stage_whose_objects_are_harmed_is_computed_again_and_heals_the_store(
    finished, stage, harm
):
    harmed = finished.objects_of(stage)
    assert harmed
    for name in harmed:
        path = finished.store.path(name)
        content = path.read_bytes()
        path.unlink()
        if harm == "damaged":
            path.write_bytes(bytes([content[0] ^ 1]) + content[1:])
        assert not finished.store.is_whole(name)

    run = finished.again()

    assert caches(run) == {name: MISS if name == stage else HIT for name in STAGE_NAMES}
    assert run.result_id == finished.first.result_id
    assert any("computed again" in note for note in finished.notes), finished.notes
    assert all(finished.store.is_whole(name) for name in harmed)
    # The twin, where nothing was harmed.
    assert set(caches(finished.again()).values()) == {HIT}
    assert not any("computed again" in note for note in finished.notes)
