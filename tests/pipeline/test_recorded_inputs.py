"""`mlops_ray.pipeline.recorded_inputs`: the bytes that a run read, or a refusal that names them."""

import os

import pytest

from mlops_ray.errors import MlopsRayError, SourceError
from mlops_ray.manifest import InputFacts
from mlops_ray.pipeline.recorded_inputs import place_inputs
from mlops_ray.storage import ObjectStore, digest

SMALL, LARGE = b"id\n1\n", b"id\n2\n"


@pytest.fixture
def asked(spec):
    facts = [
        InputFacts(name=name, format="csv", sha256=digest(data), size_bytes=len(data))
        for name, data in (("a.csv", SMALL), ("b.csv", LARGE))
    ]
    return spec.model_copy(update={"data": spec.data.model_copy(update={"inputs": facts})})


@pytest.fixture
def stores(tmp_path):
    source, target = (ObjectStore(tmp_path / name) for name in ("source", "target"))
    source.put(SMALL)
    return source, target


def _supply(folder, **files):
    folder.mkdir()
    for name, data in files.items():
        (folder / f"{name}.csv").write_bytes(data)
    return str(folder)


def test_copies_are_copied_on_and_supplied_files_read_in_place(asked, stores, tmp_path) -> None:
    data = _supply(tmp_path / "data", b=LARGE)

    places = place_inputs(asked, *stores, data)

    assert places == {
        "a.csv": str(stores[1].path(digest(SMALL))),
        "b.csv": f"{data}/b.csv",
    }
    assert stores[1].get(digest(SMALL)) == SMALL


def test_a_relative_place_is_meant_from_where_the_command_is_given(
    asked, stores, tmp_path, monkeypatch
) -> None:
    _supply(tmp_path / "data", b=LARGE)
    monkeypatch.chdir(tmp_path)

    assert place_inputs(asked, *stores, "data/b.csv")["b.csv"] == str(tmp_path / "data" / "b.csv")


def test_an_input_that_is_nowhere_is_named_with_the_way_out(asked, stores, tmp_path) -> None:
    with pytest.raises(SourceError) as unsupplied:
        place_inputs(asked, *stores, None)
    with pytest.raises(SourceError) as elsewhere:
        place_inputs(asked, *stores, _supply(tmp_path / "data", c=LARGE))

    assert unsupplied.value.where.file == elsewhere.value.where.file == "b.csv"
    assert unsupplied.value.wanted == digest(LARGE)
    assert "--data" in unsupplied.value.hint
    assert "--data" in elsewhere.value.got


def test_a_supplied_file_of_other_bytes_is_refused_even_if_there_is_a_copy(
    asked, stores, tmp_path
) -> None:
    with pytest.raises(SourceError, match="not the one that the run read") as found:
        place_inputs(asked, *stores, _supply(tmp_path / "data", a=LARGE, b=LARGE))

    assert found.value.where.file == "a.csv"
    assert (found.value.got, found.value.wanted) == (digest(LARGE), digest(SMALL))


def test_a_file_that_is_no_input_is_not_passed_over(asked, stores, tmp_path) -> None:
    stores[0].put(LARGE)
    assert place_inputs(asked, *stores, None).keys() == {"a.csv", "b.csv"}

    with pytest.raises(SourceError, match="no supplied file is an input") as found:
        place_inputs(asked, *stores, _supply(tmp_path / "data", c=LARGE))

    assert (found.value.got, found.value.wanted) == ("c.csv", "a.csv, b.csv")


def test_a_damaged_copy_is_refused(asked, stores, tmp_path) -> None:
    path = stores[0].path(digest(SMALL))
    path.chmod(0o644)
    path.write_bytes(LARGE)

    with pytest.raises(MlopsRayError, match=digest(SMALL)):
        place_inputs(asked, *stores, _supply(tmp_path / "data", b=LARGE))


def test_nothing_at_the_place_is_told(asked, stores, tmp_path) -> None:
    with pytest.raises(SourceError, match="nothing"):
        place_inputs(asked, *stores, str(tmp_path / "nothing"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_supplied_file_that_cannot_be_read_is_named(asked, stores, tmp_path) -> None:
    data = _supply(tmp_path / "data", b=LARGE)
    (tmp_path / "data" / "b.csv").chmod(0)

    with pytest.raises(SourceError) as found:
        place_inputs(asked, *stores, data)

    assert found.value.where.file == "b.csv"
