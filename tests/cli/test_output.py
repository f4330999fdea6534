from mlops_ray.cli.output import show_table


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
