import json

from mlops_ray.cli.output import emit_json, show_table


def test_cells_are_written_for_people(capsys):
    values = [0.1234567891, {"rmse": 7.55794123, "at": None}, ("champion", "blue"), [], None, True]

    show_table(["field", "value"], [[number, value] for number, value in enumerate(values)])

    _, *lines = capsys.readouterr().out.splitlines()
    assert [line.split(maxsplit=1)[1] for line in lines] == [
        "0.123457",
        "rmse=7.55794 at=-",
        "champion, blue",
        "-",
        "-",
        "True",
    ]


def test_columns_stand_below_each_other(capsys):
    show_table(["model", "version"], [["a-long-name", 3], ["b", 12]])

    lines = capsys.readouterr().out.splitlines()
    assert {line.index(word) for line, word in zip(lines, ["VERSION", "3", "12"], strict=True)} == {
        13
    }


def test_what_json_cannot_say_is_null_or_escaped(capfd):
    emit_json("x", {"a": [float("nan"), float("inf"), 1.5], "b": {"\udcff.yaml": ("é",)}})

    line = capfd.readouterr().out
    assert "NaN" not in line
    assert json.loads(line) == {
        "schema": "mlops-ray/x/v1",
        "a": [None, None, 1.5],
        "b": {"\\udcff.yaml": ["é"]},
    }
