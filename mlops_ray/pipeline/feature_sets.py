"""Feature sets of a store: made of runs, found by name, and tested with the code of their run."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from mlops_ray.errors import (
    ConfigError,
    DigestMismatchError,
    GateError,
    ManifestError,
    NotFoundError,
)
from mlops_ray.features.feature_examples import Difference, Example, Golden, differences
from mlops_ray.features.feature_set import FeatureSet, FittedOn, OwnFunction
from mlops_ray.features.folds import Folds
from mlops_ray.features.state import FeatureState
from mlops_ray.manifest import find_run, from_canonical
from mlops_ray.manifest.named_objects import CODE_ARCHIVE
from mlops_ray.models.admitted import functions_importable
from mlops_ray.models.bundle import GOLDEN_FILE, load_bundle
from mlops_ray.models.golden import golden_records
from mlops_ray.pipeline.admission import recorded_code
from mlops_ray.pipeline.run import load_run
from mlops_ray.pipeline.unfinished_run import find_ended_run
from mlops_ray.runtime.code import CodeBundle
from mlops_ray.runtime.recorded_code import RecordedCode, own_files

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from mlops_ray.features.compiled import CompiledTransform
    from mlops_ray.manifest import Spec
    from mlops_ray.pipeline.run import Run
    from mlops_ray.registry import FeatureSets, FeatureSetVersion
    from mlops_ray.storage import Workspace

__all__ = ["FeatureSetTest", "FoundFeatureSet", "find_feature_set", "register_feature_set"]

_DIGEST: Final = "sha256:"


@dataclass(frozen=True, slots=True)
class FeatureSetTest:
    """How the examples of a set did.

    Attributes:
        digest: The set.
        n_examples: Declared examples.
        n_golden: Made-up ones.
        differences: Where one does not hold, or changes with the way it is asked.
    """

    digest: str
    n_examples: int
    n_golden: int
    differences: list[Difference]

    @property
    def is_ok(self) -> bool:
        """Whether all of them hold."""
        return not self.differences

    def to_json(self) -> dict[str, Any]:
        """The content of ``mlops-ray/feature_set_test/v1``."""
        return {
            "ok": self.is_ok,
            "digest": self.digest,
            "examples": self.n_examples,
            "golden": self.n_golden,
            "differences": [asdict(difference) for difference in self.differences],
        }


@dataclass(frozen=True, slots=True)
class FoundFeatureSet:
    """A set and how it is known here.

    Attributes:
        feature_set: The set.
        versions: Its names and versions.
        workspace: Where it was found.
        run: A run that it stems from; None where the store holds none.
    """

    feature_set: FeatureSet
    versions: list[FeatureSetVersion]
    workspace: Workspace
    run: Run | None

    @property
    def transform(self) -> CompiledTransform:
        """Rows to features; functions of the project are those of the run.

        Raises:
            ModelError: A function of the project cannot be imported.
        """
        with self._functions():
            return self.feature_set.transform

    def test(self) -> FeatureSetTest:
        """Run the examples.

        Raises:
            ModelError: A function of the project cannot be imported.
        """
        feature_set = self.feature_set
        found = differences(self.transform, feature_set.examples, feature_set.golden)
        n_examples, n_golden = len(feature_set.examples), len(feature_set.golden.records)
        return FeatureSetTest(feature_set.digest, n_examples, n_golden, found)

    def _functions(self) -> AbstractContextManager[None]:
        modules = tuple(sorted({function.module for function in self.feature_set.functions}))
        code = recorded_code(self.run) if self.run is not None and modules else None
        return functions_importable(self.workspace.store, code) if code else nullcontext()

    def to_json(self) -> dict[str, Any]:
        """The content of ``mlops-ray/feature_set/v1``."""
        feature_set = self.feature_set
        content = feature_set.to_json()
        fitted = content["state"]["features"]
        return {
            "digest": feature_set.digest,
            "known_as": [version.reference for version in self.versions],
            "run_id": self.run.run_id if self.run else None,
            "inputs": feature_set.inputs,
            "outputs": list(feature_set.outputs),
            "fitted_on": content["fitted_on"],
            "features": [
                {**declared, "fitted": [step["fitted"] for step in feature["steps"]]}
                for declared, feature in zip(content["declared"], fitted, strict=True)
            ],
            "functions": content["functions"],
            "examples": [asdict(example) for example in feature_set.examples],
            "golden": len(feature_set.golden.records),
        }


def find_feature_set(workspace: Workspace, sets: FeatureSets, reference: str) -> FoundFeatureSet:
    """The set that a name, a run or a digest means.

    Args:
        workspace: Its store holds the set, or the run.
        sets: The registered ones.
        reference: ``NAME``, ``NAME@VERSION``, a digest, a run id or its beginning, or ``latest``. A
            name wins over the beginning of a run id.

    Raises:
        NotFoundError: There is no such set and no such run.
        ManifestError: The run has no features, or the object is no feature set.
        DigestMismatchError: The set is missing from the store, or damaged.
    """
    if reference.startswith(_DIGEST):
        return _stored(workspace, sets, reference)
    if "@" in reference or reference in {version.name for version in sets.versions()}:
        return _stored(workspace, sets, sets.resolve(reference).digest)
    try:
        run = load_run(find_ended_run(workspace, reference))
    except NotFoundError as error:
        names = sorted({version.name for version in sets.versions()})
        got = f"feature sets {', '.join(names)}" if names else error.got
        what = f"there is no feature set and no run {reference!r}"
        hint = "`mlops-ray features ls` shows the sets, `mlops-ray runs ls` the runs"
        raise NotFoundError(what, got, hint=hint) from error
    feature_set = _of_run(run)
    return FoundFeatureSet(feature_set, sets.versions(feature_set.digest), workspace, run)


def register_feature_set(
    found: FoundFeatureSet, sets: FeatureSets, name: str, actor: str
) -> FeatureSetVersion:
    """Store the set of a run and number it, if its examples hold.

    Raises:
        GateError: An example does not hold.
        ConfigError: The set is not that of a run.
    """
    if found.run is None:
        raise ConfigError("a feature set is registered from a run", hint="name a run")
    tested = found.test()
    if not tested.is_ok:
        first = tested.differences[0]
        place = f"{first.example}, {first.output or 'the record'} ({first.way})"
        raise GateError(
            f"the examples of the feature set do not hold: {place}",
            first.got,
            first.wanted,
            f"correct the features or the examples; {len(tested.differences)} differ in all",
        )
    with found.workspace.store.lease() as store:
        digest = store.put(found.feature_set.to_bytes())
        # Under the lease, so that nothing collects the set before the registry cites it.
        return sets.register(name, digest=digest, run_id=found.run.run_id, actor=actor)


def _stored(workspace: Workspace, sets: FeatureSets, name: str) -> FoundFeatureSet:
    try:
        data = workspace.store.get(name)
    except DigestMismatchError as error:
        hint = "name the store that holds it with --store or MLOPS_RAY_STORE"
        what = f"the store does not hold the feature set whole: {error.what}"
        raise DigestMismatchError(what, error.got, error.wanted, hint) from error
    feature_set, versions = FeatureSet.from_bytes(data), sets.versions(name)
    return FoundFeatureSet(feature_set, versions, workspace, _run_of(workspace, versions))


def _run_of(workspace: Workspace, versions: list[FeatureSetVersion]) -> Run | None:
    for version in versions:
        try:
            return load_run(find_run(workspace, version.run_id))
        except NotFoundError:
            continue
    return None


def _of_run(run: Run) -> FeatureSet:
    """The features of a run as a set; the one that the run used, if it used one.

    Raises:
        ManifestError: The run has no features, or they cannot be read.
    """
    if run.result is None:
        what, wanted = f"run {run.run_id} has no features", "a run with a result"
        raise ManifestError(what, run.state, wanted)
    spec, store = run.spec, run.record.workspace.store
    if spec.feature_set is not None and spec.feature_set.used is not None:
        return FeatureSet.from_bytes(store.get(spec.feature_set.used))
    outputs = {stage.name: stage.outputs for stage in run.result.stages}
    document = store.get(outputs["features"]["state"])
    functions, code = _functions(run)
    train = run.result.split["train"]
    records = golden_records(load_bundle(store, run.result.model.bundle).file(GOLDEN_FILE))
    state = FeatureState.from_json(from_canonical(document))
    examples = spec.feature_set.examples if spec.feature_set is not None else []
    with functions_importable(store, code):
        feature_set = FeatureSet(
            declared=tuple(spec.features),
            state=state,
            fitted_on=FittedOn(run.result.data.fingerprint, train.membership, train.n_rows),
            folds=_folds(spec),
            functions=functions,
            examples=tuple(map(Example.from_text, examples)),
            golden=Golden((), ()),
        )
        golden = Golden.of(feature_set.transform, records)
    return feature_set.with_golden(golden)


def _folds(spec: Spec) -> Folds | None:
    salt = spec.seeds.get("folds")
    columns = tuple(spec.data.key or spec.data.columns)
    return None if salt is None else Folds(columns, int(salt))


def _functions(run: Run) -> tuple[tuple[OwnFunction, ...], RecordedCode | None]:
    steps = [step for feature in run.spec.features for step in feature.steps]
    named = {str(s["name"]): int(s["version"]) for s in steps if s["step"] == "function"}
    code = recorded_code(run)
    if not named:
        return (), None
    if code is None:
        raise ManifestError(f"run {run.run_id} recorded no code", wanted=CODE_ARCHIVE)
    files = CodeBundle.from_archive(run.record.workspace.store.get(code.archive), code.tree).files
    functions = (
        OwnFunction(name, version, own_files(files, name.partition(":")[0]))
        for name, version in sorted(named.items())
    )
    return tuple(functions), code
